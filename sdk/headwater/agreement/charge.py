"""What a Task charges to an organisation's privacy ledger, as bytes that a receipt can carry (protocol 4.7)."""

from functools import lru_cache

from headwater.agreement.plan import Plan
from headwater.errors import InputError
from headwater.privacy.accountant import spent
from headwater.privacy.events import Event, NoisyCounts, NoisyGradients, write_charge
from headwater.recipe.private_steps import critic_event, private_rounds, private_steps, reserve_events
from headwater.recipe.task import GradientNoise, Task

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
    noise, records = task.noise, plan.privacy.records
    if isinstance(noise, GradientNoise):
        return write_charge(NoisyGradients(noise.variance, noise.sensitivity, noise.rate, 1, records))
    return write_charge(NoisyCounts(noise.variance, noise.tables, records))


def plan_events(plan: Plan) -> tuple[Event, ...]:
    """Everything that a run of a plan may charge at most, aborted sums that its budget pays for included.

    Returns:
        Nothing for a plan without differential privacy, whose cost no number bounds.

    Guarantee: `headwater.privacy.accountant.spent` of them is at most the budget's ε at its δ.
    """
    if plan.privacy == "none":
        return ()
    gradients = critic_event(plan)
    critic = () if gradients is None else (gradients,)
    return (*(step.event for step in private_steps(plan)), *critic, *reserve_events(plan))


def possible_charges(plan: Plan) -> frozenset[bytes]:
    """Every charge that a round of a plan may state, for whoever holds a receipt and no longer its Task."""
    if plan.privacy == "none":
        return frozenset({_NOTHING})
    # A round may ask for fewer tables than the plan pays for.
    counts = frozenset(
        write_charge(NoisyCounts(step.event.variance, tables, step.event.records))
        for step in private_steps(plan)
        for tables in range(1, step.event.tables + 1)
    )
    return counts | {write_charge(each.event) for each in private_rounds(plan)}


def dearest_charge(plan: Plan) -> bytes:
    """The possible charge that costs most, for a round of which nothing is known but that it was uploaded."""

    if plan.privacy == "none":
        return _NOTHING
    events = dict.fromkeys(each.event for each in private_rounds(plan))
    return _dearest(tuple(events), plan.privacy.delta)


@lru_cache(maxsize=64)
def _dearest(events: tuple[Event, ...], delta: float) -> bytes:
    # By the accountant: arithmetic alone takes a sample for the whole table.
    return write_charge(max(events, key=lambda event: spent([event], delta).epsilon))


_NOTHING = write_charge(None)
