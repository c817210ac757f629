"""A latent-class mixture whose marginals are nearest to noisy ones, each cell weighed by its noise."""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from headwater.encoding.noisy import NoisyMarginal
from headwater.errors import InputError
from headwater.mixture.form import Form, label_of
from headwater.mixture.parameters import LEAST_SHARE, Mixture
from headwater.recipe.private_settings import PrivateSettings

__all__ = ["PrivateFit", "fit_private"]

F64 = NDArray[np.float64]
Progress = Callable[[int, int, float], None]

_LAST_RATE = 0.02
_WARM_UP = 20
_SPREAD = 0.5
_REPORT_EVERY = 50


@dataclass(frozen=True, slots=True, eq=False)
class PrivateFit:
    """A mixture and how well it fits.

    Attributes:
        mixture: plain: no scores, no super-columns.
        misfit: mean squared deviation over the tables' cells in units of their noise: about 1 where all that is left
            is noise.
    """

    mixture: Mixture
    misfit: float


def fit_private(
    marginals: Sequence[NoisyMarginal],
    sizes: Sequence[int],
    label: int | None,
    rows: float,
    settings: PrivateSettings,
    seed: int,
    *,
    on_progress: Progress | None = None,
) -> PrivateFit:
    """Fit a mixture to noisy tables.

    Args:
        marginals: at least one of each column.
        sizes: number of codes of each column.
        label: column whose codes are the classes of components, or None.
        rows: that were counted, at least nearly.
        settings: of the plan.
        seed: equal arguments give equal mixtures on one machine.
        on_progress: called now and then with steps done, steps in all and the misfit.

    Raises:
        InputError: a column stands in no table.
    """
    problem = _Problem(marginals, tuple(sizes), label_of(label, sizes), rows)
    whole = settings.steps * settings.fits
    shares, weights, misfits = [], [], []
    for number in range(settings.fits):

        def report(done: int, misfit: float, before: int = number * settings.steps) -> None:
            if on_progress is not None:
                on_progress(before + done, whole, misfit)

        share, weight, misfit = problem.fit(settings, seed + number, report)
        shares.append(share)
        weights.append(weight / settings.fits)
        misfits.append(misfit)
    return PrivateFit(problem.mixture(np.concatenate(shares, 1), np.concatenate(weights, 1)), float(np.mean(misfits)))


