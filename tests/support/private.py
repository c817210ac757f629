"""A plan under a privacy budget, for small tables."""

from collections.abc import Callable, Mapping, Sequence
from itertools import count, repeat

import numpy as np
from numpy.typing import NDArray

from headwater.agreement.plan import Plan
from headwater.contribution.contribute import contribute
from headwater.contribution.execution import execute
from headwater.privacy.budget import Budget
from headwater.recipe.actions import Aggregate, Done
from headwater.recipe.machine import Recipe, build_recipe
from headwater.recipe.settings import PrivateSettings
from headwater.recipe.task import Task
from headwater.schema.table import Table
from support.recipes import small_plan

__all__ = [
    "Entropy",
    "assert_sums_alone_give_the_release",
    "clear_sum",
    "driven",
    "first_task",
    "followed",
    "hybrid_plan",
    "private_plan",
    "released",
]


def private_plan(epsilon: float = 3.0, *, schema: object = None, **budget: object) -> Plan:
    """A plan of the recipe `marginals` with a short fit; the rest of `budget` goes into the budget."""
    settings = PrivateSettings(components=4, fits=1, steps=20)
    document = small_plan("marginals", private=settings.model_dump()).model_dump(mode="json", by_alias=True)
    document["privacy"] = Budget(epsilon=epsilon, **budget).model_dump(mode="json")  # type: ignore[arg-type]
    if schema is not None:
        document["schema"] = schema
    return Plan.model_validate(document)


def hybrid_plan(epsilon: float = 3.0, *, critic: Mapping[str, object] | None = None, **budget: object) -> Plan:
    """The same with a small critic behind the fit, trained by a few noisy sums."""
    document = private_plan(epsilon, **budget).model_dump(mode="json", by_alias=True)
    document["recipe"]["kind"] = "hybrid"
    small = {"steps": 4, "width": 4, "draws": 64, "rate": 0.2}
    document["recipe"]["private"]["critic"] |= {**small, **(critic or {})}
    return Plan.model_validate(document)


class Entropy:
    """Bytes that are the same for the same seed: for tests alone."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self.drawn = 0

    def __call__(self, count: int) -> bytes:
        self.drawn += count
        return self._random.bytes(count)


def first_task(plan: Plan) -> Task:
    """The first question of a plan's recipe."""
    action = build_recipe(plan).next()
    assert isinstance(action, Aggregate)
    return action.task


def clear_sum(
    task: Task,
    plan: Plan,
    parts: Sequence[Table],
    seed: int | None = None,
    *,
    members: int | None = None,
    model: bytes = b"",
) -> NDArray[np.uint32]:
    """The sum of every organisation's contribution; with a seed, from noise that comes again.

    `members` is the session's number where some of it dropped out; `model` goes along with the task.
    """
    total = np.zeros(task.length, np.uint32)
    for number, rows in enumerate(parts):
        chance = {} if seed is None else {"entropy": Entropy(seed * 1000 + number)}
        total += contribute(task, model, rows, plan, members=members or len(parts), **chance)
    return total


def driven(plan: Plan, sum_of: Callable[[Aggregate], NDArray[np.uint32]], organisations: int) -> tuple[Recipe, Done]:
    """A recipe to its end, with its answer; `sum_of` answers each question."""
    recipe = build_recipe(plan)
    while not isinstance(action := recipe.next(), Done):
        if isinstance(action, Aggregate):
            recipe.add_sum(sum_of(action), organisations)
        else:
            recipe.add_model(*execute(action, device="cpu"))
    return recipe, action


def followed(plan: Plan, parts: Sequence[Table], seed: int | None = None) -> tuple[Recipe, Done]:
    """A recipe over rows to its end; with a seed, from noise that comes again."""
    seeds = repeat(None) if seed is None else count(seed * 100 + 1)

    def summed(asked: Aggregate) -> NDArray[np.uint32]:
        return clear_sum(asked.task, plan, parts, next(seeds), model=asked.model)

    return driven(plan, summed, len(parts))


def released(recipe: Recipe, done: Done) -> tuple[object, ...]:
    """Everything that leaves the coordinator at the end of a run."""
    return done.model, done.encoding.to_document(), done.rows, recipe.history


def assert_sums_alone_give_the_release(plan: Plan, parts: Sequence[Table]) -> None:
    """A run that sees no row but another run's sums releases what that one did."""
    sums: list[NDArray[np.uint32]] = []

    def recorded(asked: Aggregate) -> NDArray[np.uint32]:
        sums.append(clear_sum(asked.task, plan, parts, model=asked.model))
        return sums[-1]

    first = driven(plan, recorded, len(parts))
    kept = iter(sums)
    assert released(*driven(plan, lambda asked: next(kept), len(parts))) == released(*first)
