"""What the organisations of a crash test contribute: vectors that the test can compute as well."""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from headwater.agreement.plan import Plan
from headwater.canonical import sha256_hex
from headwater.recipe.actions import Aggregate, Done
from headwater.recipe.fixed_point import scale_for
from headwater.recipe.task import Task, seed_for

__all__ = ["KnownRecipe", "known_sum", "known_task", "known_vector"]

_MODEL = b"a model of a crash test"
_KINDS = ("histograms", "marginals")


def known_task(plan: Plan, step: int, length: int) -> Task:
    """The Task of one step: of kinds, seeds and sizes that the plan allows, so that organisations take it."""
    settings = plan.recipe
    kind = _KINDS[step - 1] if step <= len(_KINDS) else "update"
    update = kind == "update"
    return Task.model_validate(
        {
            "kind": kind,
            "step": step,
            "length": length,
            "value_bits": settings.value_bits,
            "seed": seed_for(plan.seed, kind, step),
            "clip": settings.update.clip if update else None,
            "scale": scale_for(settings.update.clip, settings.value_bits) if update else 1.0,
            "model_digest": sha256_hex(_MODEL) if update else "",
        }
    )


def known_vector(member: str, step: int, length: int) -> NDArray[np.uint32]:
    """A member's vector of one step, over the whole range that the plan's value bits allow."""
    seed = hashlib.sha256(f"{member}/{step}".encode()).digest()
    random = np.random.default_rng(list(seed))
    return random.integers(-(2**23), 2**23, length, dtype=np.int64).astype(np.uint32)


def known_sum(members: Sequence[str], step: int, length: int) -> NDArray[np.uint32]:
    """What the masked sum of these members must be."""
    total = np.zeros(length, dtype=np.uint32)
    for member in members:
        total += known_vector(member, step, length)
    return total


class KnownRecipe:
    """A recipe of sums alone: one of each length, then it is done."""

    def __init__(self, plan: Plan, lengths: Sequence[int]) -> None:
        """Ask for these lengths, in order."""
        self._plan = plan
        self._lengths = list(lengths)
        self.history: list[Mapping[str, object]] = []

    def next(self) -> Aggregate | Done:
        """The next sum."""
        step = len(self.history) + 1
        if step > len(self._lengths):
            return Done(b"", None, 0)  # type: ignore[arg-type]
        task = known_task(self._plan, step, self._lengths[step - 1])
        return Aggregate(task, _MODEL if task.kind == "update" else b"")

    def add_sum(self, vector: NDArray[np.uint32], contributors: int, members: int) -> None:
        """Take a sum."""
        step = len(self.history) + 1
        self.history.append({"step": step, "kind": "sum", "contributors": contributors, "members": members})