class _Problem:
    """The tables as tensors."""

    def __init__(
        self, marginals: Sequence[NoisyMarginal], sizes: tuple[int, ...], label: int | None, rows: float
    ) -> None:
        self.sizes, self.label, self.rows = sizes, label, rows
        self.classes = 1 if label is None else sizes[label]
        edges = np.concatenate([[0], np.cumsum(sizes)])
        self.places = [slice(int(a), int(b)) for a, b in itertools.pairwise(edges)]
        self.cells = int(edges[-1])
        self._tables = [_Table(marginal, label, self.classes) for marginal in marginals]
        self._count = sum(marginal.counts.size for marginal in marginals)
        self._base = self._class_shares()

    def fit(self, settings: PrivateSettings, seed: int, report: Callable[[int, float], None]) -> tuple[F64, F64, float]:
        """Shares (classes, components, cells), weights (classes, components) and the misfit."""
        random = torch.Generator().manual_seed(seed)
        base = torch.from_numpy(np.log(self._base)).float()
        shape = (self.classes, settings.components, self.cells)
        logits = (base[:, None, :] + _SPREAD * torch.randn(shape, generator=random)).requires_grad_(True)
        start = torch.from_numpy(np.log(self._class_weights())).float() - math.log(settings.components)
        weights = start[:, None].repeat(1, settings.components).requires_grad_(True)
        optimiser = torch.optim.Adam([logits, weights], lr=settings.learning_rate, betas=(0.9, 0.99))
        misfit = math.inf
        for step in range(settings.steps):
            optimiser.param_groups[0]["lr"] = settings.learning_rate * _schedule(step, settings.steps)
            shares, portion = self._model(logits, weights)
            loss = self._squares(shares, portion) / self._count
            misfit = float(loss.detach())
            if settings.pull:
                loss = loss + settings.pull * self._pull(shares, portion, base) * self.rows / self._count
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            if (step + 1) % _REPORT_EVERY == 0:
                report(step + 1, misfit)
        with torch.no_grad():
            shares, portion = self._model(logits, weights)
        return shares.double().numpy(), portion.double().numpy(), misfit

    def mixture(self, shares: F64, weights: F64) -> Mixture:
        """Fitted components as a mixture; the label's cells become classes."""
        form = Form(self.sizes, self.label, (), ())
        components = shares.shape[1]
        flat = shares.reshape(self.classes * components, self.cells)
        kept = np.concatenate([flat[:, self.places[column]] for column in form.alone], axis=1)
        for start, end in zip(form.offsets, form.offsets[1:], strict=False):
            part = np.maximum(kept[:, start:end], LEAST_SHARE)
            kept[:, start:end] = part / part.sum(axis=1, keepdims=True)
        portion = np.maximum(weights.reshape(-1), LEAST_SHARE)
        return Mixture(
            form=form,
            classes=np.repeat(np.arange(self.classes, dtype=np.int32), components),
            weights=portion / portion.sum(),
            shares=kept,
            means=np.zeros((len(flat), 0)),
            factors=np.zeros((len(flat), 0, 0)),
        )

    def _model(self, logits: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        parts = [
            torch.eye(self.classes)[:, None, :].expand(-1, logits.shape[1], -1)
            if column == self.label
            else torch.softmax(logits[:, :, place], -1)
            for column, place in enumerate(self.places)
        ]
        return torch.cat(parts, -1), torch.softmax(weights.reshape(-1), 0).reshape(weights.shape)

    def _squares(self, shares: Tensor, weights: Tensor) -> Tensor:
        """Squared deviations of all cells in units of their noise."""
        columns = [shares[:, :, place] for place in self.places]
        total = torch.zeros(())
        for table in self._tables:
            total = total + table.squares(columns, weights, self.rows)
        return total

    def _pull(self, shares: Tensor, weights: Tensor, base: Tensor) -> Tensor:
        """Mean relative entropy of components to their class's own shares, in nats a row."""
        logs = torch.log(shares + 1e-9) - base[:, None, :]
        return (weights[:, :, None] * shares * logs).sum()

    def _class_shares(self) -> F64:
        """What each class's rows hold of each column's codes, as the finest tables say: (classes, cells)."""
        base = np.full((self.classes, self.cells), np.nan)
        for table in self._tables:
            table.fill(base, self.places)
        if np.isnan(base).any():
            raise InputError("a column stands in no table in full; count its histogram too")
        for column, place in enumerate(self.places):
            if column == self.label:
                base[:, place] = 1e-6 + np.eye(self.classes)
            part = np.maximum(base[:, place], 1.0 if column != self.label else 0.0)
            base[:, place] = part / part.sum(axis=1, keepdims=True)
        return base

    def _class_weights(self) -> F64:
        if self.label is None:
            return np.ones(1)
        totals = np.zeros(self.classes)
        for table in self._tables:
            if table.columns == (self.label,):
                totals = np.maximum(table.measured, 1.0)
        return totals / totals.sum() if totals.any() else np.full(self.classes, 1.0 / self.classes)


class _Table:
    """One noisy marginal."""

    def __init__(self, marginal: NoisyMarginal, label: int | None, classes: int) -> None:
        self.columns, self.shape = marginal.columns, marginal.shape
        self.measured = marginal.counts
        self._maps = [_indicator(places) for places in marginal.maps]
        self._full = all(len(places) == size for places, size in zip(marginal.maps, marginal.shape, strict=True))
        self._label = label
        # The label's axis comes first: there components already are of one class.
        self._features = [axis for axis, column in enumerate(self.columns) if column != label]
        self._by_class = len(self._features) < len(self.columns)
        order = [self.columns.index(label)] if self._by_class and label is not None else []
        turned = [*order, *self._features]
        counts = marginal.counts.reshape(self.shape).transpose(turned)
        precision = 1.0 / marginal.variance.reshape(self.shape).transpose(turned)
        self._counts = torch.from_numpy(np.ascontiguousarray(counts, dtype=np.float32))
        self._precision = torch.from_numpy(np.ascontiguousarray(precision, dtype=np.float32))

    def squares(self, shares: Sequence[Tensor], weights: Tensor, rows: float) -> Tensor:
        """Squared deviations in units of noise."""
        if not self._features:
            expected = weights.sum(1)
        else:
            parts = [shares[self.columns[axis]] @ self._maps[axis] for axis in self._features]
            parts[0] = parts[0] * weights[:, :, None]
            if len(parts) == 1:
                expected = parts[0].sum(1)
            elif len(parts) == 2:
                expected = torch.bmm(parts[0].transpose(1, 2), parts[1])
            else:
                raise InputError("a noisy table of more than two features is not fitted; count pairs")
            if not self._by_class:
                expected = expected.sum(0)
        return (self._precision * (rows * expected - self._counts) ** 2).sum()

    def fill(self, base: F64, places: Sequence[slice]) -> None:
        """Write the class's counts of a column that this table counts in full and alone."""
        if not self._full or len(self._features) > 1:
            return
        if not self._features:
            base[:, places[self.columns[0]]] = 1.0
            return
        column = self.columns[self._features[0]]
        counts = self._counts.double().numpy()
        if self._by_class:
            base[:, places[column]] = counts
        elif np.isnan(base[:, places[column]]).any():
            base[:, places[column]] = counts[None, :] / len(base)


def _indicator(places: NDArray[np.int32]) -> Tensor:
    """1 where a code stands at a place: (codes, places)."""
    matrix = np.zeros((len(places), int(places.max()) + 1), np.float32)
    matrix[np.arange(len(places)), places] = 1.0
    return torch.from_numpy(matrix)


def _schedule(step: int, steps: int) -> float:
    cosine = 0.5 * (1 + math.cos(math.pi * step / steps))
    return (_LAST_RATE + (1 - _LAST_RATE) * cosine) * min(1.0, (step + 1) / _WARM_UP)
