"""The sum over rows of a critic's clipped gradients, in whole numbers, without any row's gradient in memory."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import reduce

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import embedding_bag

from headwater.errors import InputError
from headwater.generator.private_step.coded_rows import CodedRows
from headwater.generator.private_step.integer_critic import EXACT, IntegerCritic, Traces
from headwater.privacy.events import LARGEST_SENSITIVITY

__all__ = ["Clip", "clipped_sum", "gradient_norms"]

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

# Rounding adds to a norm. What is aimed at stays below the bound by this share, and by what rounding adds on average.
_MARGIN = 0.02
_ROUNDING = 1 / 6
_TRIES, _SMALLER = 4, 0.9
_SQUARES_ROUNDING = 2.0**-22


@dataclass(frozen=True, slots=True)
class Clip:
    """Most by which one record moves a sum.

    Attributes:
        norm: C, Euclidean norm of a record's gradient over all parameters together, in the gradient's units; above 0.
        bound: of its whole numbers, in units: C is so many of them.
    """

    norm: float
    bound: int

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not (math.isfinite(self.norm) and self.norm > 0):
            raise InputError(f"the clip norm is {self.norm}, expected a number above 0; correct the plan")
        if type(self.bound) is not int or not 1 <= self.bound <= LARGEST_SENSITIVITY:
            raise InputError(f"a clipped gradient's bound is {self.bound!r} units, expected 1 to {LARGEST_SENSITIVITY}")

    @property
    def scale(self) -> float:
        """Units for 1.0 of a gradient."""
        return self.bound / self.norm


def clipped_sum(critic: IntegerCritic, rows: CodedRows, clip: Clip, seed: int) -> I64:
    """Add up each row's gradient of the critic's opinion of it, clipped over all parameters together.

    A layer's gradient of one row is an outer product of what came out of it and what went in. Both are whole numbers
    here, so a row's vector is one of whole numbers, and its norm comes from theirs: two passes do for any batch.

    Args:
        critic: public.
        rows: none is fine. A row that is not finite contributes zeros.
        clip: norm, and its units.
        seed: public; of the thresholds at which this step's numbers are rounded up, the same for all rows, so that
            rounding takes nothing away on average over steps.

    Returns:
        int64, shape (parameters,): weight and bias of each layer in order, in `clip.scale` units for 1.0.

    Raises:
        InputError: products are set to less than float32's precision.

    Guarantee: each row adds a vector of whole numbers that depends on no other row and has Euclidean norm at most
        `clip.bound`, checked on these numbers. So adding or removing one row moves the sum by at most `clip.bound`,
        exactly; the order of rows does not matter.
    Source: Goodfellow 2015 (arXiv:1510.01799); ghost clipping, Li et al. 2022 (arXiv:2110.05679), section 4.
    """
    thresholds, together = _thresholds(critic, seed), EXACT // clip.bound
    total = np.zeros(critic.parameters, np.int64)
    for begin in range(0, len(rows), together):
        part = rows[begin : begin + together].finite()
        traces, squares = _squared(critic, part)
        outs = _clipped(critic, traces, squares, clip, thresholds)
        sums = [values.reshape(-1).numpy() for values in _layer_sums(critic, part, traces, outs)]
        # One pass over memory that is not in the cache, not one to convert and one to add.
        whole = np.concatenate(sums, dtype=np.int64, casting="unsafe")
        total = whole if begin == 0 else total + whole
    return total


def gradient_norms(critic: IntegerCritic, rows: CodedRows) -> F64:
    """Norm of each row's gradient before clipping; of public rows, to choose a clip norm by.

    Args:
        critic: public.
        rows: finite.

    Returns:
        float64, shape (rows,).
    """
    traces, squares = _squared(critic, rows)
    norms: F64 = _norms_squared(critic, traces, squares, 1.0).sqrt().numpy()
    return norms


def _layer_sums(critic: IntegerCritic, rows: CodedRows, traces: Traces, outs: list[Tensor]) -> Iterator[Tensor]:
    """Weight's and bias's part of each layer; exact, for no row's vector has a number above its norm."""
    for number, (out, ins, scale) in enumerate(zip(outs, traces.inputs, critic.scales, strict=True)):
        sums = out.T @ ins
        yield sums if number else torch.cat([_code_sums(rows, out).T * scale, sums], dim=1)
        yield out.sum(dim=0) * scale


