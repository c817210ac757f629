"""Runs in which organisations poison training rounds, with either base of a hybrid."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from headwater.agreement.plan import Plan
from headwater.contribution.contribute import contribute
from headwater.contribution.execution import execute
from headwater.generator.refiner.model import RefinedMixture, is_refined
from headwater.recipe import Aggregate, Done, Recipe, build_recipe
from headwater.recipe.layout import UPDATE_METRICS
from headwater.schema.table import Table
from headwater.secagg.crypto.ring import to_signed
from support.mixtures import SETTINGS
from support.recipes import small_plan, small_table

__all__ = ["LARGE", "ON_MARGINALS", "ON_MIXTURE", "Poison", "Run", "at", "trained"]

Poison = Callable[[np.ndarray, float], np.ndarray]
"""From an honest payload and its weight, in the same units, to what is sent."""

_END = 1 + len(UPDATE_METRICS)
_PARTS = tuple(small_table(150, seed) for seed in range(5))

ON_MARGINALS = small_plan(rounds=6, update={"local_steps": 3, "batch": 32, "row_cap": 100, "clip": 2.0})
ON_MIXTURE = small_plan(
    rounds=6,
    base="mixture",
    mixture={**SETTINGS.model_dump(), "rows_per_component": (100,), "rounds": 2},
    refiner={
        "noise": 4,
        "width": 16,
        "critic_width": 16,
        "update": {"local_steps": 4, "batch": 32, "row_cap": 100, "clip": 5.0},
    },
)
"""The kind and base of a plan that names none, with small networks."""


def at(norm: float, direction: np.ndarray) -> np.ndarray:
    """A vector of nearly this norm."""
    scaled: np.ndarray = direction * (0.999 * norm / np.linalg.norm(direction))
    return scaled


LARGE: Mapping[str, Poison] = {
    "a thousand times as large": lambda own, most: own * 1000,
    "scaled to the clip norm": lambda own, most: at(most, own),
    "sign flipped, at the clip norm": lambda own, most: at(most, -own),
    "random, at the clip norm": lambda own, most: at(most, np.random.default_rng(0).standard_normal(len(own))),
}
"""What one of five is seen to send."""


@dataclass(frozen=True, eq=False)
class Run:
    """A run that waits for a sum of updates.

    Attributes:
        plan: of the run.
        recipe: after some honest training rounds.
        base: bytes of what the run began to train with; a mixture without the networks around it.
        parts: rows of each organisation.
    """

    plan: Plan
    recipe: Recipe
    base: bytes
    parts: tuple[Table, ...] = _PARTS

    def again(self) -> "Run":
        """The same, to be spoilt."""
        return Run(self.plan, copy.deepcopy(self.recipe), self.base, self.parts)

    def vectors(self, action: Aggregate) -> list[np.ndarray]:
        """What each organisation sends, signed."""
        return [to_signed(contribute(action.task, action.model, part, self.plan)) for part in self.parts]

    def take(self, total: np.ndarray) -> Mapping[str, object]:
        """Give the recipe a sum, do what it then asks of the coordinator; returns the round's verdict."""
        seen = len(self.recipe.history)
        self.recipe.add_sum(total.astype(np.uint32), len(self.parts))
        while not isinstance(action := self.recipe.next(), Aggregate | Done):
            self.recipe.add_model(*execute(action, device="cpu"))
        return next((record for record in self.recipe.history[seen:] if record["kind"] == "merge"), {})

    def poisoned(self, poison: Poison, liars: int = 1) -> Mapping[str, object]:
        """One round in which some of the organisations send what `poison` makes of their own payloads."""
        action = self.recipe.next()
        assert isinstance(action, Aggregate)
        sent = self.vectors(action)
        for own in sent[:liars]:
            # A weighted update may be as large as its weight, in the same units.
            payload = poison(own[:-_END].astype(np.float64), float(own[-_END]))
            own[:-_END] = np.rint(payload).astype(np.int64)
        return self.take(np.add.reduce(sent))


def trained(plan: Plan, rounds: int = 2) -> Run:
    """A run of this plan after so many honest training rounds."""
    recipe, base, done = build_recipe(plan), b"", 0
    run = Run(plan, recipe, base)
    while done < rounds:
        action = recipe.next()
        if not isinstance(action, Aggregate):
            recipe.add_model(*execute(action, device="cpu"))  # type: ignore[arg-type]
            continue
        if action.task.kind == "update":
            base, done = base or _base_of(action.model), done + 1
        run.take(np.add.reduce(run.vectors(action)))
    assert all(record["accepted"] for record in recipe.history if record["kind"] == "merge")
    return Run(plan, recipe, base)


def _base_of(model: bytes) -> bytes:
    return RefinedMixture.from_bytes(model).mixture.to_bytes() if is_refined(model) else model
