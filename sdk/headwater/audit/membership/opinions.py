"""What a released generator can be asked about a row: how likely it is, how real its critic finds it."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from headwater.encoding.encoding import Encoding
from headwater.generator.refiner.drawing import RefinedDraws
from headwater.generator.sampler import MixtureSampler, RefinedSampler, Sampler
from headwater.mixture.expectation import log_densities
from headwater.mixture.form import RowFeatures
from headwater.mixture.parameters import Mixture
from headwater.schema.table import Table

__all__ = ["opinions"]

F64 = NDArray[np.float64]


def opinions(sampler: Sampler, encoding: Encoding, rows: Table) -> Mapping[str, F64]:
    """What an attacker can ask of a generator about each row, by the name of the question.

    A mixture has a density. A refined mixture has none that could be written down; what it is made of is asked instead:
    its mixture's log-density, its critic's logit, and their sum as its draws are weighed.

    Args:
        sampler: the released generator.
        encoding: of the run.
        rows: with finite values.

    Returns:
        Scores of shape (rows,), higher for what the generator was rather fitted to; empty for a kind that has neither.
    """
    if isinstance(sampler, MixtureSampler):
        return {"density": log_densities(sampler.mixture, _features(sampler.mixture, encoding, rows))}
    if not isinstance(sampler, RefinedSampler):
        return {}
    model = sampler.model
    features = _features(model.mixture, encoding, rows)
    densities = log_densities(model.mixture, features)
    if not len(model.critic):
        return {"density": densities}
    strength = 1.0 if model.weighing is None else model.weighing.strength
    logits = RefinedDraws(model).logits(features)
    return {"density": densities, "logit": logits, "both": densities + strength * logits}


def _features(mixture: Mixture, encoding: Encoding, rows: Table) -> RowFeatures:
    return mixture.form.rows(rows, encoding, coded=mixture.tilt is not None)
