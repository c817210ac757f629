"""Refined mixtures for tests: a small base, narrow networks, and rows that the base gets wrong."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from headwater.generator.refiner.drawing import RefinedDraws
from headwater.generator.refiner.model import RefinedMixture
from headwater.generator.refiner.network import RefinerShape
from headwater.mixture.expectation import expect
from headwater.mixture.form import RowFeatures
from headwater.mixture.maximisation import maximise
from headwater.mixture.parameters import Mixture
from support.mixtures import SETTINGS, mixture_of, part_of, together
from support.recipes import small_plan

__all__ = ["HYBRID_PLAN", "SHAPE", "agreeing", "fitted_mixture", "planted_rows", "refined_model"]

SHAPE = RefinerShape(noise=4, width=16, critic_width=32)

HYBRID_PLAN = small_plan(
    "hybrid",
    base="mixture",
    mixture=SETTINGS.model_dump(),
    refiner={
        "noise": 4,
        "width": 16,
        "critic_width": 16,
        "update": {"local_steps": 4, "batch": 32, "row_cap": 500, "clip": 10.0},
    },
)


def fitted_mixture(rows: int = 600) -> Mixture:
    """A mixture fitted to a small table."""
    _, _, form, features = together(rows)
    mixture = mixture_of(form, features)
    for _ in range(8):
        mixture = maximise(mixture, expect(mixture, features, part_of(features, np.arange(0))), SETTINGS)
    return replace(mixture, span=(-60.0, 20.0))


def refined_model(mixture: Mixture, seed: int = 1) -> RefinedMixture:
    """Fresh networks around a mixture."""
    return RefinedMixture.begin(mixture, SHAPE, seed)


def agreeing(rows: RowFeatures, unit: int) -> NDArray[np.bool_]:
    """Where the first score is above 0 and a unit's code is its first, or neither."""
    agree: NDArray[np.bool_] = (rows.scores[:, 0] > 0) == (rows.units[:, unit] == 0)
    return agree


def planted_rows(model: RefinedMixture, rows: int, seed: int, unit: int) -> RowFeatures:
    """Draws of the base of which those that do not agree are taken four times as seldom: 1-ways hardly change."""
    random = np.random.default_rng(seed)
    drawn = RefinedDraws(replace(model, refiner=model.refiner[:0])).drawn(3 * rows, random)
    kept = agreeing(drawn, unit) | (random.random(len(drawn.classes)) < 0.25)
    return part_of(drawn, np.flatnonzero(kept)[:rows])
