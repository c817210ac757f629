"""What depends on the day of the week comes through a whole recipe."""

import numpy as np
import pytest

from headwater.contribution.contribute import contribute
from headwater.contribution.execution import execute, sample_table
from headwater.recipe import Aggregate, Done, build_recipe
from headwater.schema import CategoricalColumn, DateColumn, Schema
from headwater.schema.table import Table
from support.recipes import small_plan

ROWS = 3000
SCHEMA = Schema(
    name="visits",
    columns=(
        DateColumn.model_validate({"name": "seen", "lower": "2020-01-01", "upper": "2020-12-31"}),
        CategoricalColumn(name="room", categories=("clinic", "emergency")),
    ),
)


def weekend(days: np.ndarray) -> np.ndarray:
    """Saturdays and Sundays; 1970-01-01 was a Thursday."""
    return np.asarray((days + 3) % 7 >= 5)


def visits() -> Table:
    random = np.random.default_rng(0)
    days = np.arange(18_262, 18_262 + 366)
    shares = np.where(weekend(days), 0.3, 1.0)
    seen = random.choice(days, ROWS, p=shares / shares.sum())
    emergency = random.random(ROWS) < np.where(weekend(seen), 0.9, 0.1)
    return Table(SCHEMA, {"seen": seen.astype(np.float64), "room": emergency.astype(np.int32)}, ROWS)


@pytest.mark.parametrize("kind", ["mixture", "marginals"])
def test_a_weekly_pattern_survives(kind: str) -> None:
    plan = small_plan(
        kind,
        encoding={"numeric_codes": 18, "grid_cells": 512},
        fit={"steps": 200, "batch": 256},
        mixture={"rows_per_component": (500,), "rounds": 5},
    ).model_copy(update={"schema_": SCHEMA})
    table = visits()
    parts = [table.take(rows) for rows in np.array_split(np.arange(ROWS), 3)]
    recipe = build_recipe(plan)
    while not isinstance(action := recipe.next(), Done):
        if isinstance(action, Aggregate):
            vectors = [contribute(action.task, action.model, part, plan) for part in parts]
            recipe.add_sum(np.sum(vectors, axis=0, dtype=np.uint32), len(parts))
        else:
            recipe.add_model(*execute(action))
    made = sample_table(action.model, action.encoding, ROWS, 1)
    shares = []
    for each in (table, made):
        at_weekend, emergency = weekend(each.columns["seen"]), each.columns["room"] == 1
        shares.append([at_weekend.mean(), emergency[at_weekend].mean(), emergency[~at_weekend].mean()])
    # .1, .9 and .1: codes over whole weeks would give one share of emergencies on all days.
    np.testing.assert_allclose(shares[1], shares[0], atol=0.08)
