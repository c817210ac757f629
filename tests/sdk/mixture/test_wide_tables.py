"""Tables of many columns, or of many classes: the budget of cells bounds what is counted, whatever the width."""

import numpy as np
import pytest

from headwater.agreement.plan import AggregationTerms, Plan
from headwater.contribution.contribute import contribute
from headwater.contribution.execution import sample_table
from headwater.recipe import Aggregate, Done, build_recipe
from headwater.recipe.settings import MarginalSettings, RecipeSettings
from headwater.schema import CategoricalColumn, Column, NumericColumn, Schema
from headwater.schema.table import Table
from support.mixtures import SETTINGS

ROWS = 400
CELLS = 20_000


def run(columns: tuple[Column, ...], values: dict[str, np.ndarray], cells: int = CELLS) -> tuple[Table, list[int]]:
    """Rows drawn after a whole run, and the lengths of its vectors."""
    settings = SETTINGS.model_copy(update={"rounds": 2, "tilt_excess": 0.0, "tilt_draws": 2000, "attack_limit": 1.0})
    plan = Plan(
        name="wide",
        schema=Schema(name="wide", columns=columns),
        recipe=RecipeSettings(kind="mixture", mixture=settings, marginals=MarginalSettings(cells=cells)),
        aggregation=AggregationTerms(on_membership_change="strict"),
        privacy="none",
        stub_sha256="0" * 64,
    )
    table = Table(plan.schema_, values, ROWS)
    parts = [table.take(part) for part in np.array_split(np.arange(ROWS), 3)]
    recipe, lengths = build_recipe(plan), []
    while not isinstance(action := recipe.next(), Done):
        assert isinstance(action, Aggregate)
        lengths.append(action.task.length)
        total = np.zeros(action.task.length, np.uint32)
        for part in parts:
            total += contribute(action.task, action.model, part, plan)
        recipe.add_sum(total, len(parts))
    assert any("tolerance" in record for record in recipe.history)
    return sample_table(action.model, action.encoding, 300, 1), lengths


@pytest.mark.parametrize("target", [True, False])
def test_a_hundred_columns_stay_within_the_budget_of_cells(target: bool) -> None:
    random = np.random.default_rng(0)
    names = [f"x{number:02}" for number in range(60)]
    kinds = [f"k{number:02}" for number in range(39)]
    label = CategoricalColumn(name="label", categories=("no", "yes"), role="target" if target else "feature")
    columns: tuple[Column, ...] = (
        *(NumericColumn(name=name, lower=-9, upper=9) for name in names),
        *(CategoricalColumn(name=kind, categories=("a", "b", "c")) for kind in kinds),
        label,
    )
    values: dict[str, np.ndarray] = {name: random.normal(size=ROWS) for name in names}
    values |= {kind: random.integers(0, 3, ROWS).astype(np.int32) for kind in kinds}
    values["label"] = (values["x00"] > 0).astype(np.int32)
    made, lengths = run(columns, values)
    # The first vector is the histograms', of the encoding's budget.
    assert max(lengths[1:]) <= CELLS + 2
    assert made.rows == 300
    high = made.columns["x00"][made.columns["label"] == 1].mean()
    assert high > made.columns["x00"][made.columns["label"] == 0].mean()


def test_a_label_of_forty_classes_keeps_each_of_them() -> None:
    random = np.random.default_rng(1)
    classes = random.permutation(np.arange(ROWS) % 40).astype(np.int32)
    columns: tuple[Column, ...] = (
        NumericColumn(name="x", lower=-9, upper=99),
        CategoricalColumn(name="label", categories=tuple(f"c{number}" for number in range(40)), role="target"),
    )
    made, _ = run(columns, {"x": classes + random.normal(0, 0.3, ROWS), "label": classes})
    assert len(np.unique(made.columns["label"])) == 40
    assert np.corrcoef(made.columns["x"], made.columns["label"])[0, 1] > 0.9


def test_a_component_for_each_class_is_asked_for_even_where_the_budget_of_cells_is_less() -> None:
    """A climb has no fewer components than classes: organisations must not refuse what every climb begins with."""
    random = np.random.default_rng(1)
    first = random.integers(0, 15, ROWS)
    kinds = tuple(f"k{number}" for number in range(15))
    columns: tuple[Column, ...] = (
        CategoricalColumn(name="first", categories=kinds),
        CategoricalColumn(name="second", categories=kinds),
        CategoricalColumn(name="label", categories=tuple(f"c{number}" for number in range(40)), role="target"),
    )
    values = {
        "first": first.astype(np.int32),
        "second": ((first + random.integers(0, 6, ROWS)) % 15).astype(np.int32),
        "label": random.permutation(np.arange(ROWS) % 40).astype(np.int32),
    }
    made, lengths = run(columns, values, cells=1024)
    assert len(np.unique(made.columns["label"])) == 40
    assert max(lengths) > 4 * 1024
