"""Small tables with known faults, made from the candidate alone: what the self-test of an audit attacks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headwater.audit.column_subsets import most_values_first
from headwater.evidence.check import AuditRows
from headwater.evidence.settings import AuditSettings
from headwater.evidence.space import Space, nearest
from headwater.schema import BooleanColumn, CategoricalColumn, Column, DateColumn, ImageColumn, NumericColumn, Schema
from headwater.schema.table import Table

__all__ = [
    "GUESSED_ROWS",
    "LEAST_ROWS",
    "MAKERS",
    "MOST_ROWS",
    "OUTLIERS_ROWS",
    "ControlTables",
    "Maker",
    "control_tables",
    "judged_group",
]

LEAST_ROWS = 600
"""Rows of each part: with fewer, not even a generator that copies one row in twenty could be told."""

MOST_ROWS = 2000
"""Rows of each part, at most, for faults that touch one row in twenty or more."""

OUTLIERS_ROWS = 1000
"""For a few copied outliers: among few rows, hardly any honest row comes near another by chance."""

GUESSED_ROWS = 6000
"""For guesses that must stay quiet: a secret that most rows share takes so many to be cleared."""

COPIED_SHARE = 0.05
COPIED_OUTLIERS = 20
PARTLY_COPIED_SHARE = 0.1
_PARTLY_COPIED = 120
_LEAST_COLUMNS = 4
_MOVED = 0.5
_KEPT = 1 / 3
_REFUSED = 2 / 3
_LEAST_SHARE, _MOST_SHARE = 0.03, 0.5


@dataclass(frozen=True, eq=False)
class ControlTables:
    """Three parts of the candidate, drawn by chance: of one law, whatever that law is.

    Attributes:
        rows: two parts, which play training rows and holdout.
        fresh: the third, which plays an honest generator's output.
        settings: of the audit that is tested.
    """

    rows: AuditRows
    fresh: Table = field(repr=False)
    settings: AuditSettings


def control_tables(
    candidate: Table, settings: AuditSettings, random: np.random.Generator, most: int = MOST_ROWS
) -> ControlTables | None:
    """Take three equal parts of a candidate, at most so many rows each; None where they would have too few.

    The parts are exchangeable, also where the candidate repeats its rows: what an attack learns from `fresh` about
    `rows.train` it learns about `rows.holdout` as well, so that an alarm is a false one.
    """
    size = min(candidate.rows // 3, most)
    if size < LEAST_ROWS:
        return None
    order = random.permutation(candidate.rows)[: 3 * size]
    train, holdout, fresh = (candidate.take(order[part * size : (part + 1) * size]) for part in range(3))
    return ControlTables(AuditRows(train, holdout), fresh, settings)


Maker = Callable[[ControlTables, np.random.Generator], Table | None]
"""What plays the synthetic table; None where the table has nothing that could be wrong in this way."""


def _safe(tables: ControlTables, random: np.random.Generator) -> Table:
    """Of the same law; it never saw a training row."""
    return tables.fresh


def _memoriser(tables: ControlTables, random: np.random.Generator) -> Table:
    """The training rows in another order."""
    return tables.rows.train.take(random.permutation(tables.rows.train.rows))


def _copier(tables: ControlTables, random: np.random.Generator) -> Table:
    """Of the same law, but for one row in twenty, which is a training row."""
    return _with_copies(tables, random.choice(tables.rows.train.rows, _copies(tables), replace=False), random)


def _partial(tables: ControlTables, random: np.random.Generator) -> Table | None:
    """Of the same law, but for one row in ten: a training row, two columns of which are drawn anew from other rows.

    They are the column with most values, by which rows differ most, and the first declared secret beside it, or the
    column with next most values. Of few rows more than one in ten are copied, since so few are not promised to be
    found. None where fewer than four columns leave nothing to tell the rest by.
    """
    schema = tables.fresh.schema
    if len(schema.names) < _LEAST_COLUMNS:
        return None
    order = [schema.names[place] for place in most_values_first(tables.fresh)]
    declared = [name for name in tables.settings.secrets if name in order[1:]]
    count = max(round(PARTLY_COPIED_SHARE * tables.fresh.rows), _PARTLY_COPIED)
    copied = tables.rows.train.take(random.choice(tables.rows.train.rows, count, replace=False))
    columns = dict(copied.columns)
    for name in (order[0], (declared or order[1:])[0]):
        columns[name] = tables.fresh.columns[name][random.permutation(tables.fresh.rows)[:count]]
    rest = tables.fresh.take(np.arange(count, tables.fresh.rows))
    both = Table.concat([Table(schema, columns, count), rest])
    return both.take(random.permutation(both.rows))


def _outliers(tables: ControlTables, random: np.random.Generator) -> Table:
    """Of the same law, but for a few training rows: those furthest from their fifth neighbour in all three parts."""
    every = Table.concat([tables.rows.train, tables.rows.holdout, tables.fresh])
    space = Space.of(every)
    # The first neighbour of each row is the row itself.
    far = nearest(space.points(tables.rows.train), space.points(every), 6)[0][:, -1]
    return _with_copies(tables, np.argsort(-far, kind="stable")[:COPIED_OUTLIERS], random)


def _copies(tables: ControlTables) -> int:
    return round(COPIED_SHARE * tables.fresh.rows)


def _with_copies(tables: ControlTables, copied: NDArray[np.int64], random: np.random.Generator) -> Table:
    both = Table.concat([tables.rows.train.take(copied), tables.fresh.take(np.arange(len(copied), tables.fresh.rows))])
    return both.take(random.permutation(both.rows))


def _shifted(tables: ControlTables, random: np.random.Generator) -> Table | None:
    """The training rows, every number moved by half of its standard deviation; None where there is no number."""
    train = tables.rows.train
    numbers = [column for column in train.schema.columns if isinstance(column, NumericColumn | DateColumn)]
    if not numbers:
        return None
    columns: dict[str, NDArray[Any]] = dict(train.columns)
    for place, column in enumerate(numbers):
        columns[column.name] = _moved(column, train.columns[column.name], (-1) ** place * _MOVED)
    return Table(train.schema, columns, train.rows).take(random.permutation(train.rows))


def _moved(column: NumericColumn | DateColumn, values: NDArray[np.float64], by: float) -> NDArray[np.float64]:
    known: NDArray[np.float64] = values[~np.isnan(values)]
    if not len(known):
        return values
    moved: NDArray[np.float64] = values + by * known.std()
    if isinstance(column, DateColumn):
        return np.rint(np.clip(moved, float(column.lower_day), float(column.upper_day)))
    moved = np.clip(moved, column.lower, column.upper)
    if column.integer or column.decimals is not None:
        moved = np.round(moved, column.decimals or 0)
    # Special values have a meaning of their own and are not moved.
    return np.where(np.isin(values, column.special_values), values, moved)


def _biased(tables: ControlTables, random: np.random.Generator) -> Table | None:
    """Of the same law, with a third left of one group, and two thirds of the target's least label in it changed."""
    found = judged_group(tables.fresh, tables.settings)
    if found is None:
        return None
    name, code = found
    of_it = tables.fresh.columns[name] == code
    kept = tables.fresh.take(~of_it | (random.random(tables.fresh.rows) < _KEPT))
    task = _task(tables.fresh.schema, tables.settings, name)
    if task is None:
        return kept
    labels = kept.columns[task]
    often = int(np.bincount(labels[labels >= 0], minlength=1).argmax())
    changed = (kept.columns[name] == code) & (random.random(kept.rows) < _REFUSED)
    return Table(kept.schema, {**kept.columns, task: np.where(changed, often, labels).astype(np.int32)}, kept.rows)


