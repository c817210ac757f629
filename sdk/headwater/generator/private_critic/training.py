"""Steps of a critic that raise the likelihood of rows under a mixture's draws weighed by its opinion."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from headwater.generator.network import flat_parameters
from headwater.generator.private_critic.network import integer_critic_of, layers_of, shape_of
from headwater.generator.private_step.clipped_sum import Clip, clipped_sum
from headwater.generator.private_step.coded_rows import CodedRows
from headwater.generator.private_step.integer_critic import activation_scales
from headwater.generator.refiner.drawing import RefinedDraws
from headwater.generator.refiner.model import RefinedMixture
from headwater.generator.refiner.network import SLOPE
from headwater.mixture.form import RowFeatures
from headwater.mixture.parameters import Mixture
from headwater.recipe.actions import ModelReport, StepCritic, SummedGradient
from headwater.recipe.private_critic import PrivateCritic

__all__ = ["draws_of", "step_critic", "weighed_model"]

F64 = NDArray[np.float64]

_POOL = 20_000
_WARM_UP = 5
_LAST_RATE = 0.1
# Weights of the last twenty steps or so are averaged.
_FORGETS = 0.05


def step_critic(action: StepCritic) -> tuple[bytes, ModelReport]:
    """The answer to `StepCritic`: the critic's bytes.

    The gradient of a row's log-likelihood under draws that are weighed by exp(opinion) is that of the opinion at the
    row, less its mean over the weighed draws. Rows and draws are clipped and rounded alike, so that where they agree
    nothing is left of either. No row is seen here: what follows from a noisy sum costs nothing more.

    Raises:
        InputError: the parts do not belong together.
    """
    if action.gradient is None:
        return _begun(action)
    critic, mixture = PrivateCritic.from_bytes(action.critic), Mixture.from_bytes(action.mixture)
    summed, terms = action.gradient, action.terms
    clip = Clip(terms.clip, summed.sensitivity)
    gradient = summed.total / (summed.rows * clip.scale) - _of_draws(action, mixture, critic, summed, clip)
    done, last = critic.steps, terms.steps - terms.checks
    if done >= last:
        critic = critic.checked(gradient, summed.deviation / (summed.rows * clip.scale), terms.checks)
    else:
        rate = terms.learning_rate * min(1.0, (done + 1) / _WARM_UP) * (1 - (1 - _LAST_RATE) * done / last)
        critic = critic.after(gradient, rate, max(_FORGETS, 1 / (done + 1)))
        critic = critic.halfway() if done + 1 == last else critic
    return critic.to_bytes(), ModelReport(0.0, len(critic.weights), {})


def weighed_model(mixture: Mixture, weights: NDArray[np.float32], width: int) -> RefinedMixture:
    """A mixture with a critic and nothing that moves its draws; not weighed yet."""
    return RefinedMixture(mixture, shape_of(width), np.zeros(0, np.float32), weights)


@lru_cache(maxsize=2)
def draws_of(mixture: bytes, rows: int, seed: int) -> RowFeatures:
    """Draws of a mixture, which every step of a run uses again."""
    read = Mixture.from_bytes(mixture)
    none = np.zeros(0, np.float32)
    return RefinedDraws(RefinedMixture(read, shape_of(1), none, none)).drawn(rows, np.random.default_rng(seed))


def _begun(action: StepCritic) -> tuple[bytes, ModelReport]:
    """A critic that knows nothing."""
    model = RefinedMixture.begin(Mixture.from_bytes(action.mixture), shape_of(action.terms.width), action.seed)
    weights = flat_parameters(model.build_critic()).numpy()
    pool = CodedRows.of(draws_of(action.mixture, _POOL, action.seed), model.features)
    scales = activation_scales(layers_of(weights, model.features, action.terms.width), SLOPE, pool)
    return PrivateCritic.begin(model.mixture.form, weights, scales).to_bytes(), ModelReport(0.0, len(weights), {})


def _of_draws(action: StepCritic, mixture: Mixture, critic: PrivateCritic, summed: SummedGradient, clip: Clip) -> F64:
    """The mean clipped gradient over weighed draws: float64, shape (parameters,)."""
    terms, pool = action.terms, draws_of(action.mixture, _POOL, action.seed)
    model = weighed_model(mixture, critic.weights, terms.width)
    logits = RefinedDraws(model).logits(pool)
    chances = np.exp(logits - logits.max())
    random = np.random.default_rng(summed.seed)
    chosen = random.choice(_POOL, terms.draws, p=chances / chances.sum())
    rows = CodedRows.of(pool.take(chosen), model.features)
    total = clipped_sum(integer_critic_of(critic, model.features, terms.width), rows, clip, summed.seed)
    return total / (terms.draws * clip.scale)
