"""What a simulation's sums cost of its budget, replayed from what was asked, as its result says it."""

import json
from collections.abc import Sequence
from typing import Literal

from headwater.agreement.charge import charge_of
from headwater.agreement.plan import Plan
from headwater.privacy.accountant import spent
from headwater.privacy.events import event_of
from headwater.privacy.words import SCHEMA_FROM_ROWS, guarantee_in_words, rounded_up
from headwater.recipe.task import Task

__all__ = ["spending"]


def spending(plan: Plan, asked: Sequence[Task], *, schema_from_rows: bool) -> Literal["none"] | dict[str, object]:
    """The entry "privacy" of a result.

    Args:
        plan: of the run.
        asked: every task that was summed, in order.
        schema_from_rows: whether bounds and categories were read from the rows.

    Returns:
        "none", or, by the names that a run's claim has for them: "epsilon" (spent, rounded up), what it means nothing
        without, "budget_epsilon" and "events" (each as a ledger is charged it); beside them "rho", "schema" ("given",
        or that it was read from the rows) and "words".
    """
    if plan.privacy == "none":
        return "none"
    events = [json.loads(charge_of(plan, task)) for task in asked]
    cost = spent([event_of(event) for event in events], plan.privacy.delta)
    return {
        **plan.privacy.model_dump(mode="json"),
        "epsilon": rounded_up(cost.epsilon),
        "budget_epsilon": plan.privacy.epsilon,
        "rho": cost.rho,
        "events": events,
        "schema": SCHEMA_FROM_ROWS if schema_from_rows else "given",
        "words": guarantee_in_words(cost.epsilon, plan.privacy),
    }
