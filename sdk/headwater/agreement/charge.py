"""What a Task charges to an organisation's privacy ledger, as bytes that a receipt can carry (protocol 4.7)."""

from headwater.agreement.plan import Plan
from headwater.errors import InputError
from headwater.privacy.events import NoisyCounts, read_charge, write_charge
from headwater.recipe.private_steps import private_steps, reserve_events
from headwater.recipe.task import Task

__all__ = ["charge_of", "dearest_charge", "plan_events", "possible_charges"]


def charge_of(plan: Plan, task: Task) -> bytes:
    """The charge of one Task of a plan, in its one canonical form.

    Coordinator and organisation each compute it from the documents that they hold; the organisation refuses a round
    that states another. The receipt of the round carries the same bytes.

    Args:
        plan: as approved.
        task: of the round.

    Returns:
        Canonical JSON: the event's document; `{"mechanism":"none"}` for a plan without differential privacy, whatever
        the Task.

    Raises:
        InputError: the Task has no noise under a plan with a budget.
    """
    if plan.privacy == "none":
        return _NOTHING
    if task.noise == "none":
        raise InputError("a task without noise has no charge under a privacy budget; it must not be asked")
    event = NoisyCounts(task.noise.variance, task.noise.tables, plan.privacy.records)
    return write_charge(event)


def plan_events(plan: Plan) -> tuple[NoisyCounts, ...]:
    """Everything that a run of a plan may charge at most, aborted sums that its budget pays for included.

    Returns:
        Nothing for a plan without differential privacy, whose cost no number bounds.

    Guarantee: `headwater.privacy.accountant.spent` of them is at most the budget's ε at its δ.
    """
    if plan.privacy == "none":
        return ()
    return (*(step.event for step in private_steps(plan)), *reserve_events(plan))


def possible_charges(plan: Plan) -> frozenset[bytes]:
    """Every charge that a round of a plan may state, for whoever holds a receipt and no longer its Task."""
    if plan.privacy == "none":
        return frozenset({_NOTHING})
    # A round may ask for fewer tables than the plan pays for.
    return frozenset(
        write_charge(NoisyCounts(step.event.variance, tables, step.event.records))
        for step in private_steps(plan)
        for tables in range(1, step.event.tables + 1)
    )


def dearest_charge(plan: Plan) -> bytes:
    """The possible charge that costs most, for a round of which nothing is known but that it was uploaded."""

    def cost(charge: bytes) -> float:
        event = read_charge(charge)
        return 0.0 if event is None else event.zcdp

    return max(sorted(possible_charges(plan)), key=cost)


_NOTHING = write_charge(None)
