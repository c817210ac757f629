"""Signs of a failing generator, on generators that fail on purpose."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from headwater.encoding.marginals import Marginal
from headwater.errors import InputError
from headwater.generator.conditions import shares_by_class
from headwater.generator.fit import fit_to_marginals, initial_model
from headwater.generator.health import Health, NetworkExamined, examine
from headwater.generator.model import Model
from support.codes import SIZES, TERMS, dependent_codes, marginals_of, small

CODES = dependent_codes()
MARGINALS = marginals_of(CODES)
FITTED = fit_to_marginals(small(), MARGINALS, TERMS, seed=1, device="cpu").with_critic(seed=2)


def changed(model: Model, change: Callable[[torch.nn.Module, torch.nn.Module], None]) -> Model:
    """A model whose networks `change(generator, critic)` has changed."""
    place = torch.device("cpu")
    generator, critic = model.build_generator(place, average=True), model.build_critic(place)
    with torch.no_grad():
        change(generator, critic)
    return Model.of(generator, critic=critic)


def deaf(generator: torch.nn.Module, critic: torch.nn.Module) -> None:
    generator.exit.weight.zero_()  # type: ignore[union-attr, operator]


def of_one_mode(generator: torch.nn.Module, critic: torch.nn.Module) -> None:
    generator.exit.weight.zero_()  # type: ignore[union-attr, operator]
    generator.exit.bias.mul_(20)  # type: ignore[union-attr, operator]


def flat(generator: torch.nn.Module, critic: torch.nn.Module) -> None:
    critic.layers[0].weight.mul_(1e-4)  # type: ignore[union-attr, index]


class Drawn:
    """Rows that are there already, as a generator without noise, weights or critic."""

    sizes = SIZES

    def __init__(self, codes: np.ndarray) -> None:
        self._codes = codes

    def codes(self, rows: int, seed: int) -> np.ndarray:
        return np.random.default_rng(seed).choice(self._codes, rows).astype(np.int32)

    def latent_sensitivity(self, seed: int) -> None:
        return None

    def gradient_norm(self, seed: int) -> None:
        return None


def seen(model: object) -> Health:
    return examine(model, MARGINALS, seed=3)  # type: ignore[arg-type]


def test_a_fitted_generator_shows_nothing() -> None:
    health = seen(FITTED)
    assert health.entropy_ratio > 0.9
    assert health.top_share_gap < 0.1
    assert health.tvd1 < 0.05
    assert health.latent_sensitivity is not None
    assert health.latent_sensitivity > 0.01
    assert not health.collapsed


def test_a_generator_that_ignores_its_noise_is_seen_though_its_entropy_is_high() -> None:
    # Its biases are near the marginals: columns come out much as they should, and all rows from one distribution.
    health = seen(changed(initial_model(small(), MARGINALS, seed=1).with_critic(seed=2), deaf))
    assert health.latent_sensitivity == pytest.approx(0, abs=1e-6)
    assert health.entropy_ratio > 0.8


def test_a_generator_of_one_mode_is_seen_in_entropy_share_and_distance() -> None:
    health, before = seen(changed(FITTED, of_one_mode)), seen(FITTED)
    assert health.entropy_ratio < 0.2 * before.entropy_ratio
    assert health.top_share_gap > 0.3
    assert health.collapsed


def test_a_critic_that_is_flat_where_the_draws_are_teaches_nothing() -> None:
    health, before = seen(changed(FITTED, flat)), seen(FITTED)
    assert health.gradient_norm is not None
    assert before.gradient_norm is not None
    assert health.gradient_norm < 1e-2 * before.gradient_norm


def test_few_templates_with_the_right_marginals_are_seen_by_repetition_and_distance() -> None:
    random = np.random.default_rng(0)
    wide = random.integers(0, 4, (3000, 12)).astype(np.int32)
    marginals = [Marginal((c,), np.bincount(wide[:, c], minlength=4).astype(float)) for c in range(12)]

    def look(rows: np.ndarray) -> Health:
        drawn = Drawn(rows)
        drawn.sizes = (4,) * 12  # type: ignore[assignment]
        return examine(drawn, marginals, seed=1)

    many, few = look(wide), look(wide[:40])
    assert many.entropy_ratio > 0.9
    assert few.entropy_ratio > 0.9
    assert many.duplicates < 0.5 < few.duplicates
    assert few.nearest_distance < 0.1 * many.nearest_distance


def test_what_has_no_noise_and_no_critic_has_no_sign_of_them() -> None:
    document = seen(Drawn(CODES)).to_document()
    assert set(document) == {"entropy_ratio", "top_share_gap", "duplicates", "nearest_distance", "tvd1"}
    bare = initial_model(small(), MARGINALS, seed=1)
    assert "gradient_norm" not in seen(bare).to_document()


def test_equal_models_and_seeds_show_equal_signs() -> None:
    again = Model.from_bytes(FITTED.to_bytes())
    assert seen(FITTED) == seen(again) == seen(NetworkExamined(again))


def test_a_column_that_nobody_counted_is_refused() -> None:
    with pytest.raises(InputError, match="in no marginal"):
        examine(FITTED, [], seed=1)


@pytest.mark.parametrize("packing", [3, 10])
def test_a_critic_of_packs_is_examined_whatever_their_size(packing: int) -> None:
    # 256 noises are no whole number of such packs.
    model = initial_model(small(packing=packing), MARGINALS, seed=1).with_critic(2)
    norm = NetworkExamined(model).gradient_norm(3)
    assert norm is not None
    assert norm > 0


def test_a_condition_is_no_effect_of_the_noise() -> None:
    shares = shares_by_class(SIZES, 2, MARGINALS)
    model = initial_model(small(condition="label", shares=shares), MARGINALS, seed=1)
    heard = NetworkExamined(model).latent_sensitivity(3)
    network, latent = model.build_generator(torch.device("cpu"), average=True), model.spec.latent
    with torch.no_grad():
        # It hears its condition and nothing else.
        dict(network.named_parameters())["trunk.entry.weight"][:, :latent] = 0
    assert heard > 0.01
    assert NetworkExamined(Model.of(network)).latent_sensitivity(3) < 1e-6 * heard