def judged_group(table: Table, settings: AuditSettings) -> tuple[str, int] | None:
    """The declared group that the self-test wrongs: column and code of the largest that is no majority.

    Returns:
        None where no group is declared, or none has between 3 % and half of the rows.
    """
    best: tuple[int, str, int] | None = None
    for column in _group_columns(table.schema, settings):
        codes = table.columns[column.name]
        counts = np.bincount(codes[codes >= 0], minlength=1)
        for code in np.flatnonzero((counts >= _LEAST_SHARE * table.rows) & (counts <= _MOST_SHARE * table.rows)):
            if best is None or counts[code] > best[0]:
                best = (int(counts[code]), column.name, int(code))
    return None if best is None else best[1:]


def _group_columns(schema: Schema, settings: AuditSettings) -> list[Column]:
    return [
        column
        for column in schema.columns
        if isinstance(column, CategoricalColumn | BooleanColumn)
        and (column.name in settings.groups if settings.groups else column.sensitive)
    ]


def _task(schema: Schema, settings: AuditSettings, group: str) -> str | None:
    target = schema.target
    names = settings.tasks or ((target.name,) if target is not None else ())
    return next(
        (
            column.name
            for column in schema.columns
            if column.name in names
            and column.name != group
            and not isinstance(column, NumericColumn | DateColumn | ImageColumn)
        ),
        None,
    )


MAKERS: Mapping[str, Maker] = MappingProxyType(
    {
        "safe": _safe,
        "memoriser": _memoriser,
        "copier": _copier,
        "partial": _partial,
        "outliers": _outliers,
        "shifted": _shifted,
        "biased": _biased,
    }
)
"""By the short name that `Measure.check` has after "controls."."""
