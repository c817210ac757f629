"""What a row is to a mixture: its class, a code in each unit, and normal scores."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headwater.encoding.encoding import Encoding
from headwater.encoding.groups import Group, check_group
from headwater.encoding.marginals import cells_of
from headwater.errors import InputError
from headwater.mixture.scores import ScoreColumn, choose_score_columns, jitter
from headwater.mixture.settings import MixtureSettings
from headwater.schema.table import Table

__all__ = ["MOST_CELLS", "MOST_CLASSES", "Form", "RowFeatures", "coded_columns", "label_of"]

F64 = NDArray[np.float64]
I32 = NDArray[np.int32]

MOST_CLASSES = 64
"""A target with more codes is a column like any other."""

MOST_CELLS = 1 << 16
"""Most cells of all units together, and most of any number in a form."""

# Combinations are told apart by one whole number each, of 64 bits.
_MOST_PRODUCT = 2**62
_MOST_SCORES = 64
_BLOCK_ROWS = 1 << 14


@dataclass(frozen=True, slots=True, eq=False)
class RowFeatures:
    """An organisation's rows as a mixture sees them.

    Attributes:
        classes: int32, shape (rows,): the label's code, 0 where there is no label.
        units: int32, shape (rows, units); -1 for a combination that was not counted.
        scores: float64, shape (rows, score columns), finite.
        codes: int32, one array for each column of the encoding, where a tilt is to weigh the rows; else empty.
    """

    classes: I32
    units: I32
    scores: F64
    codes: tuple[I32, ...] = ()

    def take(self, rows: "slice | NDArray[np.int64] | NDArray[np.bool_]") -> "RowFeatures":
        """Some of the rows."""
        codes = tuple(column[rows] for column in self.codes)
        return RowFeatures(self.classes[rows], self.units[rows], self.scores[rows], codes)


@dataclass(frozen=True, eq=False)
class Form:
    """Which columns are one unit, which have scores, and which is the label.

    Every column stands in exactly one place. A score column that has special values, or may be missing, has a unit of
    states beside its score: 0 for "the score holds", then one for each state.

    Attributes:
        sizes: number of codes of each column.
        label: column whose codes are the classes, or None.
        groups: super-columns, disjoint; a column in none of them, and without a score, is a unit alone.
        scores: columns in the Gaussian, in ascending order.
    """

    sizes: tuple[int, ...]
    label: int | None
    groups: tuple[Group, ...]
    scores: tuple[ScoreColumn, ...]

    def __post_init__(self) -> None:
        """Check that every column stands in one place; the parts may come from a peer."""
        columns = len(self.sizes)
        taken = [] if self.label is None else [self.label]
        for group in self.groups:
            check_group(group, self.sizes)
            if cells_of(self.sizes, group.columns) > _MOST_PRODUCT:
                raise InputError("a super-column is of more columns than its combinations can be told apart by")
            taken += list(group.columns)
        taken += [score.column for score in self.scores]
        if len(set(taken)) != len(taken) or any(not 0 <= column < columns for column in taken):
            raise InputError("a column of the mixture stands in two places, or is none of the table's")
        if any(state >= self.sizes[score.column] for score in self.scores for state in score.states):
            raise InputError("a state of a score column lies outside its column's range")
        if len(self.scores) > _MOST_SCORES or self.cells > MOST_CELLS or self.classes > MOST_CLASSES:
            raise InputError(
                f"the mixture has {len(self.scores)} score columns, {self.cells} cells of its units and {self.classes} "
                f"classes, and may have {_MOST_SCORES}, {MOST_CELLS} and {MOST_CLASSES}; leave out columns or rare "
                "categories, or take another kind of recipe"
            )

    @classmethod
    def choose(
        cls, encoding: Encoding, label: int | None, groups: Sequence[Group], settings: MixtureSettings
    ) -> "Form":
        """The form that the summed histograms and pairs fix.

        Args:
            encoding: with its counts.
            label: as `label_of` gives it.
            groups: super-columns among `coded_columns`.
            settings: of the plan.
        """
        chosen = choose_score_columns(encoding, label, settings)
        scores = tuple(ScoreColumn.fit(encoding, column) for column in chosen)
        return cls(encoding.sizes, label, tuple(groups), scores)

    @property
    def classes(self) -> int:
        """Codes of the label, 1 where there is none."""
        return 1 if self.label is None else self.sizes[self.label]

    @cached_property
    def alone(self) -> tuple[int, ...]:
        """Columns that are units of their own."""
        placed = {column for group in self.groups for column in group.columns}
        placed |= {score.column for score in self.scores} | ({self.label} if self.label is not None else set())
        return tuple(column for column in range(len(self.sizes)) if column not in placed)

    @cached_property
    def stated(self) -> tuple[int, ...]:
        """Places among `scores` of those with a unit of states."""
        return tuple(place for place, score in enumerate(self.scores) if score.states)

    @cached_property
    def unit_sizes(self) -> tuple[int, ...]:
        """Codes of each unit: groups, columns alone, states."""
        return (
            *(len(group.combinations) for group in self.groups),
            *(self.sizes[column] for column in self.alone),
            *(1 + len(self.scores[place].states) for place in self.stated),
        )

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """Where each unit's cells start among all, and their end: shape (units + 1,)."""
        return np.concatenate([[0], np.cumsum(self.unit_sizes, dtype=np.int64)]).astype(np.int64)

    @property
    def cells(self) -> int:
        """Codes of all units together."""
        return int(self.offsets[-1])

    def rows(self, table: Table, encoding: Encoding, *, coded: bool = False) -> RowFeatures:
        """A table's rows for this form.

        Args:
            table: rows.
            encoding: counts are not needed.
            coded: whether a tilt is to weigh the rows, so that they need their codes beside them.

        Raises:
            InputError: the form is not of this encoding.
        """
        if self.sizes != encoding.sizes:
            raise InputError("the mixture's columns are not the encoding's; they do not belong together")
        classes = np.zeros(table.rows, np.int32)
        units = np.empty((table.rows, len(self.unit_sizes)), np.int32)
        scores = np.empty((table.rows, len(self.scores)))
        columns = np.empty((len(self.sizes) if coded else 0, table.rows), np.int32)
        # A block at a time stays inside the cache, and all codes of a large table never stand side by side.
        for start in range(0, table.rows, _BLOCK_ROWS):
            block = slice(start, start + _BLOCK_ROWS)
            part = table.take(np.arange(start, min(start + _BLOCK_ROWS, table.rows)))
            codes = encoding.encode(part)
            self._fill_units(units[block], codes)
            chance = jitter(part, tuple(score.column for score in self.scores))
            for place, score in enumerate(self.scores):
                values = part.columns[encoding.schema.names[score.column]]
                scores[block, place] = score.encode(encoding, values, chance[:, place])
            if self.label is not None:
                classes[block] = codes[:, self.label]
            if coded:
                columns[:, block] = codes.T
        return RowFeatures(classes, units, scores, tuple(columns))

    def _fill_units(self, units: I32, codes: I32) -> None:
        for place, group in enumerate(self.groups):
            units[:, place] = _combination_of(group, self.sizes, codes)
        start = len(self.groups)
        units[:, start : start + len(self.alone)] = codes[:, list(self.alone)]
        start += len(self.alone)
        for number, place in enumerate(self.stated):
            score = self.scores[place]
            units[:, start + number] = score.state(codes[:, score.column])

    def codes(self, rows: RowFeatures, encoding: Encoding) -> tuple[I32, ...]:
        """The code that each column of drawn rows decodes to: int32, one array for each column.

        Args:
            rows: as of `table`.
            encoding: with its counts.
        """
        columns: dict[int, I32] = {}
        if self.label is not None:
            columns[self.label] = rows.classes
        for place, group in enumerate(self.groups):
            for number, column in enumerate(group.columns):
                columns[column] = np.ascontiguousarray(group.combinations[:, number])[rows.units[:, place]]
        for place, column in enumerate(self.alone, start=len(self.groups)):
            columns[column] = np.ascontiguousarray(rows.units[:, place])
        for place, score in enumerate(self.scores):
            columns[score.column] = score.codes(encoding, rows.scores[:, place])
        start = len(self.groups) + len(self.alone)
        for place, number in enumerate(self.stated, start=start):
            score, state = self.scores[number], rows.units[:, place]
            states = np.asarray((0, *score.states), np.int32)[state]
            columns[score.column] = np.where(state > 0, states, columns[score.column])
        return tuple(columns[column] for column in sorted(columns))

    def table(self, rows: RowFeatures, encoding: Encoding, random: np.random.Generator) -> Table:
        """Values for drawn rows, the way back of `rows`.

        Args:
            rows: no unit may be -1.
            encoding: with its counts.
            random: of the values inside a code.
        """
        columns: dict[int, NDArray[Any]] = {}
        if self.label is not None:
            columns[self.label] = encoding.decode_column(self.label, rows.classes, random)
        for place, group in enumerate(self.groups):
            codes = group.combinations[rows.units[:, place]]
            for number, column in enumerate(group.columns):
                columns[column] = encoding.decode_column(column, codes[:, number], random)
        for place, column in enumerate(self.alone, start=len(self.groups)):
            columns[column] = encoding.decode_column(column, rows.units[:, place], random)
        for place, score in enumerate(self.scores):
            columns[score.column] = score.decode(encoding, rows.scores[:, place])
        start = len(self.groups) + len(self.alone)
        for place, number in enumerate(self.stated, start=start):
            score, state = self.scores[number], rows.units[:, place]
            stated = state > 0
            codes = np.asarray(score.states, np.int32)[state[stated] - 1]
            columns[score.column][stated] = encoding.decode_column(score.column, codes, random)
        names = encoding.schema.names
        return Table(encoding.schema, {names[column]: columns[column] for column in sorted(columns)}, len(rows.classes))


def label_of(target: int | None, sizes: Sequence[int]) -> int | None:
    """The target, where its codes can be classes."""
    return target if target is not None and sizes[target] <= MOST_CLASSES else None


def coded_columns(encoding: Encoding, label: int | None, settings: MixtureSettings) -> tuple[int, ...]:
    """Columns that the mixture holds as codes: all but the label and those with scores."""
    scored = choose_score_columns(encoding, label, settings)
    return tuple(column for column in range(len(encoding.sizes)) if column != label and column not in scored)


def _combination_of(group: Group, sizes: Sequence[int], codes: I32) -> I32:
    """Place of each row's combination among the group's, -1 where it is none of them."""
    columns = list(group.columns)
    flat = codes[:, columns[0]].astype(np.int64)
    keys = group.combinations[:, 0].astype(np.int64)
    for place, column in enumerate(columns[1:], start=1):
        flat = flat * sizes[column] + codes[:, column]
        keys = keys * sizes[column] + group.combinations[:, place]
    order = np.argsort(keys, kind="stable")
    found = np.clip(np.searchsorted(keys[order], flat), 0, len(keys) - 1)
    place_of = order[found]
    return np.where(keys[place_of] == flat, place_of, -1).astype(np.int32)
