"""Drive one run: setup, secure sums, fits, until the recipe is done."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.agreement.approval import SignedProposal
from headwater.agreement.charter import Charter
from headwater.agreement.session import roster_of, terms_of
from headwater.contribution.execution import execute
from headwater.errors import HeadwaterError, InputError, OutOfOrder, TransportError
from headwater.generator.bundle import Bundle
from headwater.generator.model import Model
from headwater.recipe.actions import Aggregate, Done, Fit, Merge
from headwater.recipe.machine import Recipe, build_recipe
from headwater.secagg import Aggregator
from headwater.secagg.events import AggregatorEvent, MemberDropped, Persist, RoundAborted
from headwater.secagg.terms import MAXIMUM_ATTEMPTS
from headwater_server.flower.control import FlowerControl
from headwater_server.runs.record import RunRecorder
from headwater_server.runs.replay import RunJournal, StoredSum
from headwater_server.services.hub import AggregationHub
from headwater_server.services.session import AggregationSession
from headwater_server.settings import CoordinatorHome
from headwater_server.storage import BlobStore, RunState, Storage

__all__ = ["RunDriver", "approved_members"]

_log = structlog.get_logger(__name__)

PROTECTION = "no protection against differencing"


def approved_members(storage: Storage, proposal: SignedProposal, charter: Charter) -> tuple[str, ...]:
    """Members whose signed approval of exactly this run is here, sorted.

    Raises:
        OutOfOrder: they are fewer than charter and plan ask for.
    """
    approved = []
    for approval in storage.approvals(proposal.proposal.run_id):
        approval.verify(charter, proposal.proposal)
        if approval.approval.decision == "approve":
            approved.append(approval.approval.member)
    plan = proposal.proposal.plan
    needed = max(charter.minimum_cohort, plan.aggregation.minimum_cohort)
    if len(approved) < needed:
        raise OutOfOrder(
            f"{len(approved)} organisations approved run {proposal.proposal.run_id}, at least {needed} must; "
            f"waiting for {', '.join(m.id for m in charter.members if m.id not in approved)}"
        )
    return tuple(sorted(approved))


@dataclass(slots=True)
class _Cost:
    """What the run cost so far."""

    seconds: dict[str, float] = field(default_factory=dict)
    received_bytes: int = 0
    sent_bytes: int = 0

    def add(self, phase: str, seconds: float) -> None:
        self.seconds[phase] = self.seconds.get(phase, 0.0) + seconds


class RunDriver:
    """One run from its state "starting" to its end; `drive` returns when it is over, however it ended."""

    def __init__(
        self,
        run_id: str,
        home: CoordinatorHome,
        storage: Storage,
        hub: AggregationHub,
        flower: FlowerControl,
        key: Ed25519PrivateKey,
    ) -> None:
        """Take the parts; nothing happens yet."""
        self._run_id = run_id
        self._home = home
        self._storage = storage
        self._hub = hub
        self._flower = flower
        self._key = key
        self._journal = RunJournal(storage, BlobStore(home.blobs), run_id)
        self._recorder = RunRecorder(storage, run_id, home.runs / run_id)
        self._cost = _Cost()
        self._session: AggregationSession | None = None

    async def drive(self) -> None:
        """Run to the end, and leave the state finished, failed or (when cancelled) as it is."""
        try:
            proposal, charter, members = self._agreed()
            if self._storage.run_state(self._run_id) is RunState.STARTING:
                self._storage.move_run(self._run_id, RunState.RUNNING, "waiting for the organisations")
            async with self._invited():
                await self._follow_recipe(proposal, charter, members)
            await self._hub.end_run(self._run_id, "the run is finished")
            self._storage.move_run(self._run_id, RunState.FINISHED, "the generator is ready to be released")
        except asyncio.CancelledError:
            await self._hub.end_run(self._run_id, "the operator stopped the run")
            raise
        except HeadwaterError as error:
            await self._fail(str(error))
        except Exception as error:  # noqa: BLE001  a bug ends this run with a reason, and no other run
            _log.error("run_broken", run=self._run_id, exc_info=error)
            await self._fail(f"an error inside the coordinator ({type(error).__name__}); its log says where")

    async def _fail(self, reason: str) -> None:
        _log.warning("run_failed", run=self._run_id, reason=reason)
        await self._hub.end_run(self._run_id, f"the run failed: {reason}")
        self._recorder.add({"kind": "failed", "reason": reason})
        with contextlib.suppress(HeadwaterError):
            self._storage.move_run(self._run_id, RunState.FAILED, reason)

    def _agreed(self) -> tuple[SignedProposal, Charter, tuple[str, ...]]:
        proposal, signed = self._storage.proposal(self._run_id), self._storage.charter()
        if proposal is None or signed is None:
            raise InputError(f"run {self._run_id} has no proposal or no charter; propose it again")
        signed.verify()
        proposal.verify(signed.charter)
        return proposal, signed.charter, approved_members(self._storage, proposal, signed.charter)

    @contextlib.asynccontextmanager
    async def _invited(self) -> AsyncIterator[None]:
        """Organisations are invited by Flower while this block runs."""
        flower_run = await self._flower.start_run(self._run_id)
        try:
            yield
        finally:
            with contextlib.suppress(HeadwaterError):
                await self._flower.stop_run(flower_run)

    async def _follow_recipe(self, proposal: SignedProposal, charter: Charter, members: tuple[str, ...]) -> None:
        recipe = build_recipe(proposal.proposal.plan)
        stored = self._journal.sums()
        organisations = 0
        while not isinstance(action := recipe.next(), Done):
            seen = len(recipe.history)
            started = time.monotonic()
            phase: str
            if isinstance(action, Aggregate):
                phase = action.task.kind
                total = stored.pop(0) if stored else await self._sum(action, proposal, charter, members)
                recipe.add_sum(total.vector, total.contributors)
                organisations = total.contributors
            else:
                phase = "fit" if isinstance(action, Fit) else "merge"
                await self._compute(recipe, action)
            self._cost.add(phase, time.monotonic() - started)
            self._report(recipe, seen, time.monotonic() - started)
        if self._session is not None:
            await self._session.close("the run is finished")
            self._count_traffic()
        await asyncio.to_thread(self._finish, recipe, action, organisations)

    async def _compute(self, recipe: Recipe, action: Fit | Merge) -> None:
        loop = asyncio.get_running_loop()

        def progress(done: int, steps: int, loss: float) -> None:
            if done % 250 == 0:
                record = {"kind": "fitting", "done": done, "of": steps, "loss": round(loss, 5)}
                loop.call_soon_threadsafe(self._recorder.add, record)

        model, report = await asyncio.to_thread(execute, action, on_progress=progress)
        recipe.add_model(model, report)

    def _report(self, recipe: Recipe, seen: int, seconds: float) -> None:
        for record in recipe.history[seen:]:
            self._recorder.add({**record, "seconds": round(seconds, 3)})
        self._recorder.draw()

    async def _sum(
        self, action: Aggregate, proposal: SignedProposal, charter: Charter, members: tuple[str, ...]
    ) -> StoredSum:
        """One secure sum, tried again as the plan allows (protocol 4.10 iv)."""
        plan = proposal.proposal.plan
        task = action.task.to_bytes()
        while True:
            try:
                session = await self._open_session(proposal, charter, members)
                outcome = await session.round(task, action.model, action.task.length)
            except TransportError as error:
                # The session is gone, for instance below its threshold; the next attempt is a whole new setup.
                self._recorder.add({"kind": "session_failed", "reason": str(error)})
                self._count_traffic()
                continue
            if isinstance(outcome, RoundAborted):
                self._recorder.add({"kind": "aborted", "round": outcome.round, "reason": outcome.reason})
                if self._journal.aborts > plan.aggregation.retries:
                    raise OutOfOrder(
                        f"{self._journal.aborts} rounds were aborted, the plan allows {plan.aggregation.retries}; "
                        f"the last because {outcome.reason}"
                    )
                continue
            total = StoredSum(outcome.vector, len(outcome.contributors))
            await asyncio.to_thread(self._journal.add_sum, total)
            return total

    async def _open_session(
        self, proposal: SignedProposal, charter: Charter, members: tuple[str, ...]
    ) -> AggregationSession:
        if self._session is not None and not self._session.over:
            return self._session
        plan = proposal.proposal.plan
        attempt = self._journal.next_attempt()
        if attempt > MAXIMUM_ATTEMPTS:
            raise OutOfOrder(f"the setup of run {self._run_id} failed {MAXIMUM_ATTEMPTS} times; propose a new run")
        self._recorder.add({"kind": "setup", "attempt": attempt, "expected": list(members)})
        aggregator = Aggregator(
            roster_of(charter, plan),
            terms_of(plan, self._run_id, attempt),
            self._key,
            now=self._hub.now(),
            chain=self._journal.chain,
        )
        self._session = await self._hub.open_session(
            self._run_id, aggregator, members, persist=self._persist, observe=self._observe
        )
        ready = await self._session.ready()
        self._recorder.add({"kind": "ready", "members": list(ready.members), "protection": PROTECTION})
        return self._session

    def _persist(self, event: Persist) -> None:
        self._journal.add(event.kind, event.data)

    def _observe(self, event: AggregatorEvent) -> None:
        if isinstance(event, MemberDropped):
            record = {"kind": "dropped", "member": event.member, "phase": event.phase, "reason": event.reason}
            self._recorder.add(record)

    def _count_traffic(self) -> None:
        if self._session is not None:
            self._cost.received_bytes += self._session.traffic.received_bytes
            self._cost.sent_bytes += self._session.traffic.sent_bytes
            self._session = None

    def _finish(self, recipe: Recipe, done: Done, organisations: int) -> None:
        bundle = Bundle(Model.from_bytes(done.model), done.encoding)
        folder = self._home.runs / self._run_id / "generator"
        digest = bundle.digest if folder.exists() else bundle.save(folder)
        self._storage.set_result(
            self._run_id,
            {
                "generator_digest": digest,
                "rows": done.rows,
                "organisations": organisations,
                "seconds": {phase: round(seconds, 3) for phase, seconds in self._cost.seconds.items()},
                "bytes_up": self._cost.received_bytes,
                "bytes_down": self._cost.sent_bytes,
                "rounds": sum(record.get("kind") == "update" for record in recipe.history),
                "sums": len(self._journal.chain) - self._journal.aborts,
                "privacy": "none",
                "protection": PROTECTION,
            },
        )
