"""A small mixed table, its schema, and a plan whose recipe takes a second."""

import numpy as np

from headwater.agreement.plan import AggregationTerms, Plan
from headwater.recipe.settings import RecipeSettings
from headwater.schema import BooleanColumn, CategoricalColumn, DateColumn, NumericColumn, Schema
from headwater.schema.table import Table

__all__ = ["SCHEMA", "small_plan", "small_table"]

SCHEMA = Schema(
    name="visits",
    columns=(
        NumericColumn(name="age", lower=0, upper=120, integer=True),
        NumericColumn(name="income", lower=0, upper=1e6, special_values=(-1.0,), missing=True),
        CategoricalColumn(name="ward", categories=("a", "b", "c"), missing=True),
        CategoricalColumn(name="floor", categories=("1", "2", "3")),
        BooleanColumn(name="smoker", false="no", true="yes"),
        DateColumn(name="seen", lower="2020-01-01", upper="2024-12-31"),  # type: ignore[arg-type]
        CategoricalColumn(name="outcome", categories=("well", "ill"), role="target"),
    ),
)


def small_table(rows: int = 400, seed: int = 0) -> Table:
    """Rows in which ward and floor go together and the outcome follows age."""
    random = np.random.default_rng(seed)
    age = np.clip(np.rint(random.normal(50, 20, rows)), 0, 120)
    income = np.where(random.random(rows) < 0.4, 0.0, random.lognormal(10, 1, rows).clip(0, 1e6))
    income[random.random(rows) < 0.1] = -1.0
    income[random.random(rows) < 0.1] = np.nan
    floor = random.integers(0, 3, rows).astype(np.int32)
    ward = np.where(random.random(rows) < 0.9, floor, -1).astype(np.int32)
    columns = {
        "age": age,
        "income": income,
        "ward": ward,
        "floor": floor,
        "smoker": random.integers(0, 2, rows).astype(np.int32),
        "seen": random.integers(18262, 20088, rows).astype(np.float64),
        "outcome": (age + random.normal(0, 10, rows) > 60).astype(np.int32),
    }
    return Table(SCHEMA, columns, rows)


def small_plan(kind: str = "hybrid", rounds: int = 2, **changes: object) -> Plan:
    """A plan with narrow networks and few steps; `changes` are merged into the recipe."""
    recipe: dict[str, object] = {
        "kind": kind,
        "base": "marginals",
        "rounds": rounds,
        "encoding": {"numeric_codes": 6, "grid_cells": 64},
        "network": {"latent": 4, "width": 16, "blocks": 1, "critic_width": 8, "critic_layers": 1},
        "fit": {"steps": 20, "batch": 64},
        "update": {"local_steps": 2, "batch": 16, "row_cap": 500, "tolerance": 10.0},
    }
    recipe |= changes
    training = recipe["update"]
    own = {"rounds": rounds, "calibration": 0, **training} if isinstance(training, dict) else {}
    recipe["adversarial"] = own | dict(changes.get("adversarial", {}))  # type: ignore[call-overload]
    return Plan(
        name="small",
        schema=SCHEMA,
        recipe=RecipeSettings.model_validate(recipe),
        aggregation=AggregationTerms(on_membership_change="strict"),
        privacy="none",
        stub_sha256="0" * 64,
    )
