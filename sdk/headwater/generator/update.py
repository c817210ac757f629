"""Merge the organisations' mean update into the shared model."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.generator.model import Model
from headwater.generator.server_optimiser import ServerOptimiserTerms, server_step

__all__ = ["ServerTerms", "apply_update", "update_length"]


class ServerTerms(ServerOptimiserTerms, Protocol):
    """The numbers of the merge; `headwater.recipe.settings.UpdateSettings` has them."""

    @property
    def ema(self) -> float:
        """Decay of the average generator, a round."""


def update_length(model: Model) -> int:
    """Number of values in an update: the generator's parameters and the critic's."""
    return len(model.generator) + len(model.critic)


def apply_update(model: Model, mean_delta: NDArray[np.floating], terms: ServerTerms) -> Model:
    """The model after a round.

    Args:
        model: what the organisations started from, with its critic.
        mean_delta: shape (update_length(model),): the weighted mean of their changes, finite.
        terms: server optimiser and decay of the average.

    Raises:
        InputError: the update is not of the model's length, or not finite: it must not be taken.
    """
    if mean_delta.shape != (update_length(model),):
        raise InputError(
            f"the update has {mean_delta.size} values, the model {update_length(model)}; they do not belong"
        )
    if not np.isfinite(mean_delta).all():
        raise InputError("the update is not finite; the round is not taken")
    delta = mean_delta.astype(np.float32)
    cut = len(model.generator)
    generator, state = server_step(model.generator, delta[:cut], model.server_state, terms)
    decay = np.float32(terms.ema)
    return Model(
        spec=model.spec,
        generator=generator,
        average=(decay * model.average + (np.float32(1) - decay) * generator).astype(np.float32),
        # The critic is merged by the plain mean: a server rate above 1 lets it run away from the generator.
        critic=model.critic + delta[cut:],
        server_state=state,
    )
