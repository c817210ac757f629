"""How the values of one column of synthetic rows are spread: counts of values, or of bins."""

import datetime
import math
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Discriminator, Field

from headwater.agreement.documents import Document
from headwater.schema import BooleanColumn, CategoricalColumn, DateColumn, NumericColumn

__all__ = ["Atom", "Bars", "Distribution", "Histogram", "bars_of", "day_of", "histogram_of", "number_in_words"]

F64 = NDArray[np.float64]

MOST_VALUES = 50
"""Values of a category that are counted one by one; the rest together."""

_BINS = 28
_DISTINCT_AS_BARS = 8
_ATOM_SHARE = 0.15
_TAIL = 0.005
_EPOCH = datetime.date(1970, 1, 1)


class Bars(Document):
    """Rows by value.

    Attributes:
        labels: values; of categories the most frequent first, of yes and no and of few numbers in their own order.
        counts: rows of each.
        others: rows of all values that are not among the labels.
        other_values: how many such values the schema has.
    """

    kind: Literal["bars"] = "bars"
    labels: tuple[str, ...]
    counts: tuple[int, ...]
    others: int = 0
    other_values: int = 0


class Atom(Document):
    """A single number that so many rows have that it would flatten all others.

    Attributes:
        label: the number, or the day.
        count: rows.
    """

    label: str
    count: int


class Histogram(Document):
    """Rows by bins of equal width.

    Attributes:
        edges: one more than bins, ascending; of dates days since 1970-01-01.
        counts: rows in each bin, without atoms.
        atoms: single values that stand apart.
        beyond: rows outside the edges: at most one in two hundred at each end.
    """

    kind: Literal["histogram"] = "histogram"
    edges: tuple[float, ...] = Field(min_length=2)
    counts: tuple[int, ...]
    atoms: tuple[Atom, ...] = ()
    beyond: int = 0


Distribution = Annotated[Bars | Histogram, Discriminator("kind")]


def bars_of(codes: NDArray[Any], column: CategoricalColumn | BooleanColumn) -> Bars:
    """Count a column's categories.

    Args:
        codes: shape (rows,), indices into `column.categories`; below 0 where the value is missing.
        column: of the schema.
    """
    categories = column.categories
    counts = np.bincount(codes[codes >= 0], minlength=len(categories))
    ordered = isinstance(column, BooleanColumn)
    order = np.arange(len(categories)) if ordered else np.argsort(-counts, kind="stable")
    # "1 other value" would say less than its name in the same room.
    shown = len(order) if len(order) <= MOST_VALUES + 1 else MOST_VALUES
    kept, rest = order[:shown], order[shown:]
    return Bars(
        labels=tuple(categories[index] for index in kept),
        counts=tuple(counts[kept].tolist()),
        others=int(counts[rest].sum()),
        other_values=len(rest),
    )


def histogram_of(values: F64, column: NumericColumn | DateColumn) -> Bars | Histogram:
    """Count a column's numbers or days in bins; each by itself where there are few different ones.

    Args:
        values: shape (rows,), present values only, none of them NaN; days since 1970-01-01 for a date.
        column: of the schema.
    """
    date = isinstance(column, DateColumn)
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) <= _DISTINCT_AS_BARS:
        labels = tuple(_label(float(value), date=date) for value in distinct)
        return Bars(labels=labels, counts=tuple(counts.tolist()))
    # One value that stands in every sixth row would squash all others against the axis: it stands apart.
    frequent = (counts / len(values) >= _ATOM_SHARE) & (len(distinct) > _BINS)
    atoms = tuple(
        Atom(label=_label(float(value), date=date), count=int(count))
        for value, count in zip(distinct[frequent], counts[frequent], strict=True)
    )
    rest = values[~np.isin(values, distinct[frequent])]
    tail = _TAIL if len(distinct) > _BINS else 0.0
    low, high = (float(edge) for edge in np.quantile(rest, [tail, 1 - tail]))
    if low == high:
        low, high = float(rest.min()), float(rest.max()) + 1.0
    edges = _edges(low, high, whole=date or (isinstance(column, NumericColumn) and column.integer))
    inside, _ = np.histogram(rest, edges)
    return Histogram(
        edges=tuple(edges.tolist()),
        counts=tuple(inside.tolist()),
        atoms=atoms,
        beyond=int(len(rest) - inside.sum()),
    )


def number_in_words(value: float) -> str:
    """A number as people read it: whole ones with thousands apart, others with four digits."""
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) < 1e12 else f"{value:.4g}"


def day_of(value: float) -> str:
    """Days since 1970-01-01 as YYYY-MM-DD."""
    return (_EPOCH + datetime.timedelta(days=round(value))).isoformat()


def _label(value: float, *, date: bool) -> str:
    return day_of(value) if date else number_in_words(value)


def _edges(low: float, high: float, *, whole: bool) -> F64:
    if not whole:
        return np.linspace(low, high, _BINS + 1)
    # Bins of whole width, or a comb of full and empty bars appears that is not in the rows.
    width = max(1, math.ceil((high - low + 1) / _BINS))
    bins = math.ceil((high - low + 1) / width)
    return math.floor(low) - 0.5 + width * np.arange(bins + 1, dtype=np.float64)
