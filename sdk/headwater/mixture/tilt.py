"""Weights of pairs of codes that a mixture's draws are kept by."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headwater.encoding.marginals import Subset, cells_of
from headwater.errors import InputError

__all__ = ["MOST_TILT_CELLS", "Tilt"]

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]
I32 = NDArray[np.int32]

MOST_TILT_CELLS = 1 << 25
"""Most weights of one tilt."""

_MOST_LOG = 100.0
_LEAST_ACCEPTANCE = 1e-4


@dataclass(frozen=True, eq=False)
class Tilt:
    """A factor on a mixture's density: the product of one weight for each pair of a row's codes, cut off at the top.

    A mixture's components cannot hold every dependence between two columns at once. The tilted distribution is, of all
    that put the counted pairs of columns right within a tolerance, the one nearest to the mixture: draws of the mixture
    are kept with a probability in proportion to their factor.

    Attributes:
        pairs: of columns of the encoding, ascending.
        sizes: number of codes of each column of the encoding.
        logs: float32, the logarithms of each pair's weights, one pair after the other, in C order.
        cap: logarithm of the largest factor; greater ones count as this.
        log_mean: logarithm of the factors' mean over the mixture.

    Source: Dudík, Phillips & Schapire 2004, maximum entropy with relaxed constraints; von Neumann 1951, rejection.
    """

    pairs: tuple[Subset, ...]
    sizes: tuple[int, ...]
    logs: F32
    cap: float
    log_mean: float

    def __post_init__(self) -> None:
        """Check what may come from a peer.

        Raises:
            InputError: the parts do not belong together, or are out of range.
        """
        columns = len(self.sizes)
        ascending = all(len(pair) == 2 and 0 <= pair[0] < pair[1] < columns for pair in self.pairs)
        if not self.pairs or not ascending or len(set(self.pairs)) != len(self.pairs) or min(self.sizes) < 1:
            raise InputError(
                "a tilt is not made of different ascending pairs of the table's columns; fetch the mixture again"
            )
        cells = sum(cells_of(self.sizes, pair) for pair in self.pairs)
        if cells > MOST_TILT_CELLS or self.logs.shape != (cells,) or self.logs.dtype != np.float32:
            raise InputError(
                "a tilt's weights are not as many as its pairs of columns ask for; fetch the mixture again"
            )
        # A factor is a product of one weight for each pair.
        most = _MOST_LOG * len(self.pairs)
        if not (np.abs(self.logs).max() <= _MOST_LOG and abs(self.cap) <= most and abs(self.log_mean) <= most):
            raise InputError("a tilt's weights are not finite, or out of range; the mixture must not be used")
        if not math.log(_LEAST_ACCEPTANCE) <= self.log_mean - self.cap <= 1e-9:
            raise InputError("a tilt's draws could hardly be kept; the mixture must not be used")

    @property
    def acceptance(self) -> float:
        """Share of the mixture's draws that are kept, 1e-4 to 1."""
        return min(1.0, math.exp(self.log_mean - self.cap))

    @cached_property
    def _tables(self) -> list[tuple[int, int, F32]]:
        """Pairs with a weight other than 1: first and second column, logarithms."""
        ends = np.cumsum([cells_of(self.sizes, pair) for pair in self.pairs])
        parts = np.split(self.logs, ends[:-1])
        return [(pair[0], pair[1], part) for pair, part in zip(self.pairs, parts, strict=True) if part.any()]

    def to_document(self) -> dict[str, object]:
        """JSON values that `from_document` reads back, beside the array `logs`."""
        return {"pairs": [list(pair) for pair in self.pairs], "cap": self.cap, "log_mean": self.log_mean}

    @classmethod
    def from_document(cls, document: Mapping[str, Any], sizes: Sequence[int], logs: NDArray[Any]) -> "Tilt":
        """Read a tilt.

        Args:
            document: as `to_document` makes it; may come from a peer.
            sizes: number of codes of each column of the encoding.
            logs: floating point, as `logs` of a tilt.

        Raises:
            InputError: the document is not of this form, or no tilt of such columns.
        """
        try:
            pairs = tuple((_whole(first), _whole(second)) for first, second in document["pairs"])
            cap, log_mean = (_number(document[name]) for name in ("cap", "log_mean"))
            columns = tuple(_whole(size) for size in sizes)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise InputError("a tilt's description is not of this version's form; fetch the mixture again") from error
        return cls(pairs, columns, logs, cap, log_mean)

    def log_factors(self, columns: Sequence[I32]) -> F64:
        """Logarithm of each row's factor, at most `cap`: float64, shape (rows,).

        Args:
            columns: int32 codes of the rows, one array for each column of the encoding.
        """
        total = np.zeros(len(columns[0]) if columns else 0)
        for first, second, logs in self._tables:
            total += logs[columns[first] * np.int32(self.sizes[second]) + columns[second]]
        return np.minimum(total, self.cap, out=total)


def _whole(value: object) -> int:
    if type(value) is not int:
        raise TypeError("a number of the tilt's description is not whole")
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("a number of the tilt's description is none")
    return float(value)
