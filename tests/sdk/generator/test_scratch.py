"""Training from scratch: what each setting does to it, and that it learns what a product of columns cannot have."""

import numpy as np
import pytest
import torch

from headwater.generator.adversarial import train_locally
from headwater.generator.fit import initial_model, marginal_loss
from headwater.generator.model import Model
from headwater.generator.sampling import sample_codes
from headwater.generator.update import apply_update, update_length
from headwater.recipe.settings import AdversarialSettings, UpdateSettings
from support.codes import dependent_codes, marginals_of, small

CODES = dependent_codes(1200)
MARGINALS = marginals_of(CODES)


def fresh(**changes: object) -> Model:
    return initial_model(small(**changes), MARGINALS, seed=1).with_critic(seed=2)


def follows(codes: np.ndarray) -> float:
    """Share of rows in which the third column is what the first two say; a product of columns has about .6."""
    return float(((codes[:, 0] + codes[:, 1] >= 2) == (codes[:, 2] == 1)).mean())


def federated(terms: UpdateSettings, parts: list[np.ndarray], rounds: int) -> Model:
    model = fresh()
    for done in range(rounds):
        updates = [
            train_locally(model, part, terms, 10 * done + number, "cpu", progress=done / rounds).delta
            for number, part in enumerate(parts)
        ]
        model = apply_update(model, np.mean(updates, axis=0), terms)
    return model


def test_a_few_rounds_from_scratch_learn_what_independent_columns_cannot_have() -> None:
    terms = AdversarialSettings(local_steps=10, batch=32, moments_batch=128, generator_rate=5e-3, ema=0.3)
    trained = federated(terms, np.array_split(CODES, 3), rounds=4)
    drawn = np.concatenate(list(sample_codes(trained, 2000, seed=3, device="cpu")))
    random = np.random.default_rng(0)
    independent = np.stack([random.permutation(column) for column in CODES.T], axis=1)
    assert follows(CODES) > 0.9
    assert follows(independent) < 0.7
    assert follows(drawn) > 0.8
    assert marginal_loss(trained, MARGINALS, 5) < 0.5 * marginal_loss(fresh(), MARGINALS, 5)


def change(**settings: object) -> np.ndarray:
    terms = UpdateSettings(**({"local_steps": 3, "batch": 32, "anchor": 0.0} | settings))  # type: ignore[arg-type]
    return train_locally(fresh(), CODES, terms, 3, "cpu").delta


@pytest.mark.parametrize(
    "settings",
    [
        {"instance_noise": 0.3},
        {"moments": 1.0, "moments_batch": 64},
        {"information": 1.0},
        {"warm_up": 5},
        {"final_rate": 0.1},
        {"autocast": True},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_each_setting_is_heard_and_keeps_training_finite(settings: dict[str, object]) -> None:
    changed = change(**settings)
    assert np.isfinite(changed).all()
    # The rate falls from one round to the next, so the first round knows nothing of where it falls to.
    assert np.array_equal(changed, change()) is ("final_rate" in settings)


def test_rates_fall_along_a_half_cosine_over_the_rounds() -> None:
    terms = UpdateSettings(local_steps=1, batch=32, final_rate=0.2, anchor=0.0)
    steps = [
        float(np.abs(train_locally(fresh(), CODES, terms, 3, "cpu", progress=progress).delta).max())
        for progress in (0.0, 0.5, 1.0)
    ]
    # The first step of Adam is as long as the rate, whatever the gradient.
    np.testing.assert_allclose(steps, [4e-4, 4e-4 * 0.6, 4e-4 * 0.2], rtol=1e-2)


def test_instance_noise_is_gone_in_the_last_round() -> None:
    noisy, clean = (UpdateSettings(local_steps=2, batch=32, anchor=0.0, instance_noise=n) for n in (0.5, 0.0))
    last = [train_locally(fresh(), CODES, terms, 3, "cpu", progress=1.0).delta for terms in (noisy, clean)]
    np.testing.assert_array_equal(last[0], last[1])


def test_the_proximal_term_keeps_weights_near_the_shared_ones() -> None:
    terms = UpdateSettings(local_steps=40, batch=32, moments=1.0, moments_batch=64, anchor=0.0, beta1=0.5)
    free, held = (
        float(np.linalg.norm(train_locally(fresh(), CODES, terms, 3, "cpu", proximal=mu).delta)) for mu in (0.0, 10.0)
    )
    assert held < 0.5 * free


@pytest.mark.parametrize("loss", ["r3", "wgan-gp", "classic"])
def test_packs_are_judged_together(loss: str) -> None:
    packed = fresh(packing=4)
    assert len(packed.critic) > len(fresh().critic)
    # 30 rows are no whole number of packs: 28 are taken.
    terms = UpdateSettings(local_steps=3, batch=30, loss=loss)  # type: ignore[arg-type]
    delta = train_locally(packed, CODES, terms, 3, "cpu").delta
    assert np.isfinite(delta).all()
    assert np.abs(delta[-10:]).max() > 0


def test_without_an_adversarial_weight_the_critic_stays_as_it_was() -> None:
    delta = change(adversarial_weight=0.0, moments=1.0, moments_batch=64)
    cut = len(fresh().generator)
    assert np.abs(delta[:cut]).max() > 0
    assert not delta[cut:].any()


@pytest.mark.parametrize("kind", ["residual", "attention"])
def test_both_kinds_of_generator_learn(kind: str) -> None:
    terms = AdversarialSettings(local_steps=40, batch=32, moments_batch=128, generator_rate=5e-3, ema=0.0)
    start = fresh(kind=kind, width=16, attention_heads=2)
    trained = apply_update(start, train_locally(start, CODES, terms, 3, "cpu").delta, terms)
    assert marginal_loss(trained, MARGINALS, 5) < 0.6 * marginal_loss(start, MARGINALS, 5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA here")
@pytest.mark.parametrize("condition", ["none", "column"])
def test_training_runs_on_cuda_and_gives_about_what_the_cpu_gives(condition: str) -> None:
    shares = None if condition == "none" else np.full((2, 9), 0.25, np.float32)
    start = fresh(condition=condition, shares=shares)
    terms = AdversarialSettings(local_steps=2, batch=32, moments_batch=64, condition_frequency="log")
    on_cpu, on_gpu = (train_locally(start, CODES, terms, 3, device).delta for device in ("cpu", "cuda"))
    assert on_gpu.shape == (update_length(start),)
    assert np.isfinite(on_gpu).all()
    assert np.corrcoef(on_cpu, on_gpu)[0, 1] > 0.9
