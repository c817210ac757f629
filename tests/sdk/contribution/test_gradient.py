"""A task of gradients is answered only as the approved plan has it: steps, sample, noise, clip and critic."""

from dataclasses import replace

import numpy as np
import pytest

from headwater.canonical import sha256_hex
from headwater.contribution.allowed import check_task
from headwater.contribution.contribute import contribute
from headwater.contribution.execution import execute
from headwater.errors import InputError, PeerError
from headwater.mixture.form import Form
from headwater.recipe.actions import Aggregate, Done
from headwater.recipe.layout import layout_of_counts
from headwater.recipe.machine import build_recipe
from headwater.recipe.private_critic import PrivateCritic
from headwater.recipe.private_steps import private_rounds, private_steps
from headwater.recipe.task import GradientNoise
from headwater.secagg.crypto.ring import to_signed
from support.private import Entropy, clear_sum, first_task, hybrid_plan, private_plan
from support.recipes import small_plan, small_table

PLAN = hybrid_plan(8.0)
ROWS = small_table(300)


def first_gradient() -> Aggregate:
    recipe = build_recipe(PLAN)
    while not isinstance(action := recipe.next(), Done):
        if isinstance(action, Aggregate) and action.task.kind == "gradient":
            return action
        if isinstance(action, Aggregate):
            recipe.add_sum(clear_sum(action.task, PLAN, [ROWS] * 3, 3), 3)
        else:
            recipe.add_model(*execute(action, device="cpu"))
    raise AssertionError("no gradient was asked for")


ASKED = first_gradient()
TASK, MODEL = ASKED.task, ASKED.model


def test_the_plan_s_own_task_is_answered() -> None:
    check_task(TASK, MODEL, PLAN)
    assert len(contribute(TASK, MODEL, ROWS, PLAN, members=3)) == TASK.length


@pytest.mark.parametrize(
    "change", [{"variance": -1}, {"variance": 1}, {"sensitivity": -1}, {"sensitivity": 1}, {"rate": 1}, {"rate": -1}]
)
def test_another_noise_or_sample_than_the_plan_s_is_refused(change: dict[str, int]) -> None:
    noise = TASK.noise
    assert isinstance(noise, GradientNoise)
    other = noise.model_copy(update={name: getattr(noise, name) + more for name, more in change.items()})
    with pytest.raises(PeerError, match="noise or sample"):
        check_task(TASK.model_copy(update={"noise": other}), MODEL, PLAN)


def test_no_noise_and_noise_of_counts_are_refused() -> None:
    for noise in ("none", first_task(PLAN).noise):
        with pytest.raises(PeerError, match="noise or sample"):
            check_task(TASK.model_copy(update={"noise": noise}), MODEL, PLAN)


@pytest.mark.parametrize("change", [{"clip": 2.0}, {"clip": None}, {"scale": 1.0}])
def test_another_clip_or_fixed_point_is_refused(change: dict[str, float | None]) -> None:
    with pytest.raises(PeerError, match="clip norm or fixed-point"):
        check_task(TASK.model_copy(update=change), MODEL, PLAN)


def test_a_gradient_before_the_counts_and_behind_the_last_step_is_refused() -> None:
    rounds = private_rounds(PLAN)
    for step in (1, len(private_steps(PLAN)), len(rounds) + 1):
        with pytest.raises(PeerError, match="budget pays for 7 rounds"):
            check_task(TASK.model_copy(update={"step": step}), MODEL, PLAN)
    check_task(TASK.model_copy(update={"step": len(rounds)}), MODEL, PLAN)


def test_a_count_in_a_round_of_gradients_is_refused() -> None:
    with pytest.raises(PeerError, match="of kind marginals"):
        check_task(first_task(PLAN).model_copy(update={"step": TASK.step}), b"", PLAN)


@pytest.mark.parametrize("plan", [private_plan(8.0), small_plan("hybrid"), small_plan("marginals")])
def test_a_plan_without_a_private_critic_answers_no_gradient(plan: object) -> None:
    with pytest.raises(PeerError):
        check_task(TASK, MODEL, plan)  # type: ignore[arg-type]


