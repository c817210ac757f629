"""The recipe that trains from scratch: counts for its head, rounds, calibration at the end."""

import math

import numpy as np
import pytest

from headwater.contribution.contribute import contribute
from headwater.contribution.execution import execute
from headwater.errors import PeerError
from headwater.recipe import Aggregate, Done, Fit, Merge, ModelReport, Recipe, build_recipe
from headwater.recipe.fixed_point import largest_magnitude
from headwater.recipe.layout import UPDATE_METRICS
from headwater.recipe.settings import AdversarialSettings, RecipeSettings, RefinerSettings, UpdateSettings
from support.recipes import small_plan, small_table

ROWS = small_table(300)
WEIGHTS = 5
GOOD = ModelReport(0.1, WEIGHTS, {})


def started(rounds: int = 2, **changes: object) -> Recipe:
    """A recipe from scratch that waits for its first training round."""
    # The rows are to weigh as much as the made up updates say.
    settings = {"update": {"row_cap": 100}, "adversarial": {"calibration": 10}} | changes
    plan = small_plan("adversarial", rounds, **settings)
    recipe = build_recipe(plan)
    while isinstance(action := recipe.next(), Aggregate):
        recipe.add_sum(contribute(action.task, b"", ROWS, plan), 1)
    recipe.add_model(b"start", GOOD)
    return recipe


def update(recipe: Recipe, values: tuple[int, ...] = (100,), energy: int = 1) -> None:
    action = recipe.next()
    assert isinstance(action, Aggregate)
    vector = np.zeros(action.task.length, np.uint32)
    vector[: len(values)] = values
    vector[WEIGHTS] = largest_magnitude(action.task.value_bits)
    vector[WEIGHTS + 1 + UPDATE_METRICS.index("energy")] = energy
    recipe.add_sum(vector, 3)


def test_it_counts_tables_for_its_super_columns_and_fits_nothing_to_them_before_it_trains() -> None:
    recipe = build_recipe(small_plan("adversarial"))
    plan, kinds = small_plan("adversarial"), []
    while isinstance(action := recipe.next(), Aggregate):
        kinds.append(action.task.kind)
        recipe.add_sum(contribute(action.task, b"", ROWS, plan), 1)
    assert kinds[:2] == ["histograms", "marginals"]
    assert isinstance(action, Fit)
    assert action.groups
    assert action.critic
    assert action.terms.steps == 0
    assert not action.start


@pytest.mark.parametrize(("loss", "taken"), [(0.05, True), (0.2, False), (math.nan, False)])
def test_a_calibration_is_taken_only_where_it_is_nearer_to_the_counts(loss: float, taken: bool) -> None:
    recipe = started(rounds=1)
    update(recipe)
    recipe.add_model(b"trained", GOOD)
    calibration = recipe.next()
    assert isinstance(calibration, Fit)
    assert (calibration.start, calibration.terms.steps) == (b"trained", 10)
    recipe.add_model(b"calibrated", ModelReport(loss, WEIGHTS, {}))
    done = recipe.next()
    assert isinstance(done, Done)
    assert done.model == (b"calibrated" if taken else b"trained")
    assert recipe.history[-1]["accepted"] is taken


def test_a_plan_may_leave_calibration_out() -> None:
    recipe = started(adversarial={"rounds": 1, "calibration": 0})
    update(recipe)
    recipe.add_model(b"trained", GOOD)
    done = recipe.next()
    assert isinstance(done, Done)
    assert done.model == b"trained"


def test_training_from_scratch_is_refused_only_when_it_is_not_finite() -> None:
    recipe = started(rounds=2)
    for loss, taken in ((5.0, True), (math.nan, False)):
        update(recipe)
        recipe.add_model(b"loss", ModelReport(loss, WEIGHTS, {}))
        assert recipe.history[-1]["accepted"] is taken


