"""One record more moves what is released by no more than ε says: an outlier, a category's only row (privacy.md 9, 11).

Tests play the first round, or a whole run, many times with fresh noise, with and without one record, and compare how
often an event of the released encoding or generator happens. They would fail if anything but noisy sums reached these.
"""

import math

import numpy as np
import pytest

from headwater.agreement.charge import plan_events
from headwater.contribution.execution import sample_table
from headwater.encoding.encoding import Encoding
from headwater.privacy.accountant import spent
from headwater.recipe.machine import build_recipe
from headwater.recipe.private_steps import private_steps
from headwater.schema.table import Table
from support.private import clear_sum, first_task, followed, private_plan
from support.recipes import SCHEMA, small_table

PLAN = private_plan(1.0)
PARTS = [small_table(400, seed=seed) for seed in range(3)]
PLAYS = 150
RUNS = 40
"""Whole ones."""


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


@pytest.fixture(name="plain_encodings", scope="module")
def fixture_plain_encodings() -> list[Encoding]:
    return [encoding_of(PARTS) for _ in range(PLAYS)]


def stands_alone(encoding: Encoding, column: str, value: float) -> bool:
    codes = encoding.columns[SCHEMA.names.index(column)]
    cell = int(codes.grid.locate(np.array([value]))[0])
    return bool((codes.code_of_cell == codes.code_of_cell[cell]).sum() == 1)


@pytest.mark.parametrize(("column", "value"), [("income", 1e6), ("age", 120.0)])
def test_an_outlier_hardly_changes_the_codes_that_are_released(
    plain_encodings: list[Encoding], column: str, value: float
) -> None:
    plain = sum(stands_alone(encoding, column, value) for encoding in plain_encodings) / PLAYS
    more = sum(stands_alone(encoding_of(with_row(**{column: value})), column, value) for _ in range(PLAYS)) / PLAYS
    step = spent([private_steps(PLAN)[0].event], 1e-6)
    # Six standard deviations of two shares of so many plays.
    error = 6 * math.sqrt((plain * (1 - plain) + more * (1 - more) + 2 / PLAYS) / PLAYS)
    assert more <= math.exp(step.epsilon) * plain + 1e-6 + error
    assert plain <= math.exp(step.epsilon) * more + 1e-6 + error
    assert abs(more - plain) < 0.25


def share_drawn(parts: list[Table], category: int) -> float:
    """What share of rows the released generator of a whole run draws in a category of `floor`."""
    _, done = followed(PLAN, parts)
    drawn = sample_table(done.model, done.encoding, 4000, 1)
    return float((drawn.columns["floor"] == category).mean())


def test_a_category_that_one_record_alone_has_hardly_changes_what_is_released() -> None:
    nobody = [
        Table(SCHEMA, {**rows.columns, "floor": np.minimum(rows.columns["floor"], 1)}, rows.rows) for rows in PARTS
    ]
    first = nobody[0].take(np.arange(1))
    new = Table(SCHEMA, {**first.columns, "floor": np.full(1, 2, np.int32)}, 1)
    somebody = [Table.concat([nobody[0], new]), *nobody[1:]]
    without = [share_drawn(nobody, 2) for _ in range(RUNS)]
    with_it = [share_drawn(somebody, 2) for _ in range(RUNS)]
    middle = float(np.median(without + with_it))
    plain, more = (sum(share > middle for share in shares) / RUNS for shares in (without, with_it))
    error = 6 * math.sqrt((plain * (1 - plain) + more * (1 - more) + 2 / RUNS) / RUNS)
    assert more <= math.exp(spent(plan_events(PLAN), 1e-6).epsilon) * plain + 1e-6 + error
    assert abs(more - plain) < 0.5


def test_equal_noise_hides_nothing_so_the_test_above_can_fail() -> None:
    one = clear_sum(first_task(PLAN), PLAN, PARTS, seed=5)
    other = clear_sum(first_task(PLAN), PLAN, with_row(income=1e6), seed=5)
    changed = np.flatnonzero(one != other)
    # The row stands in one cell of each feature's table, and nowhere else.
    assert len(changed) == len(SCHEMA.columns) - 1
