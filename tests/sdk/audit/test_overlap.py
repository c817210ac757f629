"""A holdout that was held out, and one that was not."""

import numpy as np
import pytest

from headwater.audit.overlap import REFUSED_BELOW, measure_overlap, refuse_overlap
from headwater.errors import InputError
from headwater.schema import CategoricalColumn, NumericColumn, Schema
from headwater.schema.table import Table

SCHEMA = Schema(
    name="people",
    columns=(
        NumericColumn(name="age", lower=0, upper=99, integer=True, missing=True),
        NumericColumn(name="hours", lower=0, upper=99, integer=True),
        NumericColumn(name="pay", lower=0, upper=1e6, integer=True),
        CategoricalColumn(name="ward", categories=tuple("abcdefgh")),
        CategoricalColumn(name="sex", categories=("f", "m"), missing=True),
    ),
)


def people(rows: int, random: np.random.Generator) -> Table:
    """Crowded in the middle, where rows repeat by themselves, and thin at the ends."""
    age = np.clip(np.rint(random.normal(45, 14, rows)), 0, 99)
    age[random.random(rows) < 0.03] = np.nan
    hours = np.where(random.random(rows) < 0.6, 40.0, np.clip(np.rint(random.normal(38, 12, rows)), 0, 99))
    pay = np.minimum(np.rint(random.lognormal(2, 1.2, rows)), 1e6)
    ward = np.minimum(random.geometric(0.4, rows) - 1, 7).astype(np.int32)
    sex = random.integers(-1, 2, rows).astype(np.int32)
    return Table(SCHEMA, {"age": age, "hours": hours, "pay": pay, "ward": ward, "sex": sex}, rows)


def split(table: Table, random: np.random.Generator) -> tuple[Table, Table]:
    order = random.permutation(table.rows)
    return table.take(order[: table.rows * 4 // 5]), table.take(order[table.rows * 4 // 5 :])


def test_p_values_of_splits_by_chance_are_not_small_more_often_than_they_say() -> None:
    # 100 splits: more than 13 of them below .05 come by a chance of 1 in 2,000; any below REFUSED_BELOW / 10, 1 in 100.
    found = []
    for seed in range(100):
        random = np.random.default_rng(seed)
        found.append(measure_overlap(*split(people(4000, random), random)).p_value)
    assert sum(p < 0.05 for p in found) <= 13
    assert min(found) > REFUSED_BELOW / 10


def test_natural_duplicates_are_counted_and_accepted() -> None:
    random = np.random.default_rng(1)
    train, holdout = split(people(20_000, random), random)
    overlap = refuse_overlap(train, holdout)
    rows = {tuple(row) for row in zip(*(map(repr, train.columns[name].tolist()) for name in SCHEMA.names), strict=True)}
    held = zip(*(map(repr, holdout.columns[name].tolist()) for name in SCHEMA.names), strict=True)
    assert overlap.shared == sum(tuple(row) in rows for row in held) > 100
    assert overlap.expected == pytest.approx(overlap.shared, rel=0.2)
    assert f"{overlap.shared:,} holdout rows equal" in overlap.in_words()


def test_a_part_of_the_training_rows_in_the_holdout_is_refused_in_one_line() -> None:
    random = np.random.default_rng(2)
    train, holdout = split(people(20_000, random), random)
    planted = Table.concat([holdout, train.take(random.choice(train.rows, 400, replace=False))])
    with pytest.raises(InputError, match="was not held out") as refused:
        refuse_overlap(train, planted)
    assert "\n" not in str(refused.value)
    assert "split the real rows again" in str(refused.value)


def test_rows_that_stand_alone_betray_few_copies_among_many_natural_duplicates() -> None:
    # 60 copies among hundreds of natural ones are within the spread of all rows, not of those that stand alone.
    random = np.random.default_rng(3)
    train, holdout = split(people(20_000, random), random)
    planted = Table.concat([holdout, train.take(random.choice(train.rows, 60, replace=False))])
    assert measure_overlap(train, holdout).p_value > 0.01
    assert measure_overlap(train, planted).p_value < REFUSED_BELOW


def test_the_same_file_twice_is_refused() -> None:
    table = people(300, np.random.default_rng(4))
    with pytest.raises(InputError, match="was not held out"):
        refuse_overlap(table, table)


def test_rows_without_any_repeat_say_nothing_against_the_holdout() -> None:
    table = people(400, np.random.default_rng(5))
    columns = dict(table.columns) | {
        "age": np.arange(400.0) % 100,
        "hours": np.arange(400.0) // 100,
        "pay": np.zeros(400),
    }
    unique = Table(SCHEMA, columns, 400)
    overlap = refuse_overlap(unique.take(np.arange(300)), unique.take(np.arange(300, 400)))
    assert (overlap.shared, overlap.expected, overlap.p_value) == (0, 0.0, 1.0)


def test_training_rows_that_were_doubled_are_no_fault_of_the_holdout() -> None:
    random = np.random.default_rng(6)
    train, holdout = split(people(3000, random), random)
    assert refuse_overlap(Table.concat([train, train]), holdout).p_value > 0.5


def test_tables_of_two_schemas_are_refused() -> None:
    table = people(10, np.random.default_rng(7))
    other = Table(SCHEMA.model_copy(update={"name": "others"}), table.columns, 10)
    with pytest.raises(InputError, match="different schemas"):
        measure_overlap(table, other)
