"""Whether a critic's opinion makes a fitted mixture better, told from noisy sums alone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from headwater.encoding.noisy import NoisyMarginal, total_rows
from headwater.errors import InputError
from headwater.generator.private_critic.training import draws_of, weighed_model
from headwater.generator.refiner.drawing import RefinedDraws
from headwater.generator.refiner.weighing import codes_of, weighing_of
from headwater.mixture.form import Form, RowFeatures
from headwater.mixture.parameters import Mixture
from headwater.recipe.actions import ModelReport, WeighNoisy
from headwater.recipe.private_critic import PrivateCritic

__all__ = ["Signals", "weigh_noisy"]

F64 = NDArray[np.float64]

_DRAWS = 40_000
# Standard deviations of its own noise that a sign must show.
_SURE = 2.0


@dataclass(frozen=True, slots=True)
class Signals:
    """What noisy sums say of weighed draws beside draws as they were fitted.

    Attributes:
        gain: estimate of how much the steps raised the rows' mean log-likelihood, in nats a row.
        gain_deviation: of the noise in it.
        base_misfit: mean squared deviation from the noisy counts, in variances of their noise, of draws as fitted.
        misfit: of weighed draws.
        cells: that both are means over.
    """

    gain: float
    gain_deviation: float
    base_misfit: float
    misfit: float
    cells: int

    @property
    def against(self) -> str:
        """Why the critic is not used; "" where nothing speaks against it."""
        if self.gain <= _SURE * self.gain_deviation:
            return "its steps gained no more than the noise in what they gained"
        # A cell's squared deviation in units of its variance has a variance of 2.
        if self.misfit - self.base_misfit > _SURE * math.sqrt(2 / self.cells):
            return "it leads away from the noisy counts by more than their noise"
        return ""


def weigh_noisy(action: WeighNoisy) -> tuple[bytes, ModelReport]:
    """The answer to `WeighNoisy`: the bytes of what is released, and the verdict.

    Both signs follow from sums that were paid for, so that choosing by them costs nothing.

    Raises:
        InputError: the bytes are no mixture or no critic, or do not belong together.
    """
    mixture, critic = Mixture.from_bytes(action.mixture), PrivateCritic.from_bytes(action.critic)
    draws = draws_of(action.mixture, _DRAWS, action.seed)
    model = weighed_model(mixture, critic.average, action.terms.width)
    weighing, weights = weighing_of(model, draws, draws, RefinedDraws(model).logits(draws), 1.0)
    base, cells = _misfit(mixture.form, draws, np.ones(_DRAWS), action.marginals)
    misfit, _ = _misfit(mixture.form, draws, weights, action.marginals)
    against = Signals(critic.gain, math.sqrt(critic.gain_variance), base, misfit, cells).against
    released = action.mixture
    if not against:
        try:
            released = replace(model, weighing=weighing).to_bytes()
        except InputError:
            # Its opinion is beyond what a weighing may hold.
            against = "it ran away"
    verdict: dict[str, object] = {
        "accepted": not against,
        "reason": against,
        "gain": round(critic.gain, 6),
        "gain_deviation": round(math.sqrt(critic.gain_variance), 6),
        "base_misfit": round(base, 5),
        "misfit": round(misfit, 5),
    }
    return released, ModelReport(misfit, 0, {}, verdict)


def _misfit(form: Form, draws: RowFeatures, weights: F64, marginals: Sequence[NoisyMarginal]) -> tuple[float, int]:
    """Mean squared deviation over all cells, and how many there are."""
    codes, rows = codes_of(form, draws), total_rows(marginals)
    squares, cells = 0.0, 0
    for marginal in marginals:
        places = [by_code[codes[:, column]] for column, by_code in zip(marginal.columns, marginal.maps, strict=True)]
        flat = np.ravel_multi_index(places, marginal.shape)
        drawn = np.bincount(flat, weights, minlength=len(marginal.counts)) * (rows / weights.sum())
        squares += float((np.square(drawn - marginal.counts) / marginal.variance).sum())
        cells += len(marginal.counts)
    return squares / max(cells, 1), cells
