"""What a Task charges to an organisation's privacy ledger, as bytes that a receipt can carry (protocol 4.7)."""

from typing import assert_never

from headwater.agreement.plan import Plan
from headwater.canonical import canonical_json
from headwater.recipe.task import Task

__all__ = ["charge_of", "possible_charges"]


def charge_of(plan: Plan, task: Task) -> bytes:
    """The charge of one Task of a plan, in its one canonical form.

    Coordinator and organisation each compute it from the documents that they hold; the organisation refuses a round
    that states another. The receipt of the round carries the same bytes.

    Args:
        plan: as approved.
        task: of the round.

    Returns:
        Canonical JSON; `{"mechanism":"none"}` for a plan without differential privacy, whatever the Task.
    """
    match plan.privacy:
        case "none":
            return canonical_json({"mechanism": "none"})
        case _:
            assert_never(plan.privacy)


def possible_charges(plan: Plan) -> frozenset[bytes]:
    """Every charge that a round of a plan may state, for whoever holds a receipt and no longer its Task."""
    match plan.privacy:
        case "none":
            return frozenset({canonical_json({"mechanism": "none"})})
        case _:
            assert_never(plan.privacy)