def _code_sums(rows: CodedRows, outs: Tensor) -> Tensor:
    """For each place of codes the sum over the rows that have a one there: shape (codes, out)."""
    places = rows.places.T.reshape(-1).numpy()
    order = np.argsort(places, kind="stable")
    starts = np.zeros(rows.codes + 1, np.int64)
    np.cumsum(np.bincount(places, minlength=rows.codes + 1)[:-1], out=starts[1:])
    bags = torch.from_numpy(order % max(len(rows), 1))
    return embedding_bag(bags, outs, torch.from_numpy(starts), mode="sum")[:-1]


def _thresholds(critic: IntegerCritic, seed: int) -> list[Tensor]:
    random = torch.Generator().manual_seed(seed)
    return [torch.rand(out, generator=random) for out, _ in critic.shapes]


def _squared(critic: IntegerCritic, rows: CodedRows) -> tuple[Traces, list[Tensor]]:
    """Traces, and the squared norm of what went into each layer, the bias's 1 included: float64, shape (rows,)."""
    traces = critic.traces(rows)
    squares = [_row_squares(ins) + scale**2 for ins, scale in zip(traces.inputs, critic.scales, strict=True)]
    squares[0] += (rows.places < rows.codes).sum(dim=1) * critic.scales[0] ** 2
    return traces, squares


def _factors(critic: IntegerCritic, scale: float) -> list[float]:
    """What a layer's slopes are multiplied by, such that their product with its inputs has so many units for 1.0."""
    return [scale / (before * after) for before, after in zip(critic.scales, critic.slope_scales, strict=True)]


def _norms_squared(critic: IntegerCritic, traces: Traces, squares: list[Tensor], scale: float) -> Tensor:
    parts = zip(traces.slopes, squares, _factors(critic, scale), strict=True)
    return _total(_row_squares(slopes) * square * factor**2 for slopes, square, factor in parts)


def _clipped(
    critic: IntegerCritic, traces: Traces, squares: list[Tensor], clip: Clip, thresholds: list[Tensor]
) -> list[Tensor]:
    """Each layer's slopes, scaled down row by row and rounded."""
    norms = _norms_squared(critic, traces, squares, clip.scale)
    added = _total(_ROUNDING * out * square for (out, _), square in zip(critic.shapes, squares, strict=True))
    aim = ((clip.bound * (1 - _MARGIN)) ** 2 - added).clamp_(min=(clip.bound / 2) ** 2)
    shares = torch.sqrt(aim / norms).clamp_(max=1.0)
    factors = _factors(critic, clip.scale)

    def rounded(slopes: list[Tensor], shares: Tensor) -> list[Tensor]:
        return [
            (part * (shares * factor).float()[:, None]).add_(threshold).floor_()
            for part, factor, threshold in zip(slopes, factors, thresholds, strict=True)
        ]

    outs = rounded(traces.slopes, shares)
    beyond = _beyond(outs, squares, clip)
    for _ in range(_TRIES):
        if not len(beyond):
            break
        shares[beyond] *= _SMALLER
        again = rounded([part[beyond] for part in traces.slopes], shares[beyond])
        for part, replaced in zip(outs, again, strict=True):
            part[beyond] = replaced
        beyond = beyond[_beyond(again, [square[beyond] for square in squares], clip)]
    for part in outs:
        # What no rounding brings within the bound adds nothing.
        part[beyond] = 0.0
    return outs


def _beyond(outs: list[Tensor], squares: list[Tensor], clip: Clip) -> Tensor:
    """Places of rows whose whole numbers' norm is above the bound, or within rounding of it."""
    norms = _total(_row_squares(part) * square for part, square in zip(outs, squares, strict=True))
    return torch.nonzero(norms > clip.bound**2 * (1 - _SQUARES_ROUNDING)).squeeze(1)


def _total(parts: Iterable[Tensor]) -> Tensor:
    # One after the other, value by value: a reduction may add in another order at a batch's end.
    return reduce(torch.add, parts)


def _row_squares(values: Tensor) -> Tensor:
    """Sum of each row's squares: float64, shape (rows,).

    Squares of more than 12 bits are rounded to 24, each on its own; their sums are exact, in every order.
    """
    return values.square().sum(dim=1, dtype=torch.float64)
