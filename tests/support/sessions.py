"""The coordinator's side of a session, driven by a test: real masks over real gRPC, one sum at a time."""

from headwater.agreement.charge import charge_of
from headwater.agreement.plan import Plan
from headwater.agreement.session import roster_of, terms_of
from headwater.recipe.actions import Aggregate
from headwater.recipe.machine import build_recipe
from headwater.secagg import Aggregator
from headwater.secagg.protocol.events import AggregatorEvent, MemberDropped, Persist
from headwater_server.services.session import RoundResult
from support.organisations import RUN, EnrolledConsortium

__all__ = ["Desk"]


class Desk:
    """Sessions of a run, one after the other, and who was dropped in them."""

    def __init__(self, consortium: EnrolledConsortium, plan: Plan, run_id: str = RUN) -> None:
        """Start with an empty chain."""
        self.consortium, self.plan, self.run_id = consortium, plan, run_id
        self.chain: list[bytes] = []
        self.dropped: list[MemberDropped] = []

    def sum(self, attempt: int, charge: bytes | None = None) -> RoundResult:
        """Set a session up, ask for the recipe's first sum at the plan's charge or another, and close it."""
        return self.consortium.coordinator.loop.run(self._sum(attempt, charge), 60)

    def end(self) -> None:
        """Let nobody come back."""
        self.consortium.coordinator.loop.run(self.consortium.coordinator.hub.end_run(self.run_id))

    async def _sum(self, attempt: int, charge: bytes | None) -> RoundResult:
        hub, plan = self.consortium.coordinator.hub, self.plan
        roster, terms = roster_of(self.consortium.charter, plan), terms_of(plan, self.run_id, attempt)
        aggregator = Aggregator(roster, terms, self.consortium.key, now=hub.now(), chain=self.chain)
        session = await hub.open_session(
            self.run_id, aggregator, self.consortium.homes, persist=self._persist, observe=self._observe
        )
        await session.ready()
        action = build_recipe(plan).next()
        assert isinstance(action, Aggregate)
        task = action.task
        try:
            stated = charge_of(plan, task) if charge is None else charge
            return await session.round(task.to_bytes(), b"", task.length, stated)
        finally:
            await session.close("the test has its sum")

    def _persist(self, event: Persist) -> None:
        if event.kind in {"receipt", "abort"}:
            self.chain.append(event.data)

    def _observe(self, event: AggregatorEvent) -> None:
        if isinstance(event, MemberDropped):
            self.dropped.append(event)
