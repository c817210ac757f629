"""What the seeds of a row say together: a mean, and how far they lie apart."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["BETTER", "Comparison", "Measured", "compare", "grown", "mean_of", "ratio_of", "spread_of", "values_of"]

Measured = Mapping[str, Sequence[Mapping[str, Any]]]
"""Row → its figures, one for each seed; `{"failed": why}` for a seed that came to nothing."""

BETTER = {"gbm": 1, "lr": 1, "tvd1": -1, "tvd2": -1, "c2st": -1}
"""Which way a figure of the judge is better: up, or down."""


def values_of(measured: Measured, row: str, figure: str) -> list[float]:
    """A figure of each seed; no number for a seed that failed or has none; empty for a row that was left out.

    Args:
        measured: rows.
        row: a name.
        figure: a key, dotted where the figures are nested.
    """
    return [_get(seed, figure) for seed in measured.get(row, ())]


def mean_of(measured: Measured, row: str, figure: str) -> float | None:
    """The mean over seeds; None where the row was left out."""
    values = values_of(measured, row, figure)
    return statistics.fmean(values) if values else None


def spread_of(measured: Measured, row: str, figure: str) -> float | None:
    """Largest less smallest; None where fewer than two seeds were measured."""
    values = values_of(measured, row, figure)
    return max(values) - min(values) if len(values) > 1 else None


def ratio_of(measured: Measured, row: str, figure: str, other: str, others: str | None = None) -> float | None:
    """The ratio of two means; None where a row was left out.

    Args:
        measured: rows.
        row: the numerator's.
        figure: the numerator's.
        other: the denominator's row.
        others: the denominator's figure, if it is another.
    """
    ours, theirs = mean_of(measured, row, figure), mean_of(measured, other, others or figure)
    return None if ours is None or theirs is None else ours / theirs


@dataclass(frozen=True)
class Comparison:
    """One row against another, by one figure.

    Attributes:
        figure: of the judge.
        gain: how much better the first is; negative where it is worse.
        spread: the larger of both rows' spreads over seeds; None where a row has one seed.
    """

    figure: str
    gain: float
    spread: float | None

    @property
    def words(self) -> str:
        """The verdict: a difference within the spread is none."""
        if math.isnan(self.gain):
            return "not measured"
        if self.spread is None:
            return "one seed, no verdict"
        if abs(self.gain) <= self.spread:
            return "no different: within the spread of seeds"
        return "better beyond the spread of seeds" if self.gain > 0 else "WORSE beyond the spread of seeds"


def compare(measured: Measured, row: str, base: str, figure: str) -> Comparison | None:
    """Put a row beside its base; None where one of them was left out."""
    ours, theirs = mean_of(measured, row, figure), mean_of(measured, base, figure)
    if ours is None or theirs is None:
        return None
    spreads = [spread_of(measured, name, figure) for name in (row, base)]
    known = [spread for spread in spreads if spread is not None]
    return Comparison(figure, BETTER[figure] * (ours - theirs), max(known) if len(known) == len(spreads) else None)


def grown(measured: Measured, rows: int, columns: int) -> Mapping[str, Any] | None:
    """What a size of table cost; None where it was left out, or failed."""
    (figures, *_) = measured.get(f"growth-{rows}x{columns}") or ({"failed": "left out"},)
    return None if "failed" in figures else figures


def _get(figures: Mapping[str, Any], name: str) -> float:
    value: Any = figures
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return math.nan if value is None else float(value)
