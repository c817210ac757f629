"""Organisations that poison training rounds: what the aggregate shows, with real training, and what it does not."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from headwater.contribution import training
from headwater.contribution.allowed import update_settings
from headwater.contribution.execution import execute
from headwater.generator.local_update import LocalUpdate
from headwater.generator.model import Model
from headwater.generator.network import flat_parameters
from headwater.generator.refiner.model import RefinedMixture
from headwater.mixture.parameters import is_mixture
from headwater.recipe import Aggregate, Done, Merge
from headwater.recipe.settings import RecipeSettings
from headwater_server.runs.round_words import training_outcome
from support.poison import LARGE, ON_MARGINALS, ON_MIXTURE, Poison, Run, trained

TRAINS = {"marginals": "train_locally", "mixture": "train_refiner"}


@pytest.fixture(scope="module", params=[ON_MARGINALS, ON_MIXTURE], ids=list(TRAINS))
def honest(request: pytest.FixtureRequest) -> Run:
    return trained(request.param)


@pytest.fixture
def run(honest: Run) -> Run:
    return honest.again()


def asked(run: Run) -> Aggregate:
    action = run.recipe.next()
    assert isinstance(action, Aggregate)
    return action


def test_the_default_recipe_is_the_one_on_a_mixture() -> None:
    assert RecipeSettings().refines
    assert ON_MIXTURE.recipe.refines


@pytest.mark.parametrize("poison", LARGE.values(), ids=LARGE)
def test_large_poison_of_one_is_seen_in_the_sum_and_two_such_rounds_end_the_run_on_its_base(
    run: Run, poison: Poison
) -> None:
    before = asked(run).model
    first = run.poisoned(poison)
    assert first["accepted"] is False
    assert "explosion" in first["flags"]  # type: ignore[operator]
    # Nothing of it is in the next model; after a collapse that is the last average, and a refiner begins anew.
    collapsed = "collapse" in first["flags"]  # type: ignore[operator]
    assert asked(run).model == before or collapsed
    # The remedy halved the clip norm; the liar sends as much as is left.
    assert run.poisoned(lambda own, most: own * 1000)["accepted"] is False
    done = run.recipe.next()
    assert isinstance(done, Done)
    assert done.model == run.base
    assert training_outcome(run.recipe.history) == {"refused_rounds": 2, "ended_on": "base"}
    # Without a round that was taken there is no critic to judge by: nothing is asked of rows again.
    assert not any(record["kind"] == "evaluate" for record in run.recipe.history)
    assert is_mixture(done.model) == run.plan.recipe.refines


def test_poison_no_larger_than_an_honest_update_is_not_seen(run: Run) -> None:
    # The threat model says so: what it can do is bounded by what honest updates do.
    for poison in (lambda own, most: -own, lambda own, most: np.random.default_rng(0).permutation(own)):
        assert run.again().poisoned(poison)["accepted"] is True


def test_an_organisation_whose_training_breaks_is_left_out_of_the_round_and_counted(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    name = TRAINS[run.plan.recipe.base]
    honest = getattr(training, name)

    def breaks(*arguments: object, **named: object) -> LocalUpdate:
        calls.append(1)
        update: LocalUpdate = honest(*arguments, **named)
        return LocalUpdate(np.full_like(update.delta, np.nan)) if len(calls) == 1 else update

    monkeypatch.setattr(training, name, breaks)
    assert run.poisoned(lambda own, most: own)["accepted"] is True
    assert run.recipe.history[-2]["skipped"] == 1


def test_a_round_in_which_nobodys_training_is_finite_is_not_taken(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object, **__: object) -> LocalUpdate:
        return LocalUpdate(np.full(7, np.nan, np.float32))

    monkeypatch.setattr(training, TRAINS[run.plan.recipe.base], breaks)
    before = asked(run).model
    record = run.poisoned(lambda own, most: own)
    assert (record["accepted"], record["flags"]) == (False, ["not finite"])
    assert asked(run).model == before


def test_critics_that_are_too_strong_are_seen_in_the_sum_and_held_back(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = TRAINS[run.plan.recipe.base]
    honest = getattr(training, name)

    def strong(*arguments: object, **named: object) -> LocalUpdate:
        update: LocalUpdate = honest(*arguments, **named)
        return replace(update, accuracy=0.99)

    monkeypatch.setattr(training, name, strong)
    record = run.poisoned(lambda own, most: own)
    assert record["accepted"] is True
    assert "strong critic" in record["flags"]  # type: ignore[operator]
    action = asked(run)
    assert action.task.parameters["remedies"]["critic"] == 1
    before = run.plan.recipe.training
    assert update_settings(action.task, run.plan).instance_noise > before.instance_noise
    run.vectors(action)


def merge_of(run: Run) -> Merge:
    """The merge after an honest sum, to be spoilt."""
    run.recipe.add_sum(np.add.reduce(run.vectors(asked(run))).astype(np.uint32), len(run.parts))
    merge = run.recipe.next()
    assert isinstance(merge, Merge)
    return merge


def one_mode(model: bytes) -> np.ndarray:
    """The weights of a network whose rows all have the same codes."""
    network = Model.from_bytes(model).build_generator(torch.device("cpu"), average=False)
    with torch.no_grad():
        network.exit.weight.zero_()
        network.exit.bias.mul_(30)
    return Model.of(network).generator


def one_code(model: bytes) -> np.ndarray:
    """The weights of a refiner that gives every draw the first code of each unit."""
    refined = RefinedMixture.from_bytes(model)
    network = refined.build_refiner()
    with torch.no_grad():
        network.exit.bias[torch.from_numpy(refined.mixture.form.offsets[:-1].copy())] = 100.0
    return flat_parameters(network).numpy()


def test_a_collapse_is_seen_in_the_merged_model_and_training_goes_on_from_what_was_well(run: Run) -> None:
    before, refines = asked(run).model, run.plan.recipe.refines
    merge = merge_of(run)
    standing = RefinedMixture.from_bytes(before).refiner if refines else Model.from_bytes(before).generator
    spoilt = one_code(before) if refines else one_mode(before)
    merge.mean_delta[: len(spoilt)] = spoilt - standing
    run.recipe.add_model(*execute(merge, device="cpu"))
    assert run.recipe.history[-1]["accepted"] is False
    assert "collapse" in run.recipe.history[-1]["flags"]  # type: ignore[operator]
    restart = run.recipe.next()
    assert isinstance(restart, Merge)
    run.recipe.add_model(*execute(restart, device="cpu"))
    again = asked(run)
    if refines:
        # A refiner has no average: it begins anew as the identity, its draws are the base's.
        begun, former = RefinedMixture.from_bytes(again.model), RefinedMixture.from_bytes(before)
        assert not begun.build_refiner().exit.weight.any()
        np.testing.assert_array_equal(begun.critic, former.critic)
    else:
        after, model = Model.from_bytes(again.model), Model.from_bytes(before)
        np.testing.assert_array_equal(after.generator, model.average)
        np.testing.assert_array_equal(after.critic, model.critic)
    assert again.task.parameters["remedies"]["collapse"] == 1
