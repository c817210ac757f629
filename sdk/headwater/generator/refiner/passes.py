"""The refiner and the critic as they run on drawn rows: without gradients, and without writing one-hot vectors out."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import embedding_bag, leaky_relu, linear, silu

from headwater.generator.half_precision import has_half_precision
from headwater.generator.refiner.features import Features
from headwater.generator.refiner.network import SLOPE, STAYS, Refiner, RowCritic
from headwater.mixture.form import RowFeatures

__all__ = ["CriticPass", "RefinerPass"]

I32 = NDArray[np.int32]
F64 = NDArray[np.float64]

# Pushes beyond this are taken relative to their unit's largest, so that no exponential overflows.
_LARGE = 60.0
# What a drawn code has beyond the other codes of its unit: its factor is 1 + this.
_EXTRA = math.expm1(STAYS)


class _Entry:
    """A first layer over a row's vector: the sum of one column of its weights for each code, and the scores' part."""

    def __init__(self, layer: nn.Linear, features: Features) -> None:
        weights = layer.weight.detach()
        coded = features.classes + features.cells
        # The last column is for a unit of -1, which is all zeros in a vector.
        self._codes = torch.cat([weights[:, :coded].T, torch.zeros(1, len(weights))]).contiguous()
        self._others = weights[:, coded:].T.contiguous()
        self._bias = layer.bias.detach()
        self._starts = features.classes + features.form.offsets[:-1]

    def __call__(self, rows: RowFeatures, others: Tensor) -> Tensor:
        """From rows, and what stands beside their codes in the vector, to shape (rows, width)."""
        places = np.empty((len(rows.classes), 1 + rows.units.shape[1]), np.int64)
        places[:, 0] = rows.classes
        np.add(rows.units, self._starts, out=places[:, 1:])
        if rows.units.size and rows.units.min() < 0:
            places[:, 1:][rows.units < 0] = len(self._codes) - 1
        summed = embedding_bag(torch.from_numpy(places), self._codes, mode="sum")
        return summed.addmm_(others, self._others).add_(self._bias)


class _Product:
    """A further layer: its product in bfloat16 where that is faster, its bias in float32."""

    def __init__(self, layer: nn.Linear) -> None:
        narrow = has_half_precision(torch.device("cpu"))
        self._weights = layer.weight.detach().to(torch.bfloat16 if narrow else torch.float32)
        self._bias = layer.bias.detach()

    def __call__(self, hidden: Tensor) -> Tensor:
        """Shape (rows, in) to (rows, out)."""
        return linear(hidden.to(self._weights.dtype), self._weights).float().add_(self._bias)


class RefinerPass:
    """Moves drawn rows by the law of `Refiner`.

    A unit's code is drawn from a softmax in which the code it had stands 12 above the rest. So it stays but for a small
    chance, and only where it does not stay is there something to draw.
    """

    def __init__(self, refiner: Refiner) -> None:
        """Take a refiner's weights."""
        features = refiner.features
        self._entry = _Entry(refiner.entry, features)
        self._noise = refiner.noise
        self._middle, self._exit = _Product(refiner.middle), _Product(refiner.exit)
        self._cells = features.cells
        self._offsets = features.form.offsets

    @torch.inference_mode()
    def __call__(self, rows: RowFeatures, random: np.random.Generator) -> RowFeatures:
        """The rows as the refiner moves them.

        Args:
            rows: no unit may be -1.
            random: the only source of chance.
        """
        noise = random.standard_normal((len(rows.classes), self._noise), dtype=np.float32)
        others = np.concatenate([rows.scores.astype(np.float32), noise], axis=1)
        hidden = silu(self._entry(rows, torch.from_numpy(others)), inplace=True)
        pushed = self._exit(silu(self._middle(hidden), inplace=True))
        units = self._codes(rows.units, pushed[:, : self._cells], random)
        return RowFeatures(rows.classes, units, rows.scores + pushed[:, self._cells :].numpy())

    def _codes(self, units: I32, pushed: Tensor, random: np.random.Generator) -> I32:
        """The softmax of a unit is exp(push) of all codes, and `_EXTRA` times exp(push) of the one that was drawn."""
        parts = list(zip(self._offsets[:-1].tolist(), self._offsets[1:].tolist(), strict=True))
        if not units.size:
            return units
        low, high = pushed.aminmax()
        if max(-float(low), float(high)) > _LARGE:
            tops = [pushed[:, start:end].amax(dim=1, keepdim=True).expand(-1, end - start) for start, end in parts]
            pushed = pushed - torch.cat(tops, dim=1)
        factors = pushed.exp()
        sums = torch.stack([factors[:, start:end].sum(dim=1) for start, end in parts], dim=1).double().numpy()
        places = torch.from_numpy(units + self._offsets[:-1])
        drawn = factors.gather(1, places).double().numpy()
        chances = sums / (sums + _EXTRA * drawn)
        uniform = random.random(units.shape)
        units = units.copy()
        for place, (start, end) in enumerate(parts):
            again = np.flatnonzero(uniform[:, place] < chances[:, place])
            if not len(again):
                continue
            ends = np.cumsum(factors[torch.from_numpy(again), start:end].double().numpy(), axis=1)
            # Below its chance, a uniform number is uniform up to it.
            points = uniform[again, place] / chances[again, place] * ends[:, -1]
            units[again, place] = np.minimum((ends <= points[:, None]).sum(axis=1), end - start - 1)
        return units


class CriticPass:
    """Judges rows as `RowCritic` does."""

    def __init__(self, critic: RowCritic, features: Features) -> None:
        """Take a critic's weights."""
        self._entry = _Entry(critic.entry, features)
        self._middle, self._exit = _Product(critic.middle), critic.exit

    @torch.inference_mode()
    def __call__(self, rows: RowFeatures) -> F64:
        """Logits: float64, shape (rows,)."""
        hidden = self._entry(rows, torch.from_numpy(rows.scores.astype(np.float32)))
        hidden = leaky_relu(hidden, SLOPE, inplace=True)
        hidden = leaky_relu(self._middle(hidden), SLOPE, inplace=True)
        logits: F64 = self._exit(hidden).squeeze(1).double().numpy()
        return logits
