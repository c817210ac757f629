"""One record more moves what is released by no more than ε says: an outlier, a category's only row (privacy.md 9, 11).

Each test plays the first round many times with fresh noise, with and without one record, and compares how often an
event of the released encoding happens. It would fail if anything but noisy sums reached the encoding.
"""

import math

import numpy as np
import pytest

from headwater.encoding.encoding import Encoding
from headwater.privacy.accountant import spent
from headwater.recipe.machine import build_recipe
from headwater.recipe.private_steps import private_steps
from headwater.schema.table import Table
from support.private import clear_sum, first_task, private_plan
from support.recipes import SCHEMA, small_table

PLAN = private_plan(1.0)
PARTS = [small_table(400, seed=seed) for seed in range(3)]
PLAYS = 300


def with_row(**values: float) -> list[Table]:
    """The organisations' rows with one more at the first; it trains whatever its values."""
    first = PARTS[0]
    row = first.take(np.arange(1))
    columns = {
        name: np.full_like(row.columns[name], values[name]) if name in values else row.columns[name]
        for name in SCHEMA.names
    }
    return [Table.concat([first, Table(SCHEMA, columns, 1)]), *PARTS[1:]]


def encoding_of(parts: list[Table]) -> Encoding:
    recipe = build_recipe(PLAN)
    recipe.add_sum(clear_sum(first_task(PLAN), PLAN, parts), len(parts))
    action = recipe.next()
    return Encoding.from_document(PLAN.schema_, action.task.parameters["encoding"])  # type: ignore[union-attr]


def stands_alone(encoding: Encoding, column: str, value: float) -> bool:
    codes = encoding.columns[SCHEMA.names.index(column)]
    cell = int(codes.grid.locate(np.array([value]))[0])
    return bool((codes.code_of_cell == codes.code_of_cell[cell]).sum() == 1)


@pytest.mark.parametrize(("column", "value"), [("income", 1e6), ("age", 120.0)])
def test_an_outlier_hardly_changes_the_codes_that_are_released(column: str, value: float) -> None:
    plain = sum(stands_alone(encoding_of(PARTS), column, value) for _ in range(PLAYS)) / PLAYS
    more = sum(stands_alone(encoding_of(with_row(**{column: value})), column, value) for _ in range(PLAYS)) / PLAYS
    step = spent([private_steps(PLAN)[0].event], 1e-6)
    # Six standard deviations of two shares of so many plays.
    error = 6 * math.sqrt((plain * (1 - plain) + more * (1 - more) + 2 / PLAYS) / PLAYS)
    assert more <= math.exp(step.epsilon) * plain + 1e-6 + error
    assert plain <= math.exp(step.epsilon) * more + 1e-6 + error
    assert abs(more - plain) < 0.25


def test_equal_noise_hides_nothing_so_the_test_above_can_fail() -> None:
    one = clear_sum(first_task(PLAN), PLAN, PARTS, seed=5)
    other = clear_sum(first_task(PLAN), PLAN, with_row(income=1e6), seed=5)
    changed = np.flatnonzero(one != other)
    # The row stands in one cell of each feature's table, and nowhere else.
    assert len(changed) == len(SCHEMA.columns) - 1
