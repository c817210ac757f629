"""An organisation's canaries under a plan: among its training rows, and in no other part."""

from dataclasses import dataclass, field

import numpy as np

from headwater.audit.canaries.commitment import CanarySecret, verify_commitment
from headwater.audit.canaries.planting import RUNGS, Planting, plant, share_of
from headwater.contribution.splits import row_positions, split_rows
from headwater.errors import InputError, PeerError
from headwater.evidence.planted import Planted
from headwater.privacy.budget import Budget
from headwater.recipe.settings import RecipeTerms
from headwater.schema import BooleanColumn, CategoricalColumn, Column
from headwater.schema.finite import finite_part
from headwater.schema.table import Table

__all__ = ["CanarySeed", "PlantedTable", "canaries_of", "opened_canaries", "plant_canaries", "with_canaries"]


@dataclass(frozen=True, slots=True)
class CanarySeed:
    """What an organisation's canaries follow from, beside plan and rows.

    Attributes:
        secret: 32 bytes that the organisation committed to.
        run_id: of the run.
        members: organisations in the charter.
    """

    secret: bytes = field(repr=False)
    run_id: str
    members: int


@dataclass(frozen=True)
class PlantedTable(Table):
    """Rows as they take part in a run, canaries among them.

    Attributes:
        own: the rows without canaries, which an audit takes for people.
        planted: the canaries.
    """

    own: Table = field(kw_only=True, repr=False)
    planted: Planted = field(kw_only=True, repr=False)


def canaries_of(plan: RecipeTerms, members: int) -> int:
    """How many canaries a plan has each organisation derive; 0 where it plants none.

    Args:
        plan: as proposed.
        members: organisations in the charter.
    """
    return 0 if plan.audit == "none" else share_of(plan.audit.settings.canaries, members)


def plant_canaries(rows: Table, plan: RecipeTerms, seed: CanarySeed) -> Planted | None:
    """Derive the canaries of an organisation in a run; None where the plan has none.

    Under a budget they follow from schema and secret alone. Else each one would have several people in it, whom the
    budget counts once: without a person the canaries would be others too.

    Args:
        rows: all of the organisation's rows, conformed to the plan's schema, without canaries.
        plan: as approved.
        seed: of this organisation in this run.

    Raises:
        InputError: the schema has no place for canaries, or for so many different ones.

    Guarantee: every canary stands in the training part by its own values, whether it is planted or not; so validation
        and audit rows are the same with and without canaries, and no step has to know which rows are canaries.
    """
    count = canaries_of(plan, seed.members)
    if not count:
        return None
    budget = plan.privacy if isinstance(plan.privacy, Budget) else None
    # Taken away here already, so that nothing behind can look at a row under a budget.
    own = finite_part(split_rows(rows, plan.splits, "train")) if budget is None else rows.take(np.arange(0))
    planting = Planting(
        secret=seed.secret,
        run_id=seed.run_id,
        count=count,
        public=budget is not None,
        most_copies=budget.records if budget is not None and budget.unit == "entity" else max(RUNGS),
        train_from=plan.splits.audit + plan.splits.validation,
    )
    return plant(planting, own, row_positions)


def opened_canaries(
    plan: RecipeTerms, opened: CanarySecret, *, run_id: str, member: str, members: int, commitment: str
) -> Planted:
    """The canaries of an organisation that opened its commitment, for whoever has no row: under a budget alone.

    There they follow from schema and secret, so what they show of a release says nothing of rows but what the release
    does: it is free, and everybody can compute it again.

    Args:
        plan: of the run, with a budget and canaries.
        opened: secret and salt, shown after the last sum of the run.
        run_id: of the run.
        member: the organisation's id.
        members: organisations in the charter.
        commitment: of its signed approval.

    Raises:
        PeerError: the secret is not the one that was committed to.
        InputError: the plan has no canaries, or no budget, so that they are mixed from rows.
    """
    if not verify_commitment(opened, run_id, member, commitment):
        raise PeerError(f"{member!r} opened another secret than the one it committed to; its canaries do not count")
    if not isinstance(plan.privacy, Budget):
        raise InputError("without a privacy budget canaries are mixed from rows; only their organisation has them")
    nothing = {column.name: np.zeros(0, _type_of(column)) for column in plan.schema_.columns}
    planted = plant_canaries(Table(plan.schema_, nothing, 0), plan, CanarySeed(opened.secret, run_id, members))
    if planted is None:
        raise InputError("the plan plants no canaries; there is nothing to open")
    return planted


def with_canaries(rows: Table, planted: Planted | None) -> Table:
    """An organisation's rows as they take part in a run: its own, then the planted copies.

    Args:
        rows: own rows, as many of each person as a budget counts.
        planted: None where nothing is planted.

    Raises:
        InputError: the canaries are of another schema.

    Guarantee: a canary is a person of its own, with no more records than the budget counts of one.
    """
    if planted is None:
        return rows
    if planted.rows.schema.digest != rows.schema.digest:
        raise InputError("the canaries are of another schema than the rows; plant them anew for this plan")
    both = Table.concat([rows, planted.training_rows])
    return PlantedTable(both.schema, both.columns, both.rows, own=rows, planted=planted)


def _type_of(column: Column) -> type[np.generic]:
    return np.int32 if isinstance(column, CategoricalColumn | BooleanColumn) else np.float64
