"""Tables that break fits: a named outcome or a whole table, never a NaN where the schema allows none."""

import numpy as np
import pytest

from headwater.agreement.plan import AggregationTerms, Plan
from headwater.contribution.contribute import contribute
from headwater.contribution.execution import sample_table
from headwater.encoding.encoding import Encoding
from headwater.encoding.grid import Histograms
from headwater.encoding.settings import EncodingSettings
from headwater.errors import InputError
from headwater.mixture.scores import choose_score_columns
from headwater.recipe import Aggregate, Done, build_recipe
from headwater.recipe.settings import RecipeSettings
from headwater.schema import CategoricalColumn, Column, NumericColumn, Schema
from headwater.schema.table import Table
from support.mixtures import SETTINGS


def plan_of(*columns: Column) -> Plan:
    return Plan(
        name="hard",
        schema=Schema(name="hard", columns=columns),
        recipe=RecipeSettings(kind="mixture", mixture=SETTINGS),
        aggregation=AggregationTerms(on_membership_change="strict"),
        privacy="none",
        stub_sha256="0" * 64,
    )


def fitted(plan: Plan, parts: list[Table]) -> Table:
    """The run's rows, from the organisations' parts; no number on the way is anything but finite."""
    recipe = build_recipe(plan)
    with np.errstate(all="raise", under="ignore"):
        while not isinstance(action := recipe.next(), Done):
            assert isinstance(action, Aggregate)
            total = np.zeros(action.task.length, np.uint32)
            for part in parts:
                total += contribute(action.task, action.model, part, plan)
            recipe.add_sum(total, len(parts))
        for record in recipe.history:
            assert all(np.isfinite(value) for value in record.values() if isinstance(value, float))
        return sample_table(action.model, action.encoding, 500, 1)


def shared(table: Table, organisations: int = 3) -> list[Table]:
    return [table.take(part) for part in np.array_split(np.arange(table.rows), organisations)]


def whole(table: Table) -> bool:
    """No missing value where the schema allows none, and everything within bounds."""
    for column in table.schema.columns:
        values = table.columns[column.name]
        if isinstance(column, NumericColumn):
            known = values[~np.isnan(values)]
            if not column.missing and len(known) < len(values):
                return False
            if ((known < column.lower) | (known > column.upper)).any():
                return False
        elif not column.missing and (values < 0).any():
            return False
    return True


X = NumericColumn(name="x", lower=0, upper=1)
Y = NumericColumn(name="y", lower=-1e6, upper=1e6)
LABEL = CategoricalColumn(name="label", categories=("no", "yes"), role="target")
ROWS = 400


def columns(**values: np.ndarray) -> dict[str, np.ndarray]:
    return values


def labels(rows: int = ROWS) -> np.ndarray:
    return np.random.default_rng(9).integers(0, 2, rows).astype(np.int32)


def test_one_constant_column() -> None:
    random = np.random.default_rng(0)
    plan = plan_of(X, Y, LABEL)
    table = Table(plan.schema_, columns(x=np.full(ROWS, 0.5), y=random.normal(size=ROWS), label=labels()), ROWS)
    made = fitted(plan, shared(table))
    assert whole(made)
    assert np.ptp(made.columns["x"]) < 1e-3


def test_a_table_of_one_constant_column_alone() -> None:
    plan = plan_of(X)
    made = fitted(plan, shared(Table(plan.schema_, columns(x=np.zeros(ROWS)), ROWS)))
    assert (made.columns["x"] == 0).all()


def test_amounts_with_atoms_between_stand_in_the_gaussian_whatever_their_codes() -> None:
    random = np.random.default_rng(0)
    # Whole amounts with an atom, and an empty cell behind it, in the middle of the others.
    amounts = np.where(random.random(4000) < 0.1, 500.0, np.rint(random.uniform(0, 250, 4000)) * 4)
    amounts[amounts == 504] = 508
    column = NumericColumn(name="amount", lower=0, upper=1000, integer=True)
    table = Table(Schema(name="s", columns=(column,)), {"amount": amounts}, 4000)
    counts = Histograms.of(table.schema, EncodingSettings()).count(table)
    assert choose_score_columns(Encoding.fit(table.schema, counts), None, SETTINGS) == (0,)


def test_a_column_that_is_all_missing_stays_all_missing() -> None:
    lost = NumericColumn(name="lost", lower=0, upper=9, missing=True)
    random = np.random.default_rng(0)
    plan = plan_of(lost, X, LABEL)
    values = columns(lost=np.full(ROWS, np.nan), x=random.random(ROWS), label=labels())
    made = fitted(plan, shared(Table(plan.schema_, values, ROWS)))
    assert whole(made)
    assert np.isnan(made.columns["lost"]).all()


def test_a_continuous_column_with_missing_values_and_a_special_one() -> None:
    gaps = NumericColumn(name="gaps", lower=0, upper=1, missing=True, special_values=(-1.0,))
    random = np.random.default_rng(0)
    plan = plan_of(gaps, X, LABEL)
    values = random.random(ROWS)
    values[:100], values[100:150] = np.nan, -1.0
    made = fitted(plan, shared(Table(plan.schema_, columns(gaps=values, x=random.random(ROWS), label=labels()), ROWS)))
    assert 0.15 < np.isnan(made.columns["gaps"]).mean() < 0.35
    assert 0.05 < (made.columns["gaps"] == -1.0).mean() < 0.2


