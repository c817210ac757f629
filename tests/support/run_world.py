"""A run driven on one event loop: the real driver, hub, storage and machines; no wire, no process, no Flower."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Literal

from headwater.agreement.session import roster_of, terms_of
from headwater.contribution.contribute import contribute
from headwater.errors import OutOfOrder, TransportError
from headwater.privacy.budget import Budget
from headwater.recipe.settings import RecipeSettings
from headwater.recipe.task import Task
from headwater.secagg import Participant
from headwater.secagg.protocol.events import AttemptStarted, MemberEvent, RoundClosed, RoundRequested, Send
from headwater_server.runs.driver import RunDriver
from headwater_server.services.hub import AggregationHub
from headwater_server.services.session import AggregationSession
from headwater_server.services.stream import MemberStream
from headwater_server.settings import CoordinatorHome
from headwater_server.storage import RunState, SqlStorage
from support.consortium import CREATED, ConsortiumInMemory
from support.parcels import messages_of
from support.recipes import SCHEMA, small_plan, small_table

__all__ = ["RUN", "InvitingFlower", "RunMember", "RunWorld"]

RUN = "0f" * 16
_NOW = datetime.fromisoformat(CREATED)
_LOOK_SECONDS = 0.005


class InvitingFlower:
    """In place of Flower: counts what it was asked for, or is away."""

    def __init__(self) -> None:
        """Be there."""
        self.away = False
        self.started: list[str] = []
        self.stopped: list[int] = []

    async def start_run(self, run_id: str) -> int:
        """Start inviting."""
        if self.away:
            raise TransportError("Flower is away; start it")
        self.started.append(run_id)
        return len(self.started)

    async def run_is_over(self, flower_run: int) -> bool:
        """It lasts until it is stopped."""
        return flower_run in self.stopped

    async def stop_run(self, flower_run: int) -> None:
        """Stop inviting."""
        self.stopped.append(flower_run)


class RunWorld:
    """A coordinator's records with a started run, and organisations that may take part in it."""

    def __init__(
        self,
        folder: Path,
        members: int = 3,
        *,
        kind: str = "marginals",
        recipe: RecipeSettings | None = None,
        approve: int | None = None,
        retries: int = 5,
        setup_seconds: float = 20.0,
        privacy: Literal["none"] | Budget = "none",
        disjoint_people: bool = False,
        audit: object = "none",
        generator: str = "kept",
    ) -> None:
        """Propose the run, have the first `approve` organisations approve it, and start it."""
        self.consortium = ConsortiumInMemory(members)
        self.home = CoordinatorHome(folder / "coordinator")
        self.home.runs.mkdir(parents=True)
        self.storage = SqlStorage(f"sqlite:///{folder / 'state.db'}")
        self.flower = InvitingFlower()
        self.plan = self.consortium.plan(
            schema=SCHEMA,
            recipe=recipe or small_plan(kind, 1, fit={"steps": 5, "batch": 16}).recipe,
            aggregation={"on_membership_change": "continue", "retries": retries, "setup_seconds": setup_seconds},
            privacy=privacy,
            audit=audit,
            release={"generator": generator},
        )
        self.rows = {member: small_table(seed=seed) for seed, member in enumerate(sorted(self.consortium.keys))}
        declared = {"disjoint_people": True} if disjoint_people else {}
        signed = self.consortium.signed_charter(without=(), **declared)
        proposal = self.consortium.proposal(self.plan, RUN, charter_digest=signed.charter.digest)
        self.charter = signed.charter
        self.storage.add_charter(signed.model_copy(update={"signatures": {}}))
        for member, signature in signed.signatures.items():
            self.storage.add_charter_signature(signed.charter.digest, member, signature)
        self.storage.add_run(proposal)
        for member in list(self.consortium.keys)[:approve]:
            self.storage.record_decision(self.consortium.approval(proposal, member), _NOW)
        self.storage.move_run(RUN, RunState.STARTING)

    @property
    def kinds(self) -> list[str]:
        """The kinds of the run's records so far."""
        return [str(record["kind"]) for _, record in self.storage.progress(RUN)]

    @property
    def detail(self) -> str:
        """What the run's state says."""
        record = self.storage.run(RUN)
        return "" if record is None else record.detail

    def driver(self, hub: AggregationHub) -> RunDriver:
        """A driver of the run, as a coordinator makes one when it starts."""
        return RunDriver(RUN, self.home, self.storage, hub, self.flower, self.consortium.coordinator_key)

    def member(self, name: str, *, leaves_at: int = 0, refuses: bool = False) -> "RunMember":
        """An organisation that takes part in the run."""
        return RunMember(self, name, leaves_at=leaves_at, refuses=refuses)

    @contextlib.asynccontextmanager
    async def taking_part(self, hub: AggregationHub, *members: "RunMember") -> AsyncIterator[list[asyncio.Task[None]]]:
        """Organisations take part on this hub while the block runs."""
        parts = [asyncio.create_task(member.take_part(hub), name=member.member) for member in members]
        try:
            yield parts
        finally:
            for part in parts:
                part.cancel()
            for outcome in await asyncio.gather(*parts, return_exceptions=True):
                if isinstance(outcome, Exception):
                    raise outcome


