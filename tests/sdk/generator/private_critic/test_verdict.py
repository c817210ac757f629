"""Steps of a critic by sums, and the verdict on them: what helps is used, what does not is rolled back."""

import math

import numpy as np
import pytest

from headwater.encoding.noisy import NoisyMarginal
from headwater.generator.private_critic.network import integer_critic_of
from headwater.generator.private_critic.training import draws_of, step_critic
from headwater.generator.private_critic.verdict import Signals, weigh_noisy
from headwater.generator.private_step.clipped_sum import Clip, clipped_sum
from headwater.generator.private_step.coded_rows import CodedRows
from headwater.generator.refiner.drawing import RefinedDraws
from headwater.generator.refiner.features import Features
from headwater.generator.refiner.model import RefinedMixture, is_refined
from headwater.mixture.form import Form, RowFeatures
from headwater.mixture.parameters import Mixture
from headwater.recipe.actions import StepCritic, SummedGradient, WeighNoisy
from headwater.recipe.private_critic import PrivateCritic
from headwater.recipe.private_settings import CriticSettings

FORM = Form((2, 2, 2), None, (), ())
TERMS = CriticSettings(steps=48, width=8, draws=2048, rate=0.5, learning_rate=5.0)
UNITS = 2000


def mixture() -> bytes:
    """Three columns of two even codes, independent of each other."""
    shares = np.full((1, 6), 0.5)
    nothing = np.zeros((1, 0))
    return Mixture(FORM, np.zeros(1, np.int32), np.ones(1), shares, nothing, np.zeros((1, 0, 0))).to_bytes()


def rows_of(together: float, rows: int = 4000) -> RowFeatures:
    """Rows whose first two columns agree with this chance."""
    random = np.random.default_rng(3)
    units = random.integers(0, 2, (rows, 3)).astype(np.int32)
    units[:, 1] = np.where(random.random(rows) < together, units[:, 0], 1 - units[:, 0])
    return RowFeatures(np.zeros(rows, np.int32), units, np.zeros((rows, 0)))


def counted(rows: RowFeatures, deviation: float = 30.0) -> tuple[NoisyMarginal, ...]:
    """The pair of the first two columns."""
    flat = np.bincount(rows.units[:, 0] * 2 + rows.units[:, 1], minlength=4).astype(np.float64)
    maps = (np.arange(2, dtype=np.int32), np.arange(2, dtype=np.int32))
    return (NoisyMarginal((0, 1), maps, flat, np.full(4, deviation**2)),)


def trained(rows: RowFeatures, noise: float, sign: float = 1.0) -> bytes:
    """A critic after its plan's steps, from sums over all rows."""
    base, random = mixture(), np.random.default_rng(9)
    features = Features(FORM)
    coded = CodedRows.of(rows, features)
    critic, _ = step_critic(StepCritic(base, b"", None, TERMS, 1))
    for step in range(TERMS.steps):
        network = integer_critic_of(PrivateCritic.from_bytes(critic), features, TERMS.width)
        total = sign * clipped_sum(network, coded, Clip(TERMS.clip, UNITS), step)
        total = total + random.normal(0, noise * UNITS, len(total))
        summed = SummedGradient(total.astype(np.int64), UNITS, noise * UNITS, float(len(rows.classes)), step)
        critic, _ = step_critic(StepCritic(base, critic, summed, TERMS, 1))
    return critic


def judged(rows: RowFeatures, critic: bytes) -> tuple[bytes, dict[str, object]]:
    model, report = weigh_noisy(WeighNoisy(mixture(), critic, counted(rows), TERMS, 2))
    return model, dict(report.verdict)


def test_what_the_mixture_misses_is_learnt_from_sums_and_released() -> None:
    rows = rows_of(0.9)
    model, verdict = judged(rows, trained(rows, noise=5.0))
    assert verdict["accepted"]
    assert verdict["misfit"] < 0.5 * verdict["base_misfit"]  # type: ignore[operator]
    drawn = RefinedDraws(RefinedMixture.from_bytes(model)).sampled(4000, np.random.default_rng(0))
    assert np.mean(drawn.units[:, 0] == drawn.units[:, 1]) > 0.65


def test_noise_alone_is_rolled_back_to_the_fitted_mixture() -> None:
    rows = rows_of(0.5)
    model, verdict = judged(rows, trained(rows, noise=100.0))
    assert not verdict["accepted"]
    assert model == mixture()
    assert not is_refined(model)


def test_what_leads_away_from_the_counts_is_rolled_back() -> None:
    rows = rows_of(0.9)
    learnt = trained(rows, noise=5.0)
    model, verdict = judged(rows_of(0.5), learnt)
    assert (verdict["accepted"], verdict["reason"]) == (
        False,
        "it leads away from the noisy counts by more than their noise",
    )
    assert model == mixture()


def test_a_critic_that_runs_away_ends_in_a_verdict_and_not_in_an_error() -> None:
    rows = rows_of(0.9)
    _, verdict = judged(rows, trained(rows, noise=1e9))
    assert not verdict["accepted"]


@pytest.mark.parametrize(
    ("gain", "misfit", "used"), [(0.3, 1.0, True), (0.1, 1.0, False), (-1.0, 0.5, False), (0.3, 1.2, False)]
)
def test_both_signs_must_be_beyond_their_noise(gain: float, misfit: float, *, used: bool) -> None:
    assert (Signals(gain, 0.1, 1.0, misfit, 800).against == "") == used


def test_a_gain_is_measured_by_sums_that_no_step_was_taken_by() -> None:
    rows = rows_of(0.9)
    critic = PrivateCritic.from_bytes(trained(rows, noise=5.0))
    way = critic.average.astype(np.float64) - critic.first
    deviation = 5.0 / len(rows.classes) * math.sqrt(way @ way / TERMS.checks)
    assert critic.steps == TERMS.steps
    assert math.sqrt(critic.gain_variance) == pytest.approx(deviation, rel=1e-6)
    assert np.allclose(critic.weights, (critic.first + critic.average) / 2)


def test_draws_and_rows_that_agree_leave_no_gradient_but_chance() -> None:
    base = mixture()
    critic, _ = step_critic(StepCritic(base, b"", None, TERMS, 1))
    network = integer_critic_of(PrivateCritic.from_bytes(critic), Features(FORM), TERMS.width)
    rows = draws_of(base, 20_000, 77)
    total = clipped_sum(network, CodedRows.of(rows, Features(FORM)), Clip(TERMS.clip, UNITS), 5)
    summed = SummedGradient(total, UNITS, 0.0, 20_000.0, 5)
    moved, _ = step_critic(StepCritic(base, critic, summed, TERMS, 1))
    step = PrivateCritic.from_bytes(moved).weights - PrivateCritic.from_bytes(critic).weights
    # A fifth of the rate in the first step; means of 2,048 draws err by 1 / √2048 of the clip norm at most.
    assert np.linalg.norm(step) < TERMS.learning_rate / 5 * 3 / math.sqrt(TERMS.draws)
