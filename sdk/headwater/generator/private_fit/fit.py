"""A latent-class mixture whose marginals are nearest to noisy ones, each cell weighed by its noise."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from headwater.encoding.noisy import NoisyMarginal
from headwater.generator.private_fit.tables import Tables
from headwater.mixture.form import label_of
from headwater.mixture.parameters import LEAST_SHARE, Mixture
from headwater.recipe.private_settings import PrivateSettings

__all__ = ["PrivateFit", "fit_private"]

F64 = NDArray[np.float64]
Progress = Callable[[int, int, float], None]

_LAST_RATE = 0.02
_WARM_UP = 20
# Standard deviations of the logits that components start from: their common part, and a class's own.
_COMMON_SPREAD, _OWN_SPREAD = 0.5, 0.1
_REPORT_EVERY = 50


@dataclass(frozen=True, slots=True, eq=False)
class PrivateFit:
    """A mixture and how well it fits.

    Attributes:
        mixture: without scores; closely coupled columns are super-columns.
        misfit: mean squared deviation over the tables' cells in units of their noise: about 1 where all that is left
            is noise.
    """

    mixture: Mixture
    misfit: float


def fit_private(
    marginals: Sequence[NoisyMarginal],
    sizes: Sequence[int],
    label: int | None,
    settings: PrivateSettings,
    seed: int,
    *,
    on_progress: Progress | None = None,
) -> PrivateFit:
    """Fit a mixture to noisy tables: several fits from different starts, averaged.

    Args:
        marginals: every feature in full, alone or with the label; and pairs of features, with the label or without.
        sizes: number of codes of each column.
        label: target column, or None; one of more codes than a mixture has classes is a column like any other.
        settings: of the plan.
        seed: equal arguments give equal mixtures on one machine.
        on_progress: called now and then with steps done, steps in all and the misfit.

    Raises:
        InputError: a column stands in no table, or the tables do not fit together.
    """
    tables = Tables(marginals, sizes, label_of(label, sizes), settings.coupling)
    steps = settings.steps * settings.fits
    shares, weights, misfits = [], [], []
    for number in range(settings.fits):
        fit, misfit = _Fit(tables, settings, seed + number), math.inf
        for step in range(settings.steps):
            misfit = fit.step(step)
            done = number * settings.steps + step + 1
            if on_progress is not None and done % _REPORT_EVERY == 0:
                on_progress(done, steps, misfit)
        share, weight = fit.components()
        shares.append(share)
        weights.append(weight / settings.fits)
        misfits.append(misfit)
    mixture = _mixture(tables, np.concatenate(shares, axis=1), np.concatenate(weights, axis=1))
    return PrivateFit(mixture, float(np.mean(misfits)))


class _Fit:
    """Components as logits: what a class has of each cell, plus a part common to classes, plus a small part of one."""

    def __init__(self, tables: Tables, settings: PrivateSettings, seed: int) -> None:
        self._tables, self._settings = tables, settings
        classes, components, cells = tables.classes, settings.components, tables.form.cells
        random = torch.Generator().manual_seed(seed)
        self._base = torch.from_numpy(np.log(np.maximum(tables.base, 1e-6))).float()
        self._target = torch.from_numpy(tables.base).float()[:, None, :]
        self._shift = torch.zeros(classes, 1, cells).requires_grad_(True)
        common = _COMMON_SPREAD * torch.randn(1, components, cells, generator=random)
        self._common = common.requires_grad_(True)
        self._own = (_OWN_SPREAD * torch.randn(classes, components, cells, generator=random)).requires_grad_(True)
        weights = torch.from_numpy(np.log(tables.class_shares)).float() - math.log(components)
        self._weights = weights[:, None].repeat(1, components).requires_grad_(True)
        parameters = [self._common, self._own, self._shift, self._weights]
        self._optimiser = torch.optim.Adam(parameters, lr=settings.learning_rate, betas=(0.9, 0.99))

    def step(self, number: int) -> float:
        """One step of Adam; returns the misfit a cell before it."""
        settings, tables = self._settings, self._tables
        self._optimiser.param_groups[0]["lr"] = settings.learning_rate * _schedule(number, settings.steps)
        weights, shares = self._model()
        misfit = tables.misfit(weights, shares) / tables.cells
        loss = misfit + settings.pull * self._pull(weights, shares) * tables.rows / tables.cells
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        return float(misfit.detach())

    def components(self) -> tuple[F64, F64]:
        """Shares, shape (classes, components, cells of the units), and weights, shape (classes, components)."""
        with torch.no_grad():
            weights, shares = self._model()
        return shares.double().numpy(), weights.double().numpy()

    def _model(self) -> tuple[Tensor, Tensor]:
        logits = self._base[:, None, :] + self._shift + self._common + self._own
        parts = [torch.softmax(logits[:, :, place], -1) for place in self._tables.places]
        weights = torch.softmax(self._weights.reshape(-1), 0).reshape(self._weights.shape)
        return weights, torch.cat(parts, -1)

    def _pull(self, weights: Tensor, shares: Tensor) -> Tensor:
        """How far components are from their class, in nats a row, and a class's own part from none."""
        distance = (weights[:, :, None] * shares * (torch.log(shares + 1e-9) - torch.log(self._target + 1e-9))).sum()
        return distance + (self._target * self._own**2).sum(-1).mean()


def _mixture(tables: Tables, shares: F64, weights: F64) -> Mixture:
    """Fitted components as a mixture; the label's codes become classes."""
    form, kept = tables.form, shares.reshape(-1, tables.form.cells)
    for place in tables.places:
        part = np.maximum(kept[:, place], LEAST_SHARE)
        kept[:, place] = part / part.sum(axis=1, keepdims=True)
    portion = np.maximum(weights.reshape(-1), LEAST_SHARE)
    return Mixture(
        form=form,
        classes=np.repeat(np.arange(tables.classes, dtype=np.int32), shares.shape[1]),
        weights=portion / portion.sum(),
        shares=kept,
        means=np.zeros((len(kept), 0)),
        factors=np.zeros((len(kept), 0, 0)),
    )


def _schedule(step: int, steps: int) -> float:
    cosine = 0.5 * (1 + math.cos(math.pi * step / steps))
    return (_LAST_RATE + (1 - _LAST_RATE) * cosine) * min(1.0, (step + 1) / _WARM_UP)
