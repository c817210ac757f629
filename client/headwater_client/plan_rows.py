"""An organisation's rows as a plan has them: of its schema, and no more of each person than its budget pays for."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from headwater.agreement.plan import Plan
from headwater.contribution.canaries import CanarySeed, plant_canaries, with_canaries
from headwater.contribution.entities import clip_entities
from headwater.errors import InputError
from headwater.privacy.budget import Budget
from headwater.schema.conform import Problem, check, load_table
from headwater.schema.table import Table
from headwater_client.connectors import EntityRows, RowSource

__all__ = ["PlanRows", "read_rows"]


@dataclass(frozen=True)
class PlanRows:
    """Rows as they were read for a plan."""

    plan: Plan
    arrow: pa.Table = field(repr=False)
    entities: pa.ChunkedArray | None = field(default=None, repr=False)

    @cached_property
    def conformed(self) -> Table:
        """All that were read, as the plan's schema has them.

        Raises:
            InputError: they do not hold to it.
        """
        return load_table(self.arrow, self.plan.schema_)

    def only(self, kept: NDArray[np.bool_]) -> "PlanRows":
        """Some of them, in their order.

        Args:
            kept: bool, shape (rows,).
        """
        mask = pa.array(kept)
        entities = None if self.entities is None else self.entities.filter(mask)
        return PlanRows(self.plan, self.arrow.filter(mask), entities)

    def problems(self) -> tuple[Problem, ...]:
        """Everything in which they depart from the plan's schema."""
        return check(self.arrow, self.plan.schema_)

    def table(self, seed: CanarySeed | None = None) -> Table:
        """The rows that take part.

        Args:
            seed: of the canaries that are planted among them; None plants none.

        Raises:
            InputError: they do not hold to the schema, or are more than the budget's public bound; or the schema has
                no room for the canaries.
        """
        table, budget = self.conformed, self.plan.privacy
        if isinstance(budget, Budget) and self.entities is not None:
            table = clip_entities(table, self.entities, budget.records)
        if seed is not None:
            # A canary is a person of its own and comes with no more records than are counted of one.
            table = with_canaries(table, plant_canaries(table, self.plan, seed))
        if not isinstance(budget, Budget):
            return table
        if table.rows > budget.most_rows:
            raise InputError(
                f"there are more rows here than the {budget.most_rows:,} that plan {self.plan.name} says all "
                "organisations have at most, which its δ is chosen by; ask the operator for a plan with a larger bound"
            )
        return table


def read_rows(source: RowSource, plan: Plan) -> PlanRows:
    """Read an organisation's rows for a plan.

    Raises:
        InputError: they cannot be read, or the plan protects persons and nothing says whose each row is.
    """
    if plan.privacy == "none" or plan.privacy.unit == "record":
        return PlanRows(plan, source.read(plan.schema_))
    if not isinstance(source, EntityRows):
        raise InputError(
            f"plan {plan.name} protects persons with at most {plan.privacy.records} records each, and nothing says "
            "whose each row is; name the column: headwater-org serve --entity COLUMN"
        )
    return PlanRows(plan, *source.read_with_entities(plan.schema_))
