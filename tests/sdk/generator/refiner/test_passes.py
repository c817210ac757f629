"""Drawn rows run through refiner and critic by the law, and to the numbers, of the networks that were trained."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from headwater.generator.refiner.drawing import RefinedDraws, sample_refined
from headwater.generator.refiner.model import RefinedMixture, Weighing
from headwater.generator.refiner.passes import CriticPass, RefinerPass
from headwater.mixture.form import RowFeatures
from support.mixtures import together
from support.refined import fitted_mixture, refined_model

_, ENCODING, FORM, _FITTED = together()
MODEL = refined_model(fitted_mixture())
ROWS = RefinedDraws(replace(MODEL, refiner=MODEL.refiner[:0])).drawn(40_000, np.random.default_rng(0))


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def pushing(scale: float, spread: float = 0.3) -> RefinedMixture:
    """A refiner whose pushes stand `scale` apart from code to code, and vary with row and noise by about `spread`."""
    random, features = np.random.default_rng(1), MODEL.features
    moved = features.cells + features.scores
    delta = np.zeros(len(MODEL.refiner) + len(MODEL.critic))
    weights = MODEL.shape.width * moved
    end = len(MODEL.refiner)
    delta[end - moved - weights : end - moved] = spread * random.normal(size=weights)
    delta[end - moved : end - features.scores] = scale * random.normal(size=features.cells)
    return MODEL.moved(delta, 1.0)


def by_network(model: RefinedMixture, rows: RowFeatures) -> RowFeatures:
    with torch.no_grad():
        vectors, _ = model.build_refiner()(model.features.tensor(rows), 1.0, torch.Generator().manual_seed(2))
    return model.features.rows(vectors, rows.classes)


# Pushes of 80 and more are beyond the exponentials of float32 when one multiplies them by what a drawn code has beyond.
@pytest.mark.parametrize("scale", [6.0, 80.0])
def test_codes_and_scores_are_drawn_by_the_law_of_the_trained_network(scale: float) -> None:
    model = pushing(scale)
    slow = by_network(model, ROWS)
    fast = RefinerPass(model.build_refiner())(ROWS, np.random.default_rng(3))
    changed = 0
    for place, size in enumerate(FORM.unit_sizes):
        pairs = [
            np.bincount(ROWS.units[:, place] * size + each.units[:, place], minlength=size**2) for each in (slow, fast)
        ]
        # Two independent counts of one law differ by four standard deviations in one cell of 16,000.
        assert (np.abs(pairs[0] - pairs[1]) <= 4.5 * np.sqrt(pairs[0] + pairs[1]) + 3).all()
        changed += int((fast.units[:, place] != ROWS.units[:, place]).sum())
    assert changed > 2000
    for pushes in ((slow.scores - ROWS.scores).T, (fast.scores - ROWS.scores).T):
        assert (pushes.std(axis=1) > 0.01).all()
    first, second = slow.scores - ROWS.scores, fast.scores - ROWS.scores
    margin = 4.5 * first.std(axis=0) * np.sqrt(2 / len(first))
    assert (np.abs(first.mean(axis=0) - second.mean(axis=0)) < margin + 1e-3).all()
    np.testing.assert_allclose(second.std(axis=0), first.std(axis=0), rtol=0.05)


def test_a_critic_judges_as_it_was_trained_and_a_combination_nobody_counted_too() -> None:
    model = replace(MODEL, critic=np.random.default_rng(4).normal(0, 0.4, len(MODEL.critic)).astype(np.float32))
    units = ROWS.units[:3000].copy()
    units[::3, 0] = -1
    rows = RowFeatures(ROWS.classes[:3000], units, ROWS.scores[:3000])
    critic = model.build_critic()
    with torch.no_grad():
        expected = critic(model.features.tensor(rows)).double().numpy()
    judged = CriticPass(critic, model.features)(rows)
    # Products are in bfloat16 where the processor has it: noise of 2⁻⁸ of a product.
    assert expected.std() > 0.5
    assert np.abs(judged - expected).max() < 0.05 * expected.std()
    assert abs((judged - expected).mean()) < 5e-3 * expected.std()


def test_weighed_draws_follow_the_weights_whatever_is_drawn_afresh() -> None:
    features = MODEL.features
    even = ROWS.units[:, 0] % 2 == 0
    knots = np.tile(np.linspace(-3, 3, 64), (features.scores, 1))
    for heavy in (0.3, 1.6):
        # Every other code of the first unit is heavier; how much the heaviest exceeds 1 says how many are drawn afresh.
        tables = np.zeros((features.classes, features.cells))
        tables[:, : FORM.unit_sizes[0] : 2] = heavy
        plain = np.exp(np.where(even, heavy, 0.0))
        normals = np.log([plain[ROWS.classes == number].mean() for number in range(features.classes)])
        weighing = Weighing(0.0, normals, tables, knots)
        draws = RefinedDraws(replace(MODEL, refiner=MODEL.refiner[:0], critic=MODEL.critic[:0], weighing=weighing))
        sampled = draws.sampled(20_000, np.random.default_rng(6))
        for number in range(features.classes):
            mine = ROWS.classes == number
            wanted = float(plain[mine & even].sum() / plain[mine].sum())
            found = float((sampled.units[sampled.classes == number, 0] % 2 == 0).mean())
            assert abs(found - wanted) < 0.015
            assert abs(found - float(even[mine].mean())) > 0.03


def test_equal_seeds_and_batches_give_equal_rows() -> None:
    model = pushing(6.0)
    first, second = (
        list(sample_refined(RefinedDraws(model), ENCODING, 3000, 5, batch_size=1300, label=None)) for _ in range(2)
    )
    for one, other in zip(first, second, strict=True):
        for name in ENCODING.schema.names:
            np.testing.assert_array_equal(one.columns[name], other.columns[name])