def test_the_proximal_term_is_asked_for_after_a_round_that_drifted_and_no_longer() -> None:
    own = {"rounds": 4, "proximal": 0.05, "drift_limit": 0.8, "clip": 10.0}
    recipe, asked = started(adversarial=own), []
    unit = largest_magnitude(24)
    # ‖Σ‖² / (3 Σ‖·‖²): .01 drifts, 1 does not.
    for share in (0.01, 1.0, 0.01, 1.0):
        action = recipe.next()
        assert isinstance(action, Aggregate)
        asked.append(action.task.parameters["proximal"])
        assert action.task.parameters["round"] == len(asked) - 1
        update(recipe, (unit // 4,), round((unit // 4) ** 2 / unit / 3 / share))
        recipe.add_model(b"m", GOOD)
    assert asked == [0.0, 0.05, 0.0, 0.05]
    drifts = [record["drift"] for record in recipe.history if record["kind"] == "update"]
    assert drifts == pytest.approx([0.99, 0.0, 0.99, 0.0], abs=1e-3)


@pytest.mark.parametrize("parameters", [{"round": 2}, {"round": -1}, {"round": 0.5}, {"proximal": 3.0}])
def test_a_task_of_another_round_or_another_proximal_weight_is_refused(parameters: dict[str, object]) -> None:
    plan = small_plan("adversarial", rounds=2)
    recipe = build_recipe(plan)
    while isinstance(action := recipe.next(), Aggregate):
        recipe.add_sum(contribute(action.task, b"", ROWS, plan), 1)
    assert isinstance(action, Fit)
    model, report = execute(action, device="cpu")
    recipe.add_model(model, report)
    asked = recipe.next()
    assert isinstance(asked, Aggregate)
    changed = asked.task.model_copy(update={"parameters": {**asked.task.parameters, **parameters}})
    with pytest.raises(PeerError, match="plan"):
        contribute(changed, asked.model, ROWS, plan)


def test_a_whole_run_from_scratch_ends_calibrated_and_a_replay_gives_the_same_bytes() -> None:
    plan = small_plan("adversarial", rounds=2, adversarial={"calibration": 10})
    ends = []
    for _ in range(2):
        recipe = build_recipe(plan)
        while not isinstance(action := recipe.next(), Done):
            if isinstance(action, Aggregate):
                parts = [ROWS.take(part) for part in np.array_split(np.arange(ROWS.rows), 3)]
                recipe.add_sum(sum(contribute(action.task, action.model, part, plan) for part in parts), 3)  # type: ignore[arg-type]
            else:
                assert isinstance(action, Fit | Merge)
                recipe.add_model(*execute(action, device="cpu"))
        ends.append(action.model)
        losses = [record["marginal_loss"] for record in recipe.history if "marginal_loss" in record]
        assert recipe.history[-1]["kind"] == "calibration"
        assert losses[-1] < losses[0]  # type: ignore[operator]
    assert ends[0] == ends[1]


def test_a_plan_says_how_often_it_trains_by_kind() -> None:
    settings = RecipeSettings.model_validate({"rounds": 3, "adversarial": {"rounds": 7}})
    assert settings.training_rounds == 3
    assert settings.training is settings.refiner.update
    scratch = settings.model_copy(update={"kind": "adversarial"})
    assert scratch.training_rounds == 7
    assert scratch.training is scratch.adversarial


def test_settings_that_train_nothing_are_refused() -> None:
    for settings in (UpdateSettings, AdversarialSettings):
        with pytest.raises(ValueError, match="would learn nothing"):
            settings(adversarial_weight=0, moments=0, anchor=0)
        assert settings(adversarial_weight=0, moments=0, anchor=0.1).anchor == 0.1


@pytest.mark.parametrize("unread", [{"loss": "classic"}, {"server": "fedadam"}, {"beta1": 0.5}, {"proximal": 0.1}])
def test_settings_that_no_refiner_reads_are_refused(unread: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=f"leave out {next(iter(unread))}"):
        RefinerSettings.model_validate({"update": unread})
    RefinerSettings.model_validate({"update": {"local_steps": 3, "clip": 2.0, "anchor": 0.0}})