class RunMember:
    """An organisation in a run; what would be durable at it outlives its streams and hubs."""

    def __init__(self, world: RunWorld, member: str, *, leaves_at: int, refuses: bool) -> None:
        """Take part in every round; leave when asked for the `leaves_at`-th vector, or refuse every one."""
        self.member = member
        self.over = ""
        self._world = world
        self._leaves_at = leaves_at
        self._refuses = refuses
        self._asked = 0
        self._left = False
        self._next_attempt = 1
        self._records = 0
        self._last: bytes | None = None

    async def take_part(self, hub: AggregationHub) -> None:
        """Session after session, until the run is over or it leaves."""
        while not self._left:
            participant = self._participant()
            participant.start()
            while not (participant.closed or self._left):
                try:
                    session, stream = hub.session_of(RUN, self.member)
                except TransportError:
                    # Nobody tells when the next session opens, here as over the wire.
                    await asyncio.sleep(_LOOK_SECONDS)
                    continue
                except OutOfOrder as over:
                    self.over = str(over)
                    return
                # A session that ends while a message is on its way says no more than that; the hub says why.
                with contextlib.suppress(TransportError, OutOfOrder):
                    await session.attach(stream)
                    await self._converse(session, stream, participant, hub)

    def _participant(self) -> Participant:
        world = self._world
        return Participant(
            roster_of(world.charter, world.plan),
            terms_of(world.plan, RUN, self._next_attempt),
            self.member,
            world.consortium.keys[self.member],
            self._last,
            records=self._records,
        )

    async def _converse(
        self, session: AggregationSession, stream: MemberStream, participant: Participant, hub: AggregationHub
    ) -> None:
        async for data in messages_of(stream):
            for event in participant.receive(data, hub.now()):
                await self._perform(event, session, stream, participant)
                if self._left:
                    session.detach(stream)
                    return
            if participant.closed:
                return

    async def _perform(
        self, event: MemberEvent, session: AggregationSession, stream: MemberStream, participant: Participant
    ) -> None:
        match event:
            case Send(data=data):
                await session.deliver(stream, data)
            case AttemptStarted(attempt):
                self._next_attempt, self._records = attempt + 1, self._records + 1
            case RoundClosed():
                self._last, self._records = event.document, self._records + 1
            case RoundRequested():
                await self._answer(event, session, stream, participant)
            case _:
                pass

    async def _answer(
        self, request: RoundRequested, session: AggregationSession, stream: MemberStream, participant: Participant
    ) -> None:
        self._asked += 1
        if self._asked == self._leaves_at:
            self._left = True
        elif self._refuses:
            for event in participant.refuse(request.round, "this organisation does not contribute to the round"):
                await self._perform(event, session, stream, participant)
        else:
            rows = self._world.rows[self.member]
            plan, members = self._world.plan, len(self._world.rows)
            vector = contribute(Task.from_bytes(request.task), request.model, rows, plan, members=members)
            for data in participant.upload(request.round, vector):
                await session.deliver(stream, data)
