"""How the coordinator steps along the organisations' mean update: plainly, with momentum, or as Adam does."""

from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError

__all__ = ["ServerOptimiserName", "ServerOptimiserTerms", "server_step", "state_length"]

F32 = NDArray[np.float32]
ServerOptimiserName = Literal["mean", "fedavgm", "fedadam"]


class ServerOptimiserTerms(Protocol):
    """The numbers of the step; `headwater.recipe.settings.UpdateSettings` has them."""

    @property
    def server(self) -> ServerOptimiserName:
        """Which optimiser."""

    @property
    def server_rate(self) -> float:
        """What the step is multiplied with."""

    @property
    def server_beta1(self) -> float:
        """Decay of the momentum."""

    @property
    def server_beta2(self) -> float:
        """Decay of the squares, of "fedadam"."""

    @property
    def server_floor(self) -> float:
        """τ: added to the root of the squares, of "fedadam"."""


def state_length(name: ServerOptimiserName, weights: int) -> int:
    """Numbers that an optimiser keeps from round to round for so many weights."""
    return {"mean": 0, "fedavgm": 1, "fedadam": 2}[name] * weights


def server_step(weights: F32, mean_delta: F32, state: F32, terms: ServerOptimiserTerms) -> tuple[F32, F32]:
    """The weights after a round, with the optimiser's state after it.

    The mean update stands for the negative gradient.

    Args:
        weights: shape (n,).
        mean_delta: shape (n,), the weighted mean of the organisations' changes.
        state: as the step before returned it; empty before the first.
        terms: which optimiser, with its numbers.

    Raises:
        InputError: the state is another optimiser's.

    Source: Reddi et al. 2021 (arXiv:2003.00295), algorithm 2 for "fedadam", without correction of bias as there and
        with the squares starting at τ²; Hsu et al. 2019 (arXiv:1909.06335) for "fedavgm".
    """
    length = state_length(terms.server, len(weights))
    if not len(state):
        state = np.zeros(length, np.float32)
        state[len(weights) :] = terms.server_floor**2
    if len(state) != length:
        raise InputError(f"the server's state has {len(state)} numbers, {terms.server} keeps {length}; start a new run")
    rate, beta1, beta2 = np.float32(terms.server_rate), np.float32(terms.server_beta1), np.float32(terms.server_beta2)
    one = np.float32(1)
    if terms.server == "mean":
        return (weights + rate * mean_delta).astype(np.float32), state
    if terms.server == "fedavgm":
        momentum = beta1 * state + mean_delta
        return (weights + rate * momentum).astype(np.float32), momentum.astype(np.float32)
    momentum = beta1 * state[: len(weights)] + (one - beta1) * mean_delta
    squares = beta2 * state[len(weights) :] + (one - beta2) * np.square(mean_delta)
    step = (momentum / (np.sqrt(squares) + np.float32(terms.server_floor))).astype(np.float32)
    return (weights + rate * step).astype(np.float32), np.concatenate([momentum, squares]).astype(np.float32)
