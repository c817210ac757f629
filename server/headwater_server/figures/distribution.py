"""What a plot shows of one column of synthetic rows: bars with labels, a histogram, and the same in words."""

import datetime
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headwater.schema import BooleanColumn, CategoricalColumn, DateColumn, NumericColumn
from headwater.schema.convert import PlainColumn
from headwater.schema.table import Table

__all__ = ["Bars", "Histogram", "describe", "distribution"]

_SHOWN_BARS = 8
_BINS = 28
_DISTINCT_AS_BARS = 8
_ATOM_SHARE = 0.15
_TAIL = 0.005
_EPOCH = datetime.date(1970, 1, 1)


@dataclass(frozen=True)
class Bars:
    """Shares of labelled values, in the order to be drawn; `others` are left together in the last bar.

    Attributes:
        labels: what each bar stands for.
        shares: of all rows, each in [0, 1].
        missing: share of rows without a value.
    """

    labels: tuple[str, ...]
    shares: tuple[float, ...]
    missing: float


@dataclass(frozen=True)
class Histogram:
    """Shares of equal bins along an axis.

    Attributes:
        edges: one more than bins, ascending.
        shares: of all rows, each in [0, 1].
        atoms: (label, share) of single values so frequent that they would flatten the rest; not in the bins.
        beyond: share of rows outside the axis.
        missing: share of rows without a value.
        ticks: (position, label) along the axis.
        summary: least, quartiles and largest of the values, as text.
    """

    edges: tuple[float, ...]
    shares: tuple[float, ...]
    atoms: tuple[tuple[str, float], ...]
    beyond: float
    missing: float
    ticks: tuple[tuple[float, str], ...]
    summary: tuple[str, str, str, str, str]


def distribution(table: Table, column: PlainColumn) -> Bars | Histogram:
    """Summarise a column of synthetic rows for a plot.

    Args:
        table: synthetic rows, at least one. Nothing here may ever see real rows: every figure is published.
        column: one of the table's schema.
    """
    values = table.columns[column.name]
    match column:
        case CategoricalColumn() | BooleanColumn():
            return _category_bars(values, column.categories, ordered=isinstance(column, BooleanColumn))
        case NumericColumn() | DateColumn():
            return _number_plot(values, column)


def describe(table: Table, column: PlainColumn, shown: Bars | Histogram) -> str:
    """The plot in words, for those who do not see it."""
    start = f"{column.name}: {table.rows:,} synthetic values"
    missing = f" {_percent(shown.missing)} missing." if shown.missing > 0 else ""
    match shown:
        case Bars():
            bars = ", ".join(
                f"{label} {_percent(share)}" for label, share in zip(shown.labels, shown.shares, strict=True)
            )
            return f"{start}. {bars or 'No value present'}.{missing}"[:1000]
        case Histogram():
            least, lower, median, upper, largest = shown.summary
            atoms = "".join(f" {_percent(share)} are exactly {label}." for label, share in shown.atoms)
            return (
                f"{start} from {least} to {largest}; median {median}, middle half from {lower} to {upper}."
                f"{atoms}{missing}"
            )


def _category_bars(codes: NDArray[Any], categories: Sequence[str], ordered: bool) -> Bars:
    counts = np.bincount(codes[codes >= 0], minlength=len(categories))
    order = np.arange(len(categories)) if ordered else np.argsort(-counts, kind="stable")
    shares = counts / max(len(codes), 1)
    # "1 others" would say less than its name in the same room.
    shown = len(order) if len(order) <= _SHOWN_BARS + 1 else _SHOWN_BARS
    kept = order[:shown]
    labels = [categories[index] for index in kept]
    drawn = [float(shares[index]) for index in kept]
    rest = order[shown:]
    if len(rest):
        labels.append(f"{len(rest)} others")
        drawn.append(float(shares[rest].sum()))
    return Bars(tuple(labels), tuple(drawn), float(np.mean(codes < 0)))


def _number_plot(values: NDArray[np.float64], column: NumericColumn | DateColumn) -> Bars | Histogram:
    present = values[~np.isnan(values)]
    missing = 1.0 - len(present) / max(len(values), 1)
    label = _labeller(column)
    distinct, counts = np.unique(present, return_counts=True)
    if len(distinct) <= _DISTINCT_AS_BARS:
        return Bars(tuple(label(v) for v in distinct), tuple((counts / len(values)).tolist()), missing)
    # One value that stands in every sixth row would squash all others against the axis: it gets a bar of its own.
    frequent = (counts / len(values) >= _ATOM_SHARE) & (len(distinct) > _BINS)
    atoms = tuple((label(v), float(c / len(values))) for v, c in zip(distinct[frequent], counts[frequent], strict=True))
    rest = present[~np.isin(present, distinct[frequent])]
    tail = _TAIL if len(distinct) > _BINS else 0.0
    low, high = (float(edge) for edge in np.quantile(rest, [tail, 1 - tail]))
    if low == high:
        low, high = float(rest.min()), float(rest.max()) + 1.0
    edges = _edges(low, high, whole=isinstance(column, DateColumn) or column.integer)
    inside, _ = np.histogram(rest, edges)
    quartiles = np.quantile(present, [0, 0.25, 0.5, 0.75, 1])
    least, lower, median, upper, largest = (label(float(q)) for q in quartiles)
    return Histogram(
        edges=tuple(edges.tolist()),
        shares=tuple((inside / len(values)).tolist()),
        atoms=atoms,
        beyond=float((len(rest) - inside.sum()) / len(values)),
        missing=missing,
        ticks=_ticks(float(edges[0]), float(edges[-1]), column),
        summary=(least, lower, median, upper, largest),
    )


def _edges(low: float, high: float, *, whole: bool) -> NDArray[np.float64]:
    if not whole:
        return np.linspace(low, high, _BINS + 1)
    # Bins of whole width, or a comb of full and empty bars appears that is not in the rows.
    width = max(1, math.ceil((high - low + 1) / _BINS))
    bins = math.ceil((high - low + 1) / width)
    return math.floor(low) - 0.5 + width * np.arange(bins + 1, dtype=np.float64)


def _ticks(low: float, high: float, column: NumericColumn | DateColumn) -> tuple[tuple[float, str], ...]:
    if isinstance(column, DateColumn):
        places = [low + (high - low) * share for share in (0.08, 0.5, 0.92)]
        return tuple((place, _day(place)) for place in places)
    raw = (high - low) / 5
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * magnitude for factor in (1, 2, 2.5, 5, 10) if factor * magnitude >= raw)
    if column.integer:
        step = max(1.0, math.ceil(step))
    first = math.ceil(low / step)
    places = [index * step for index in range(first, math.floor(high / step) + 1)]
    return tuple((place, _short(place)) for place in places)


def _labeller(column: NumericColumn | DateColumn) -> Callable[[float], str]:
    return _day if isinstance(column, DateColumn) else _plain


def _day(value: float) -> str:
    return (_EPOCH + datetime.timedelta(days=round(value))).isoformat()


def _plain(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) < 1e12 else f"{value:.4g}"


def _short(value: float) -> str:
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            return f"{value / (1e3 if unit == 'k' else limit):g}{unit}"
    return f"{value:.6g}"


def _percent(share: float) -> str:
    return "under 0.1 %" if 0 < share < 0.001 else f"{share:.1%}".replace("%", " %")