def test_a_critic_that_is_not_the_named_one_is_refused() -> None:
    with pytest.raises(PeerError, match="not the one it names"):
        check_task(TASK, MODEL + b" ", PLAN)
    with pytest.raises(PeerError, match="not the one it names"):
        check_task(TASK.model_copy(update={"model_digest": ""}), b"", PLAN)


def spoilt(**changes: object) -> bytes:
    critic = PrivateCritic.from_bytes(MODEL)
    parts = {"form": critic.form, "weights": critic.weights, "scales": critic.scales, **changes}
    return PrivateCritic(**parts).to_bytes()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "model",
    [
        b"no critic",
        spoilt(weights=PrivateCritic.from_bytes(MODEL).weights[:-1]),
        spoilt(scales=(1, 1)),
        spoilt(form=Form((2, 2), None, (), ())),
        spoilt(form=replace(PrivateCritic.from_bytes(MODEL).form, label=None)),
        spoilt(scales=(8, 1, 10**6)),
    ],
)
def test_a_critic_of_another_shape_than_plan_and_encoding_give_it_is_refused(model: bytes) -> None:
    task = TASK.model_copy(update={"model_digest": sha256_hex(model)})
    with pytest.raises(PeerError, match="critic is unusable"):
        contribute(task, model, ROWS, PLAN, members=3)


def test_a_task_of_another_length_than_its_critic_is_refused() -> None:
    with pytest.raises(PeerError, match="contradicts itself"):
        contribute(TASK.model_copy(update={"length": TASK.length - 1}), MODEL, ROWS, PLAN, members=3)


def test_values_that_leave_the_noise_no_room_are_refused_in_one_line() -> None:
    document = PLAN.model_dump(mode="json", by_alias=True)
    document["recipe"]["value_bits"] = 16
    plan = type(PLAN).model_validate(document)
    with pytest.raises(InputError, match=r"raise recipe\.value_bits"):
        contribute(TASK.model_copy(update={"value_bits": 16}), MODEL, ROWS, plan, members=3)


def test_sample_and_noise_come_from_the_operating_system_afresh() -> None:
    first, second = (to_signed(contribute(TASK, MODEL, ROWS, PLAN, members=3)) for _ in range(2))
    cells = TASK.length - layout_of_counts(0).length
    assert (first[:cells] != second[:cells]).mean() > 0.95


def test_a_row_that_is_not_finite_adds_nothing() -> None:
    # privacy.md 4: it is not in the sample's sum, however large its gradient would be.
    columns = {name: values.copy() for name, values in ROWS.columns.items()}
    columns["age"][:] = np.nan
    broken = type(ROWS)(ROWS.schema, columns, ROWS.rows)
    nobody = ROWS.take(np.zeros(ROWS.rows, bool))
    first = contribute(TASK, MODEL, broken, PLAN, members=3, entropy=Entropy(1))
    assert np.array_equal(first, contribute(TASK, MODEL, nobody, PLAN, members=3, entropy=Entropy(1)))


def test_a_critic_is_read_back_and_says_to_organisations_only_what_they_need() -> None:
    read = PrivateCritic.from_bytes(MODEL)
    critic = PrivateCritic.begin(read.form, read.weights, (8, 1, 1))
    again = PrivateCritic.from_bytes(critic.to_bytes())
    assert np.array_equal(again.weights, critic.weights)
    assert (again.scales, again.steps, again.gain) == (critic.scales, 0, 0.0)
    asked = PrivateCritic.from_bytes(critic.asked().to_bytes())
    assert len(asked.average) == len(asked.first) == 0


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e9])
def test_a_critic_of_numbers_that_are_none_is_refused(value: float) -> None:
    critic = PrivateCritic.from_bytes(MODEL)
    weights = critic.weights.copy()
    weights[0] = value
    with pytest.raises(InputError, match="not finite, or huge"):
        PrivateCritic(critic.form, weights, (8, 1, 1))
