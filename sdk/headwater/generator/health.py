"""Signs of a failing generator that need no rows: weights, noise and the summed marginals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from headwater.encoding.marginals import Marginal, marginalise
from headwater.errors import InputError
from headwater.generator.model import Model
from headwater.generator.sampling import sample_codes

__all__ = ["Health", "examine"]

_ROWS = 2000


@dataclass(frozen=True, slots=True)
class Health:
    """What one look at a generator showed.

    Attributes:
        entropy_ratio: the smallest over columns of generated entropy / marginal entropy; near 0 is a collapse.
        top_share_gap: the largest over columns of generated share − marginal share of a most frequent code.
        duplicates: share of 2,000 drawn rows that repeat another.
        latent_sensitivity: mean ‖p(z) − p(z′)‖ / ‖z − z′‖; near 0 the noise is ignored.
        tvd1: mean over columns of the total variation distance to the marginals.
    """

    entropy_ratio: float
    top_share_gap: float
    duplicates: float
    latent_sensitivity: float
    tvd1: float

    @property
    def collapsed(self) -> bool:
        """Whether the generator makes far less variety than the marginals have."""
        return self.entropy_ratio < 0.5 or self.top_share_gap > 0.3

    def to_document(self) -> dict[str, float]:
        """JSON values, rounded for people."""
        return {
            "entropy_ratio": round(self.entropy_ratio, 4),
            "top_share_gap": round(self.top_share_gap, 4),
            "duplicates": round(self.duplicates, 4),
            "latent_sensitivity": round(self.latent_sensitivity, 5),
            "tvd1": round(self.tvd1, 4),
        }


def examine(model: Model, marginals: Sequence[Marginal], seed: int) -> Health:
    """Draw 2,000 rows and compare them with the marginals.

    Args:
        model: whose average weights are looked at.
        marginals: every column must stand in one.
        seed: of the draws.

    Raises:
        InputError: a column is in no marginal.
    """
    sizes = model.spec.sizes
    codes = np.concatenate(list(sample_codes(model, _ROWS, seed, device="cpu")))
    ratios, gaps, distances = [], [], []
    for column, size in enumerate(sizes):
        expected = _shares(marginals, sizes, column)
        drawn = np.bincount(codes[:, column], minlength=size) / len(codes)
        if (entropy := _entropy(expected)) > 0.05:
            ratios.append(_entropy(drawn) / entropy)
        gaps.append(float((drawn - expected)[expected.argmax()]))
        gaps.append(float(drawn.max() - expected[drawn.argmax()]))
        distances.append(0.5 * float(np.abs(drawn - expected).sum()))
    return Health(
        entropy_ratio=min(ratios, default=1.0),
        top_share_gap=max(gaps),
        duplicates=1 - len(np.unique(codes, axis=0)) / len(codes),
        latent_sensitivity=_sensitivity(model, seed),
        tvd1=float(np.mean(distances)),
    )


def _shares(marginals: Sequence[Marginal], sizes: Sequence[int], column: int) -> np.ndarray:
    for marginal in marginals:
        if column in marginal.columns:
            counts = marginalise(marginal, sizes, (column,)).counts
            shares: np.ndarray = counts / max(counts.sum(), 1.0)
            return shares
    raise InputError(f"column number {column} is in no marginal; count every column")


def _entropy(shares: np.ndarray) -> float:
    positive = shares[shares > 0]
    return float(-(positive * np.log(positive)).sum())


def _sensitivity(model: Model, seed: int) -> float:
    generator = model.build_generator(torch.device("cpu"), average=True)
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        first, second = generator.noise(256, random), generator.noise(256, random)
        moved = (generator.unit_probabilities(first) - generator.unit_probabilities(second)).norm(dim=1)
        return float((moved / (first - second).norm(dim=1)).mean())
