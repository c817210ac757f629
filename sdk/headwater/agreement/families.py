"""Which family of sums a Task belongs to: read alike by every organisation, from plan, run and charter (protocol 4.10).

A family is named after the member's data set, not after its rows: rows that were added since are the same table, and
a digest of them would make every evening a new family.
"""

from typing import assert_never

from headwater.agreement.plan import Plan
from headwater.recipe.task import TaskKind
from headwater.secagg.protocol.families import Family

__all__ = ["COUNTED_SPLIT", "families_of_run", "family_of"]

COUNTED_SPLIT = "train"
"""The rows that today's Tasks of counts read; a Task over others alone would name its own family.

Gradients under a budget read the same rows. Expectation and evaluation read validation rows beside them, in
histograms, and an audit those that are kept for it: all are held to the same cohort, for ever.
"""


def family_of(kind: TaskKind, data_set: str, run_id: str) -> Family:
    """The family of a Task's sum.

    All counts on one table and split are one family over all runs: a 1-way count over one cohort and a 2-way count
    over another share their margins, so their difference tells the members between them. The updates of one run are
    one family. Neither bears another cohort, however many members it differs by: a coordinator asks T members alone
    to confirm a sum, others for each, so that of four sums or more nobody need have seen all, and a rule that bears
    some differences then bears combinations that show one member. Any two quorums share an honest member, which is
    enough where there is one cohort.

    Args:
        kind: of the Task.
        data_set: the member's table, by its name in the charter.
        run_id: 32 hexadecimal digits.

    Source: protocol 4.10 iii.
    """
    match kind:
        case "pixels" | "histograms" | "marginals" | "expectation" | "evaluate" | "gradient" | "audit":
            return Family(f"counts/{data_set}/{COUNTED_SPLIT}", None)
        case "update":
            return Family(f"updates/{data_set}/{run_id}", None)
        case _:
            assert_never(kind)


def families_of_run(plan: Plan, data_set: str, run_id: str) -> tuple[Family, ...]:
    """Every family that a run of a plan may touch.

    Those of a plan that says `continue` too: what was summed under `strict` stays bound in such a run, for it is the
    others' refusal that keeps a member's vector from being had by subtraction.
    """
    kinds: tuple[TaskKind, ...] = (
        "pixels",
        "histograms",
        "marginals",
        "expectation",
        "evaluate",
        "gradient",
        "audit",
        "update",
    )
    asked = kinds if plan.recipe.training_rounds else kinds[:-1]
    return tuple(dict.fromkeys(family_of(kind, data_set, run_id) for kind in asked))
