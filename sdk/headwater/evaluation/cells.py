"""Cells that rows are counted in: fixed by the candidate and the schema, so that everybody counts in the same."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from headwater.evaluation.public_edges import public_edges, snapped
from headwater.schema import BooleanColumn, CategoricalColumn, Column, ImageColumn
from headwater.schema.table import Table

__all__ = ["Cells", "Chosen", "choose"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
I32 = NDArray[np.int32]

_ENUMERATED = 200_000
_TRIES = 4


@dataclass(frozen=True, slots=True)
class Chosen:
    """Groups of columns whose cells are counted together.

    Attributes:
        groups: positions of columns, ascending, each group of the same number of columns.
        possible: how many groups there are in all.
    """

    groups: tuple[tuple[int, ...], ...]
    possible: int

    @property
    def share(self) -> float:
        """Of all groups, 0 to 1."""
        return len(self.groups) / self.possible if self.possible else 0.0


@dataclass(frozen=True, eq=False)
class Cells:
    """How each column's values become cells.

    A number's cells end near quantiles of the candidate, a picture's near those of its mean level, and never elsewhere
    than at public edges: a made-up candidate cannot draw a cell around one person's values. A category has a cell of
    its own where it is among the candidate's most frequent, the others share the last. Missing is the first cell.

    Attributes:
        columns: of the schema, in order.
        edges: of columns with quantiles, by name: float64, ascending; a value on an edge lies above it.
        cells: of categorical columns, by name: int32, the cell of each code.
        sizes: cells of each column.
    """

    columns: tuple[Column, ...]
    edges: dict[str, F64] = field(repr=False)
    cells: dict[str, I32] = field(repr=False)
    sizes: tuple[int, ...] = field(repr=False)

    @classmethod
    def of(cls, table: Table, bins: int, categories: int, *, beyond: bool = False) -> "Cells":
        """Cells that rows of a public table fix.

        Args:
            table: the candidate.
            bins: of numbers, at most.
            categories: with a cell of their own, at most.
            beyond: numbers below the candidate's least, and above its largest, have a cell each.
        """
        edges, cells, sizes = {}, {}, []
        for column in table.schema.columns:
            if isinstance(column, CategoricalColumn | BooleanColumn):
                cells[column.name] = _category_cells(table.columns[column.name], len(column.categories), categories)
                # A category that the table lacks has a cell all the same: what was dropped must be seen.
                sizes.append(int(cells[column.name].max()) + 1)
            else:
                edges[column.name] = _edges(column, _numbers(column, table.columns[column.name]), bins, beyond=beyond)
                sizes.append(len(edges[column.name]) + 2)
        return cls(table.schema.columns, edges, cells, tuple(sizes))

    def of_column(self, table: Table, place: int) -> I32:
        """The cell of each row, by one column: int32, shape (rows,)."""
        column = self.columns[place]
        values = table.columns[column.name]
        if column.name in self.cells:
            return self.cells[column.name][np.asarray(values, np.int64) + 1]
        numbers = _numbers(column, values)
        found = np.searchsorted(self.edges[column.name], numbers, side="right") + 1
        return np.where(np.isnan(numbers), 0, found).astype(np.int32)

    def width(self, group: Sequence[int]) -> int:
        """Cells of a group of columns together."""
        return math.prod(self.sizes[place] for place in group)

    def places(self, table: Table, groups: Sequence[tuple[int, ...]]) -> Iterator[I64]:
        """The joint cell of each row, group by group: int64, shape (rows,), from 0 to the group's width."""
        known: dict[int, I32] = {}
        for group in groups:
            flat = np.zeros(table.rows, np.int64)
            for place in group:
                if place not in known:
                    known[place] = self.of_column(table, place)
                flat *= self.sizes[place]
                flat += known[place]
            yield flat

    def counts(self, table: Table, groups: Sequence[tuple[int, ...]]) -> I64:
        """Rows in each joint cell, group after group: int64, shape (sum of widths,)."""
        parts = [np.zeros(0, np.int64)]
        for group, flat in zip(groups, self.places(table, groups), strict=True):
            parts.append(np.bincount(flat, minlength=self.width(group)).astype(np.int64))
        return np.concatenate(parts)

    def split(self, counts: I64, groups: Sequence[tuple[int, ...]]) -> list[I64]:
        """Counts of each group, of what `counts` gave."""
        return np.split(counts, np.cumsum([self.width(group) for group in groups])[:-1]) if groups else []


def choose(sizes: Sequence[int], ways: int, most_cells: int, seed: int) -> Chosen:
    """Groups of `ways` columns whose cells come to no more than a limit: all, or a choice that only the seed makes.

    Args:
        sizes: cells of each column.
        ways: columns of a group.
        most_cells: of all groups together.
        seed: public.
    """
    possible = math.comb(len(sizes), ways)
    random = np.random.default_rng([seed, ways])
    left, taken = most_cells, []
    missed = 0
    for group in _in_random_order(len(sizes), ways, possible, random):
        cells = math.prod(sizes[place] for place in group)
        if cells <= left:
            taken.append(group)
            left -= cells
        else:
            missed += 1
        # One that is too large says little of the next; many in a row say that the room is used up.
        if missed > 1000:
            break
    return Chosen(tuple(sorted(taken)), possible)


def _in_random_order(columns: int, ways: int, possible: int, random: np.random.Generator) -> Iterator[tuple[int, ...]]:
    if possible <= _ENUMERATED:
        groups = list(itertools.combinations(range(columns), ways))
        yield from (groups[place] for place in random.permutation(len(groups)))
        return
    seen = set()
    for _ in range(_TRIES * _ENUMERATED):
        group = tuple(sorted(random.choice(columns, size=ways, replace=False).tolist()))
        if group not in seen:
            seen.add(group)
            yield group


def _category_cells(codes: NDArray[np.generic], categories: int, most: int) -> I32:
    """Cell of missing and of each code, shape (1 + categories,)."""
    if categories <= most:
        return np.arange(categories + 1, dtype=np.int32)
    counts = np.bincount(np.asarray(codes, np.int64) + 1, minlength=categories + 1)[1:]
    cells = np.full(categories + 1, most + 1, np.int32)
    cells[0] = 0
    frequent = np.sort(np.argsort(-counts, kind="stable")[:most])
    cells[1 + frequent] = 1 + np.arange(most)
    return cells


def _edges(column: Column, numbers: F64, bins: int, *, beyond: bool) -> F64:
    known = numbers[~np.isnan(numbers)]
    if not len(known):
        return np.zeros(0)
    public = public_edges(column, bins)
    edges = snapped(np.quantile(known, np.linspace(0, 1, bins + 1)[1:-1]), public)
    if beyond:
        # The candidate's own ends are no public ones: the last before its least value, the first after its largest.
        ends = [public[public <= known.min()][-1:], public[public > known.max()][:1]]
        edges = np.unique(np.concatenate([edges, *ends]))
    return np.asarray(edges, np.float64)


def _numbers(column: Column, values: NDArray[np.generic]) -> F64:
    if isinstance(column, ImageColumn):
        return np.asarray(values.mean(axis=1), np.float64)
    return np.asarray(values, np.float64)
