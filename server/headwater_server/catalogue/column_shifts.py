"""How far columns of two tables lie apart, by what statistics.json counts of each."""

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["ColumnShift", "Spread", "column_shifts", "read_spreads"]

_MAXIMUM_BYTES = 64 * 2**20
_CHANCE = 1.36
"""Of a Kolmogorov distance: 95 of 100 pairs of samples of one source stay below 1.36 √(1/n + 1/m)."""


@dataclass(frozen=True)
class Spread:
    """How one column's rows are spread.

    Attributes:
        rows: that were counted.
        missing: of them without a value.
        shares: rows by value, of categories; empty of numbers.
        edges: of bins, ascending; empty of categories.
        counts: rows of each bin.
        middle: the median in words, "" where there is none.
    """

    rows: int
    missing: int
    shares: Mapping[str, int]
    edges: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    middle: str = ""


@dataclass(frozen=True)
class ColumnShift:
    """How far a column moved.

    Attributes:
        name: of the column.
        distance: 0 to 1; of categories the share of rows that would have to change their value (total variation), of
            numbers the largest difference of the shares below any value (Kolmogorov).
        chance: what two tables of these sizes from one generator seldom exceed, counted in the same bins.
        before: median or most frequent value, with the missing share, in words.
        after: the same.
    """

    name: str
    distance: float
    chance: float
    before: str
    after: str

    @property
    def size(self) -> Literal["within chance", "small", "large"]:
        """In words."""
        if self.distance <= self.chance:
            return "within chance"
        return "small" if self.distance < 0.1 else "large"


def read_spreads(data: bytes) -> Mapping[str, Spread]:
    """The columns of a statistics.json, by name; those that are not counted, as images, are left out.

    Raises:
        ValueError: it is too large or no such document.
    """
    if len(data) > _MAXIMUM_BYTES:
        raise ValueError("statistics.json is too large")
    document = json.loads(data)
    try:
        rows = int(document["counted"])
        columns = {str(column["name"]): _spread(column, rows) for column in document["columns"]}
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("statistics.json is none that this catalogue knows") from error
    return {name: spread for name, spread in columns.items() if spread is not None}


def column_shifts(before: Mapping[str, Spread], after: Mapping[str, Spread]) -> Sequence[ColumnShift]:
    """Every column that both have, the farthest first."""
    shifts = [
        ColumnShift(name, *_distance(before[name], after[name]), _words(before[name]), _words(after[name]))
        for name in before
        if name in after and bool(before[name].edges) == bool(after[name].edges)
    ]
    return sorted(shifts, key=lambda shift: (-shift.distance, shift.name))


def _spread(column: Mapping[str, Any], rows: int) -> Spread | None:
    said = column.get("distribution")
    if not said:
        return None
    missing = int(column["missing"])
    median = (column.get("quantiles") or {}).get("median")
    middle = "" if median is None else (median if isinstance(median, str) else f"{median:.6g}")
    if said["kind"] == "bars":
        shares = {str(label): int(count) for label, count in zip(said["labels"], said["counts"], strict=True)}
        if said.get("others"):
            shares["\0others"] = int(said["others"])
        return Spread(rows, missing, shares, middle=middle)
    edges, counts = [float(edge) for edge in said["edges"]], [int(count) for count in said["counts"]]
    points = [(edge, edge, 0) for edge in edges]
    for atom in said.get("atoms", ()):
        try:
            place = float(atom["label"].replace(",", ""))
        except ValueError:
            continue
        points.append((place, place, int(atom["count"])))
    return Spread(rows, missing, {}, *_with_atoms(edges, counts, points[len(edges) :]), middle=middle)


def _with_atoms(
    edges: Sequence[float], counts: Sequence[int], atoms: Sequence[tuple[float, float, int]]
) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Edges and counts with each single value as a bin of no width."""
    pieces: list[tuple[float, float, int]] = list(atoms)
    for (low, high), count in zip(itertools.pairwise(edges), counts, strict=True):
        inside = sorted({low, high, *(place for place, _, _ in atoms if low < place < high)})
        width = high - low or 1.0
        pieces += [(a, b, round(count * (b - a) / width)) for a, b in itertools.pairwise(inside)]
    pieces.sort(key=lambda piece: (piece[0], piece[1]))
    shown = [pieces[0][0], *(piece[1] for piece in pieces)]
    return tuple(shown), tuple(piece[2] for piece in pieces)


def _distance(before: Spread, after: Spread) -> tuple[float, float]:
    size = math.sqrt(1 / max(before.rows, 1) + 1 / max(after.rows, 1))
    if before.edges:
        chance = _CHANCE * size
        moved = abs(before.missing / before.rows - after.missing / after.rows)
        gaps, certain = [moved], [moved]
        for place in sorted({*before.edges, *after.edges}):
            (below, doubt), (there, doubts) = _below(before, place), _below(after, place)
            gaps.append(abs(below - there))
            certain.append(gaps[-1] - doubt - doubts)
        # What bins alone could have made is no more told of than chance.
        return max(gaps), chance + max(gaps) - max(certain)
    one, other = _shares(before), _shares(after)
    values = {*one, *other}
    distance = sum(abs(one.get(value, 0.0) - other.get(value, 0.0)) for value in values) / 2
    # Twice what two samples of one source differ by on average.
    pooled = [(one.get(value, 0.0) + other.get(value, 0.0)) / 2 for value in values]
    spread = sum(math.sqrt(share * (1 - share)) for share in pooled) * size
    return distance, math.sqrt(2 / math.pi) * spread


def _shares(spread: Spread) -> Mapping[str, float]:
    counts = {**spread.shares, "\0missing": spread.missing}
    total = sum(counts.values()) or 1
    return {value: count / total for value, count in counts.items()}


def _below(spread: Spread, place: float) -> tuple[float, float]:
    """The share of rows with a value of at most `place`, straight lines inside bins; how far off that may well be."""
    total = sum(spread.counts) or 1
    below = doubt = 0.0
    for (low, high), count in zip(itertools.pairwise(spread.edges), spread.counts, strict=True):
        if place >= high:
            below += count
        elif place > low:
            part = (place - low) / (high - low)
            below += count * part
            # Nothing at the ends of a bin, half of its rows in its middle: rows seldom lie more unevenly.
            doubt += count * 2 * part * (1 - part)
    return below / total, doubt / total


def _words(spread: Spread) -> str:
    missing = f", {spread.missing / spread.rows:.1%} missing" if spread.missing else ""
    if spread.middle and spread.edges:
        return f"median {spread.middle}{missing}"
    if not spread.shares:
        return missing.lstrip(", ")
    value, count = max(spread.shares.items(), key=lambda item: item[1])
    named = "other values" if value == "\0others" else value
    return f"{named} {count / spread.rows:.1%}{missing}"
