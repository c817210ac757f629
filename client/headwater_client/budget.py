"""The organisation's own limit on what all runs together may cost its records: plans and rounds are held to it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from headwater.agreement.charge import plan_events
from headwater.agreement.ledger import Charge, LedgerEntry, events_of
from headwater.agreement.plan import Plan
from headwater.errors import BudgetExceeded, PeerError
from headwater.privacy.accountant import beyond, spent
from headwater.privacy.events import Event, NoisyCounts, NoisyGradients
from headwater.privacy.words import rounded_up

__all__ = ["DEFAULT_DELTA", "OwnLimit", "check_round", "cost_in_words", "plan_problems"]

DEFAULT_DELTA = 1e-6


@dataclass(frozen=True, slots=True)
class OwnLimit:
    """What all runs here may come to together, whoever proposed them.

    Attributes:
        epsilon: at most; None for no limit but those of the plans that are approved.
        delta: at which ε is read off the ledger.
        non_private_runs: whether runs without differential privacy, which no ε bounds, are let through.
        disjoint_data_sets: the organisation declares that nobody is in two of its data sets, so that each is held to
            `epsilon` by itself; else all count together.
    """

    epsilon: float | None = None
    delta: float = DEFAULT_DELTA
    non_private_runs: bool = True
    disjoint_data_sets: bool = False

    def counted(
        self, entries: Iterable[LedgerEntry], data_set: str, *, but_run: str | None = None
    ) -> tuple[Event, ...]:
        """What counts together with a charge to a data set.

        Args:
            entries: of the ledger.
            data_set: by its name in the charter.
            but_run: a run that is left out.
        """
        return events_of(entries, data_set if self.disjoint_data_sets else None, but_run=but_run)


def plan_problems(plan: Plan, charged: Sequence[Event], limit: OwnLimit) -> tuple[str, ...]:
    """Why a run of a plan would exceed the organisation's own limit; nothing if it would not.

    Args:
        plan: as proposed; all that it may charge counts, before anything runs.
        charged: what all other runs charged that counts together with it.
        limit: the organisation's own.
    """
    events = plan_events(plan)
    if not events:
        if limit.non_private_runs:
            return ()
        return (
            "the plan is NOT DIFFERENTIALLY PRIVATE, so no ε bounds it, and this organisation lets no such run through "
            "(non_private_runs)",
        )
    if limit.epsilon is None:
        return ()
    found = beyond([*charged, *events], limit.epsilon, limit.delta)
    if found is None:
        return ()
    before = f", with what other runs were charged in its ledger ({_rounds(len(charged))})," if charged else ""
    return (
        f"the plan{before} would come to ε = {rounded_up(found):g} at δ = {limit.delta:g}, this organisation's "
        f"limit is {limit.epsilon:g} (maximum_epsilon)",
    )


def _rounds(count: int) -> str:
    return "1 round" if count == 1 else f"{count} rounds"


def cost_in_words(plan: Plan, charged: Sequence[Event], limit: OwnLimit) -> str:
    """What a run would cost the records here, alone and with all other runs, in one sentence.

    Args:
        plan: as proposed.
        charged: what all other runs charged that counts together with it.
        limit: the organisation's own.
    """
    own = "you set no limit of your own" if limit.epsilon is None else f"your own limit is {limit.epsilon:g}"
    events = plan_events(plan)
    before = spent(charged, limit.delta).epsilon
    if not events:
        return (
            "no ε bounds what this run gives away; all private runs together come to "
            f"ε = {rounded_up(before):g} at δ = {limit.delta:g}, {own}"
        )
    alone, together = (spent(each, limit.delta).epsilon for each in (events, [*charged, *events]))
    return (
        f"at most ε = {rounded_up(alone):g} for this run, {rounded_up(before):g} for those before and "
        f"{rounded_up(together):g} for all together, at δ = {limit.delta:g}; {own}"
    )


def check_round(
    entries: Sequence[LedgerEntry],
    charge: Charge,
    limit: OwnLimit,
    budget: tuple[float, float] | None = None,
    planned: Sequence[Event] = (),
) -> None:
    """Hold one more charge to the plan's budget and the organisation's limit, before anything is charged.

    Args:
        entries: the ledger so far.
        charge: the next one.
        limit: the organisation's own.
        budget: (ε, δ) of the run's plan; None for a plan without differential privacy.
        planned: everything that a run of the plan may charge.

    Raises:
        PeerError: the coordinator asks for more than the plan's budget pays for.
        BudgetExceeded: the ledger would be beyond the organisation's limit.
    """
    event = charge.event
    if event is None:
        return
    own = [*events_of(entries, charge.data_set, run=charge.run_id), event]
    if budget is not None:
        epsilon, delta = budget
        found = _beyond(own, planned, (), epsilon, delta)
        if found is not None:
            raise PeerError(
                f"round {charge.round} would take run {charge.run_id} to ε = {rounded_up(found):g} at δ = {delta:g}, "
                f"its plan's budget is {epsilon:g}; nothing was charged"
            )
    if limit.epsilon is None:
        return
    ours = events_of(entries, charge.data_set if limit.disjoint_data_sets else None, run=charge.run_id)
    others = limit.counted(entries, charge.data_set, but_run=charge.run_id)
    found = _beyond([*ours, event], planned, others, limit.epsilon, limit.delta)
    if found is not None:
        raise BudgetExceeded(
            f"run {charge.run_id} would take the ledger of {_of_what(charge, limit)} to ε = "
            f"{rounded_up(found):g} at δ = {limit.delta:g}, this organisation's limit is {limit.epsilon:g}; nothing "
            "was charged, refuse the run or raise maximum_epsilon in policy.toml"
        )


def _of_what(charge: Charge, limit: OwnLimit) -> str:
    return f"data set {charge.data_set!r}" if limit.disjoint_data_sets else "all data sets together"


def _beyond(
    own: Sequence[Event], planned: Sequence[Event], others: Sequence[Event], epsilon: float, delta: float
) -> float | None:
    """What a run's charges come to with those of other runs, if that is more than a limit; None if it is not.

    A run of hundreds of rounds is not accounted for anew in each: as long as its charges are among those of its plan,
    all of the plan's within the limit are proof enough, for less was released.
    """
    if planned and _among(own, planned) and _within((*others, *planned), epsilon, delta):
        return None
    return beyond([*others, *own], epsilon, delta)


def _among(own: Sequence[Event], planned: Sequence[Event]) -> bool:
    """Whether some charges are part of a plan's, each table and each sum of gradients by itself."""
    return not (_singly(own) - _singly(planned))


def _singly(events: Sequence[Event]) -> Counter[Event]:
    found = Counter[Event]()
    for event in events:
        match event:
            case NoisyCounts():
                found[replace(event, tables=1)] += event.tables
            case NoisyGradients():
                found[replace(event, steps=1)] += event.steps
    return found


@lru_cache(maxsize=16)
def _within(events: tuple[Event, ...], epsilon: float, delta: float) -> bool:
    return beyond(events, epsilon, delta) is None
