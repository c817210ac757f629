"""What one organisation's training of a round comes to."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Discernment", "LocalUpdate"]


@dataclass(frozen=True, slots=True, eq=False)
class LocalUpdate:
    """What one organisation's training changed.

    Attributes:
        delta: float32, generator's parameters then critic's, new minus shared. May hold NaN if training broke.
        accuracy: share of pairs of a row and a draw in which the critic held the row to be the real one, 0 to 1; .5
            where it could not tell, or was not trained.
    """

    delta: NDArray[np.float32]
    accuracy: float = 0.5


class Discernment:
    """Counts how often a critic holds the row of a pair to be the real one, over the steps of a round.

    Pairs, and not a threshold at 0: relativistic and Wasserstein critics are trained on differences alone.
    """

    def __init__(self) -> None:
        """Begin without a pair."""
        self._right: Tensor | float = 0.0
        self._pairs = 0

    def add(self, real: Tensor, fake: Tensor) -> None:
        """Take the scores of as many rows and draws, shape (pairs,), as they were before the step."""
        with torch.no_grad():
            # Summed where the scores are: no step waits for a device.
            self._right = self._right + (real > fake).sum() + 0.5 * (real == fake).sum()
        self._pairs += len(real)

    @property
    def share(self) -> float:
        """Pairs that it was right about, ties by half; .5 without any."""
        return float(self._right) / self._pairs if self._pairs else 0.5
