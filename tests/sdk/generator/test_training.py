"""Local adversarial training, its merge, and models as bytes."""

import numpy as np
import pytest

from headwater.errors import InputError
from headwater.generator.adversarial import train_locally
from headwater.generator.fit import initial_model
from headwater.generator.model import Model
from headwater.generator.spec import GeneratorSpec
from headwater.generator.update import apply_update, update_length
from headwater.recipe.settings import UpdateSettings
from support.codes import dependent_codes, marginals_of, small

CODES = dependent_codes(400)


def model(**changes: object) -> Model:
    return initial_model(small(**changes), marginals_of(CODES), seed=1).with_critic(seed=2)


@pytest.mark.parametrize("loss", ["r3", "wgan-gp", "classic"])
@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "silu", "dynamic_relu"])
def test_every_loss_moves_generator_and_critic_by_finite_amounts(loss: str, activation: str) -> None:
    start = model(activation=activation)
    terms = UpdateSettings(loss=loss, local_steps=5, batch=64)  # type: ignore[arg-type]
    delta = train_locally(start, CODES, terms, seed=3, device="cpu").delta
    assert delta.shape == (update_length(start),)
    assert delta.dtype == np.float32
    assert np.isfinite(delta).all()
    assert np.abs(delta[: len(start.generator)]).max() > 0
    assert np.abs(delta[len(start.generator) :]).max() > 0


def test_local_training_is_a_function_of_its_arguments_alone() -> None:
    terms = UpdateSettings(local_steps=3, batch=32)
    deltas = [train_locally(model(), CODES, terms, seed, "cpu").delta for seed in (3, 3, 4)]
    np.testing.assert_array_equal(deltas[0], deltas[1])
    assert not np.array_equal(deltas[0], deltas[2])


def test_training_teaches_the_critic_to_tell_rows_from_draws() -> None:
    start = model()
    terms = UpdateSettings(local_steps=60, batch=128, critic_rate=2e-3, generator_rate=1e-6)
    trained = apply_update(start, train_locally(start, CODES, terms, 3, "cpu").delta, terms)
    import torch

    generator = trained.build_generator(torch.device("cpu"), average=False)
    critic = trained.build_critic(torch.device("cpu"))
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        fake = critic(generator.soft_draws(generator.noise(400, random), 0.6, random))
        one_hot = torch.zeros(len(CODES), 9).scatter_(
            1, torch.from_numpy(CODES.astype("int64") + np.array([0, 3, 7])), 1.0
        )
        real = critic(one_hot)
    assert float(real.mean()) > float(fake.mean())


def test_merge_adds_the_mean_and_averages_the_generator() -> None:
    start = model()
    delta = np.full(update_length(start), 0.25, np.float32)
    merged = apply_update(start, delta, UpdateSettings(server_rate=2.0, ema=0.5))
    np.testing.assert_allclose(merged.generator, start.generator + 0.5, rtol=1e-5)
    np.testing.assert_allclose(merged.average, start.generator + 0.25, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(merged.critic, start.critic + 0.25, rtol=1e-5)


def test_update_that_is_not_finite_or_of_another_model_is_refused() -> None:
    start = model()
    broken = np.zeros(update_length(start))
    broken[3] = np.nan
    with pytest.raises(InputError, match="not finite"):
        apply_update(start, broken, UpdateSettings())
    with pytest.raises(InputError, match="do not belong"):
        apply_update(start, np.zeros(3), UpdateSettings())


@pytest.mark.parametrize(
    "codes",
    [
        np.zeros((0, 3), np.int32),
        np.full((4, 3), 9, np.int32),
        np.full((4, 3), -1, np.int32),
        np.zeros((4, 2), np.int32),
    ],
)
def test_rows_that_the_model_does_not_know_are_refused(codes: np.ndarray) -> None:
    with pytest.raises(InputError):
        train_locally(model(), codes, UpdateSettings(local_steps=1), 1, "cpu")


def test_training_without_a_critic_is_refused() -> None:
    bare = initial_model(small(), marginals_of(CODES), seed=1)
    with pytest.raises(InputError, match="no critic"):
        train_locally(bare, CODES, UpdateSettings(local_steps=1), 1, "cpu")


def test_model_bytes_round_trip_exactly() -> None:
    start = model()
    again = Model.from_bytes(start.to_bytes())
    assert again.to_bytes() == start.to_bytes()
    assert again.spec.to_document() == start.spec.to_document()


def test_damaged_model_bytes_are_refused_whatever_was_damaged() -> None:
    data = bytearray(model().to_bytes())
    cases = [bytes(data[:cut]) for cut in (0, 4, 8, 50, len(data) - 1)]
    cases += [b"\xff" * 8 + bytes(data[8:]), b"{}" * 50, bytes(data).replace(b'"F32"', b'"F16"', 1)]
    cases.append(bytes(data).replace(b"silu", b"siln", 1))
    for case in cases:
        with pytest.raises(InputError):
            Model.from_bytes(case)


def test_weights_that_are_not_finite_are_refused() -> None:
    start = model()
    weights = start.generator.copy()
    weights[0] = np.inf
    with pytest.raises(InputError, match="not finite"):
        Model(start.spec, weights, start.average, start.critic)


@pytest.mark.parametrize("changes", [{"latent": 0}, {"width": 10**6}, {"activation": "tanh"}, {"label": 3}])
def test_unusable_shape_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(InputError):
        small(**changes)


def test_shape_that_names_a_column_twice_is_refused() -> None:
    document = small().to_document()
    document["groups"] = [{"columns": [0, 0], "combinations": [[0, 0]]}]
    with pytest.raises(InputError):
        GeneratorSpec.from_document(document)
