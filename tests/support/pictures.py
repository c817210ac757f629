"""Tiny pictures of two shapes, their schema, and a plan over them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from headwater.agreement.plan import AggregationTerms, Plan
from headwater.recipe.settings import RecipeSettings
from headwater.schema import CategoricalColumn, ImageColumn, Schema
from headwater.schema.table import Table

__all__ = ["IMAGE", "PICTURES", "picture_plan", "picture_table"]

IMAGE = ImageColumn(name="scan", height=4, width=4, levels=8)
PICTURES = Schema(
    name="scans",
    columns=(IMAGE, CategoricalColumn(name="shape", categories=("bar", "line"), role="target")),
)


def picture_table(rows: int = 240, seed: int = 0) -> Table:
    """Standing bars and lying lines, each in one of four places, with some noise."""
    random = np.random.default_rng(seed)
    shape = random.integers(0, 2, rows).astype(np.int32)
    place = random.integers(0, 4, rows)
    pictures = np.zeros((rows, 4, 4))
    for row in range(rows):
        if shape[row]:
            pictures[row, place[row], :] = 6
        else:
            pictures[row, :, place[row]] = 6
    pictures = np.clip(np.rint(pictures + random.normal(0, 0.7, pictures.shape)), 0, 7)
    columns: dict[str, NDArray[Any]] = {"scan": pictures.reshape(rows, 16).astype(np.uint8), "shape": shape}
    return Table(PICTURES, columns, rows)


def picture_plan(kind: str = "mixture", **changes: object) -> Plan:
    """A plan of few rounds; `changes` are merged into the recipe."""
    recipe: dict[str, object] = {
        "kind": kind,
        "encoding": {"numeric_codes": 6, "grid_cells": 64},
        "mixture": {"rows_per_component": (40, 20), "rounds": 4, "attack_limit": 1.0},
        "network": {"latent": 4, "width": 16, "blocks": 1, "critic_width": 8, "critic_layers": 1},
        "fit": {"steps": 20, "batch": 64},
    }
    recipe |= changes
    return Plan(
        name="scans",
        schema=PICTURES,
        recipe=RecipeSettings.model_validate(recipe),
        aggregation=AggregationTerms(on_membership_change="strict"),
        privacy="none",
        stub_sha256="0" * 64,
    )