def test_a_category_and_a_class_that_nobody_has_are_never_drawn() -> None:
    sort = CategoricalColumn(name="sort", categories=("a", "b", "never"))
    label = CategoricalColumn(name="label", categories=("no", "yes", "never"), role="target")
    random = np.random.default_rng(0)
    plan = plan_of(sort, X, label)
    table = Table(plan.schema_, columns(sort=labels(), x=random.random(ROWS), label=labels()), ROWS)
    made = fitted(plan, shared(table))
    assert made.columns["sort"].max() == 1
    assert made.columns["label"].max() == 1


def test_three_rows_in_one_organisation_and_none_in_another() -> None:
    random = np.random.default_rng(0)
    plan = plan_of(X, Y, LABEL)
    table = Table(plan.schema_, columns(x=random.random(ROWS), y=random.normal(size=ROWS), label=labels()), ROWS)
    parts = [table.take(np.arange(3)), table.take(np.arange(0)), table.take(np.arange(3, ROWS))]
    assert whole(fitted(plan, parts))


def test_three_rows_in_all() -> None:
    random = np.random.default_rng(0)
    plan = plan_of(X, Y, LABEL)
    table = Table(plan.schema_, columns(x=random.random(9), y=random.normal(size=9), label=labels(9)), 9)
    assert whole(fitted(plan, shared(table)))


def test_no_row_in_all_is_refused_by_name() -> None:
    plan = plan_of(X, LABEL)
    empty = Table(plan.schema_, columns(x=np.zeros(0), label=labels(0)), 0)
    with pytest.raises(InputError, match="no training row"):
        fitted(plan, [empty, empty, empty])


def test_no_label() -> None:
    random = np.random.default_rng(0)
    plan = plan_of(X, Y)
    y = random.normal(size=ROWS)
    made = fitted(plan, shared(Table(plan.schema_, columns(x=1 / (1 + np.exp(-y)), y=y), ROWS)))
    assert whole(made)
    assert np.corrcoef(made.columns["x"], made.columns["y"])[0, 1] > 0.7


def test_a_label_of_numbers_is_a_column_like_any_other() -> None:
    random = np.random.default_rng(0)
    plan = plan_of(X, NumericColumn(name="price", lower=0, upper=1, role="target"))
    x = random.random(ROWS)
    made = fitted(plan, shared(Table(plan.schema_, columns(x=x, price=x**2), ROWS)))
    assert whole(made)
    assert np.corrcoef(made.columns["x"], made.columns["price"])[0, 1] > 0.7


def test_extreme_outliers_and_values_out_of_bounds() -> None:
    random = np.random.default_rng(0)
    plan = plan_of(X, Y, LABEL)
    y = random.normal(size=ROWS)
    y[:3] = 1e6, -1e6, 1e300
    made = fitted(plan, shared(Table(plan.schema_, columns(x=random.random(ROWS), y=y, label=labels()), ROWS)))
    assert whole(made)


def test_rows_that_are_not_finite_are_left_out_and_counted() -> None:
    random = np.random.default_rng(0)
    plan = plan_of(X, Y, LABEL)
    y = random.normal(size=ROWS)
    y[:7] = np.inf, -np.inf, np.nan, np.nan, np.inf, np.inf, np.nan
    assert whole(fitted(plan, shared(Table(plan.schema_, columns(x=random.random(ROWS), y=y, label=labels()), ROWS))))


def test_equal_columns_and_equal_rows() -> None:
    random = np.random.default_rng(0)
    plan = plan_of(X, NumericColumn(name="again", lower=0, upper=1), LABEL)
    x = random.random(ROWS)
    x[100:] = x[:300]
    made = fitted(plan, shared(Table(plan.schema_, columns(x=x, again=x.copy(), label=labels()), ROWS)))
    assert whole(made)
    assert np.abs(made.columns["x"] - made.columns["again"]).mean() < 0.1


def test_ten_thousand_categories() -> None:
    many = CategoricalColumn(name="many", categories=tuple(f"c{number}" for number in range(10_000)))
    random = np.random.default_rng(0)
    plan = plan_of(many, X, LABEL)
    values = columns(many=random.integers(0, 10_000, ROWS).astype(np.int32), x=random.random(ROWS), label=labels())
    assert whole(fitted(plan, shared(Table(plan.schema_, values, ROWS))))


def test_an_organisation_with_another_distribution_entirely() -> None:
    random = np.random.default_rng(0)
    plan = plan_of(X, Y, LABEL)
    first = Table(
        plan.schema_, columns(x=random.random(300) / 10, y=random.normal(size=300), label=np.zeros(300, np.int32)), 300
    )
    second = Table(
        plan.schema_,
        columns(x=0.9 + random.random(300) / 10, y=random.normal(1e5, 10, 300), label=np.ones(300, np.int32)),
        300,
    )
    made = fitted(plan, [first, second, first.take(np.arange(5))])
    assert whole(made)
    high = made.columns["x"] > 0.5
    assert (high == (made.columns["label"] == 1)).mean() > 0.9
    assert (made.columns["y"][high] > 1e4).mean() > 0.9
