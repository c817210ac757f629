"""The anchor that holds local training to the marginals of the generator that it started from."""

import torch
from torch import Tensor

from headwater.generator.network import Generator

__all__ = ["Anchor"]

_BATCH = 1024
_BATCHES = 8
_SMOOTHING = 1e-3


class Anchor:
    """The shared generator's 1-way and pair shares, and how far a batch is from them.

    They are drawn from it here, so no organisation is told the others' counts and still no organisation's label
    shares pull the shared generator away.

    Args:
        generator: before its training.
        random: of the latents.
    """

    def __init__(self, generator: Generator, random: torch.Generator) -> None:
        with torch.no_grad():
            moments = [self._moments(generator, random) for _ in range(_BATCHES)]
        self._ones = torch.stack([ones for ones, _ in moments]).mean(dim=0)
        self._pairs = torch.stack([pairs for _, pairs in moments]).mean(dim=0)
        columns = len(generator.spec.sizes)
        self._ones_weight = (self._ones + _SMOOTHING).rsqrt()
        self._pairs_weight = (self._pairs + _SMOOTHING).rsqrt() / columns

    @staticmethod
    def _moments(generator: Generator, random: torch.Generator) -> tuple[Tensor, Tensor]:
        codes = generator.codes(generator.unit_probabilities(generator.noise(_BATCH, random)))
        return codes.mean(dim=0), codes.T @ codes / len(codes)

    def loss(self, generator: Generator, random: torch.Generator) -> Tensor:
        """Weighted L1 distance of a fresh batch from the shares at the start, averaged over columns."""
        ones, pairs = self._moments(generator, random)
        away = (self._ones_weight * (ones - self._ones).abs()).sum()
        return (away + (self._pairs_weight * (pairs - self._pairs).abs()).sum()) / len(generator.spec.sizes)
