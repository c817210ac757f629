"""Signs of a failing generator that need no rows: weights, noise and the summed marginals."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from headwater.encoding.marginals import Marginal, marginalise
from headwater.errors import InputError
from headwater.generator.model import Model
from headwater.generator.sampling import sample_codes

__all__ = ["Examined", "Health", "NetworkExamined", "examine"]

I32 = NDArray[np.int32]

_ROWS = 2000
_NEIGHBOURS = 400
_NOISES = 256
_TEMPERATURE = 0.6


class Examined(Protocol):
    """A generator that can be looked at, of whichever kind."""

    @property
    def sizes(self) -> Sequence[int]:
        """Number of codes of each column."""

    def codes(self, rows: int, seed: int) -> I32:
        """Drawn rows of codes, int32, shape (rows, columns)."""

    def latent_sensitivity(self, seed: int) -> float | None:
        """Mean ‖p(z) − p(z′)‖ / ‖z − z′‖, None where there is no noise to be ignored."""

    def gradient_norm(self, seed: int) -> float | None:
        """Norm of what the critic tells the generator's weights, None where there is no critic."""


@dataclass(frozen=True, slots=True)
class Health:
    """What one look at a generator showed.

    Attributes:
        entropy_ratio: the smallest over columns of generated entropy / marginal entropy; near 0 is a collapse.
        top_share_gap: the largest over columns of generated share − marginal share of a most frequent code.
        duplicates: share of 2,000 drawn rows that repeat another.
        nearest_distance: mean share of columns in which a drawn row differs from the drawn row nearest to it.
        tvd1: mean over columns of the total variation distance to the marginals.
        latent_sensitivity: mean ‖p(z) − p(z′)‖ / ‖z − z′‖; near 0 the noise is ignored; None without noise.
        gradient_norm: norm of the gradient of the critic's mean score by the generator's weights; near 0 the critic
            teaches nothing; None without a critic.
    """

    entropy_ratio: float
    top_share_gap: float
    duplicates: float
    nearest_distance: float
    tvd1: float
    latent_sensitivity: float | None = None
    gradient_norm: float | None = None

    @property
    def collapsed(self) -> bool:
        """Whether the generator makes far less variety than the marginals have."""
        return self.entropy_ratio < 0.5 or self.top_share_gap > 0.3

    def to_document(self) -> dict[str, float]:
        """JSON values, rounded for people; without those that this kind of generator does not have."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: float(f"{value:.5g}") for name, value in values.items() if value is not None}


class NetworkExamined:
    """A generator network: draws come from its average weights, gradients go to those that the next round trains."""

    def __init__(self, model: Model) -> None:
        """Take a model, with or without a critic."""
        self._model = model

    @property
    def sizes(self) -> Sequence[int]:
        """As `Examined.sizes`."""
        return self._model.spec.sizes

    def codes(self, rows: int, seed: int) -> I32:
        """As `Examined.codes`."""
        return np.concatenate(list(sample_codes(self._model, rows, seed, device="cpu")))

    def latent_sensitivity(self, seed: int) -> float:
        """As `Examined.latent_sensitivity`."""
        generator = self._model.build_generator(torch.device("cpu"), average=True)
        random = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            # One condition for both noises: what it changes says nothing of what they do.
            conditions = generator.conditions
            wish = None if conditions is None else conditions.draw(_NOISES, random)
            first, second = (generator.noise(_NOISES, random, wish=wish) for _ in range(2))
            moved = (generator.unit_probabilities(first) - generator.unit_probabilities(second)).norm(dim=1)
            return float((moved / (first - second).norm(dim=1)).mean())

    def gradient_norm(self, seed: int) -> float | None:
        """As `Examined.gradient_norm`; public noise stands in for what an organisation would draw."""
        if not len(self._model.critic):
            return None
        place = torch.device("cpu")
        generator, critic = self._model.build_generator(place, average=False), self._model.build_critic(place)
        random = torch.Generator().manual_seed(seed)
        draws = generator.noise(_NOISES - _NOISES % critic.packing, random)
        scores = critic(generator.soft_draws(draws, _TEMPERATURE, random))
        parameters = tuple(generator.parameters())
        gradients = torch.autograd.grad(scores.mean(), parameters, allow_unused=True, materialize_grads=True)
        squares = sum(float(part.square().sum()) for part in gradients)
        return float(squares**0.5)


def examine(model: Model | Examined, marginals: Sequence[Marginal], seed: int) -> Health:
    """Draw 2,000 rows and compare them with the marginals.

    Args:
        model: a network's model, whose average weights are looked at, or anything else that can be looked at.
        marginals: every column must stand in one.
        seed: of the draws; public, and the same for every model of a run, so that signs compare.

    Raises:
        InputError: a column is in no marginal.
    """
    subject: Examined = NetworkExamined(model) if isinstance(model, Model) else model
    sizes = subject.sizes
    codes = subject.codes(_ROWS, seed)
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
        nearest_distance=_nearest_distance(codes[:_NEIGHBOURS]),
        tvd1=float(np.mean(distances)),
        latent_sensitivity=subject.latent_sensitivity(seed),
        gradient_norm=subject.gradient_norm(seed),
    )


def _shares(marginals: Sequence[Marginal], sizes: Sequence[int], column: int) -> NDArray[np.float64]:
    for marginal in marginals:
        if column in marginal.columns:
            counts = marginalise(marginal, sizes, (column,)).counts
            shares: NDArray[np.float64] = counts / max(counts.sum(), 1.0)
            return shares
    raise InputError(f"column number {column} is in no marginal; count every column")


def _entropy(shares: NDArray[np.float64]) -> float:
    positive = shares[shares > 0]
    return float(-(positive * np.log(positive)).sum())


def _nearest_distance(codes: I32) -> float:
    """Marginals can be right where all rows are copies of a few: then each row has one at distance 0."""
    if len(codes) < 2:
        return 0.0
    away = np.zeros((len(codes), len(codes)), np.int64)
    for column in codes.T:
        away += column[:, None] != column[None, :]
    np.fill_diagonal(away, codes.shape[1] + 1)
    return float(away.min(axis=1).mean() / codes.shape[1])
