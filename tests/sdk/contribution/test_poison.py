"""Organisations that poison training rounds: what the aggregate shows, with real training, and what it does not."""

import copy
from collections.abc import Callable, Mapping

import numpy as np
import pytest
import torch

from headwater.contribution import training
from headwater.contribution.contribute import contribute
from headwater.contribution.execution import execute
from headwater.generator.adversarial import train_locally
from headwater.generator.local_update import LocalUpdate
from headwater.generator.model import Model
from headwater.recipe import Aggregate, Done, Merge, Recipe, build_recipe
from headwater.recipe.layout import UPDATE_METRICS
from headwater.secagg.crypto.ring import to_signed
from support.recipes import small_plan, small_table

PARTS = [small_table(150, seed) for seed in range(5)]
PLAN = small_plan(rounds=6, update={"local_steps": 3, "batch": 32, "row_cap": 100, "clip": 2.0})
METRICS = 1 + len(UPDATE_METRICS)
Poison = Callable[[np.ndarray, float], np.ndarray]


def vectors(action: Aggregate) -> list[np.ndarray]:
    return [to_signed(contribute(action.task, action.model, part, PLAN)) for part in PARTS]


def take(recipe: Recipe, total: np.ndarray) -> Mapping[str, object]:
    """Give the recipe a sum, do what it then asks of the coordinator; returns the round's verdict."""
    seen = len(recipe.history)
    recipe.add_sum(total.astype(np.uint32), len(PARTS))
    while not isinstance(action := recipe.next(), Aggregate | Done):
        recipe.add_model(*execute(action, device="cpu"))
    return next((record for record in recipe.history[seen:] if record["kind"] == "merge"), {})


def trained() -> tuple[Recipe, bytes]:
    """A run after two honest training rounds, and the base that it began with."""
    recipe, base = build_recipe(PLAN), b""
    rounds = 0
    while rounds < 2:
        action = recipe.next()
        if not isinstance(action, Aggregate):
            recipe.add_model(*execute(action, device="cpu"))  # type: ignore[arg-type]
            continue
        if action.task.kind == "update":
            base, rounds = base or action.model, rounds + 1
        take(recipe, np.add.reduce(vectors(action)))
    assert all(record["accepted"] for record in recipe.history if record["kind"] == "merge")
    return recipe, base


RUN, BASE = trained()


def poisoned(recipe: Recipe, poison: Poison, liars: int = 1) -> Mapping[str, object]:
    """One round in which some of five organisations send what `poison` makes of their own payloads."""
    action = recipe.next()
    assert isinstance(action, Aggregate)
    sent = vectors(action)
    for own in sent[:liars]:
        # A weighted update may be as large as its weight, in the same units.
        payload = poison(own[:-METRICS].astype(np.float64), float(own[-METRICS]))
        own[:-METRICS] = np.rint(payload).astype(np.int64)
    return take(recipe, np.add.reduce(sent))


def at(norm: float, direction: np.ndarray) -> np.ndarray:
    scaled: np.ndarray = direction * (0.999 * norm / np.linalg.norm(direction))
    return scaled


SEEN: Mapping[str, Poison] = {
    "a thousand times as large": lambda own, most: own * 1000,
    "scaled to the clip norm": lambda own, most: at(most, own),
    "sign flipped, at the clip norm": lambda own, most: at(most, -own),
    "random, at the clip norm": lambda own, most: at(most, np.random.default_rng(0).standard_normal(len(own))),
}


@pytest.mark.parametrize("poison", SEEN.values(), ids=SEEN)
def test_large_poison_of_one_is_seen_in_the_sum_and_two_such_rounds_end_the_run_on_its_base(poison: Poison) -> None:
    recipe = copy.deepcopy(RUN)
    before = recipe.next().model  # type: ignore[union-attr]
    first = poisoned(recipe, poison)
    assert first["accepted"] is False
    assert "explosion" in first["flags"]  # type: ignore[operator]
    assert recipe.next().model == before  # type: ignore[union-attr]
    # The remedy halved the clip norm; the liar sends as much as is left.
    assert poisoned(recipe, lambda own, most: own * 1000)["accepted"] is False
    done = recipe.next()
    assert isinstance(done, Done)
    assert done.model == BASE
    assert recipe.history[-1]["on"] == "base"


def test_poison_no_larger_than_an_honest_update_is_not_seen() -> None:
    # The threat model says so: what it can do is bounded by what honest updates do.
    for poison in (lambda own, most: -own, lambda own, most: np.random.default_rng(0).permutation(own)):
        assert poisoned(copy.deepcopy(RUN), poison)["accepted"] is True


def test_an_organisation_whose_training_breaks_is_left_out_of_the_round_and_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[int] = []

    def breaks(*arguments: object, **named: object) -> LocalUpdate:
        calls.append(1)
        update = train_locally(*arguments, **named)  # type: ignore[arg-type]
        return LocalUpdate(np.full_like(update.delta, np.nan)) if len(calls) == 1 else update

    monkeypatch.setattr(training, "train_locally", breaks)
    recipe = copy.deepcopy(RUN)
    assert poisoned(recipe, lambda own, most: own)["accepted"] is True
    assert recipe.history[-2]["skipped"] == 1


def test_a_collapse_is_seen_in_the_merged_model_and_training_goes_on_from_the_average_before() -> None:
    recipe = copy.deepcopy(RUN)
    action = recipe.next()
    assert isinstance(action, Aggregate)
    before = Model.from_bytes(action.model)
    recipe.add_sum(np.add.reduce(vectors(action)).astype(np.uint32), len(PARTS))
    network = before.build_generator(torch.device("cpu"), average=False)
    with torch.no_grad():
        network.exit.weight.zero_()
        network.exit.bias.mul_(30)
    one_mode = Model.of(network).generator
    merge = recipe.next()
    assert isinstance(merge, Merge)
    merge.mean_delta[: len(one_mode)] = one_mode - before.generator
    recipe.add_model(*execute(merge, device="cpu"))
    assert recipe.history[-1]["accepted"] is False
    assert "collapse" in recipe.history[-1]["flags"]  # type: ignore[operator]
    restart = recipe.next()
    assert isinstance(restart, Merge)
    recipe.add_model(*execute(restart, device="cpu"))
    again = recipe.next()
    assert isinstance(again, Aggregate)
    after = Model.from_bytes(again.model)
    np.testing.assert_array_equal(after.generator, before.average)
    np.testing.assert_array_equal(after.critic, before.critic)
    assert again.task.parameters["remedies"]["collapse"] == 1
