"""Share the rows of one table out to organisations, for simulation, demo and benchmarks."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.schema.columns import BooleanColumn, CategoricalColumn
from headwater.schema.table import Table

__all__ = ["partition"]

_SEED = 7
_LEAST_ROWS = 30
_MOST_DRAWS = 10_000
_MISSING_LABELS = {"missing", "?", "unknown", "unknown/invalid", "not available", "na", "n/a", "nan", "none"}


def partition(table: Table, how: str, parts: int) -> list[NDArray[np.int64]]:
    """Row numbers of each part; every row is in exactly one.

    Args:
        table: rows in the order of the judge's split.
        how: "iid": equal parts in order; "label:A": for each class in sorted order, shares drawn from a Dirichlet
            distribution of concentration A, drawn again until every part has 30 rows; "column:NAME": the levels of a
            column, largest first, dealt round robin, rows whose level is missing dealt one by one.
        parts: how many.

    Raises:
        InputError: an unknown way, more parts than the rows can fill, no target or no such column.
    """
    if parts < 1 or table.rows < parts:
        raise InputError(f"{table.rows} rows cannot be shared out to {parts} organisations; use fewer")
    kind, _, argument = how.partition(":")
    if kind == "iid" and not argument:
        return [np.asarray(part, dtype=np.int64) for part in np.array_split(np.arange(table.rows), parts)]
    if kind == "label":
        try:
            concentration = float(argument)
        except ValueError:
            concentration = 0.0
        if not 0 < concentration < 1e6:
            raise InputError(f"{how!r} has no concentration above 0; say label:0.5")
        return _by_label(table, concentration, parts)
    if kind == "column" and argument:
        return _by_column(table, argument, parts)
    raise InputError(f"{how!r} is no way to share rows out; say iid, label:0.5 or column:NAME")


def _labels(table: Table, name: str) -> tuple[NDArray[np.int64], Sequence[str]]:
    column = next((column for column in table.schema.columns if column.name == name), None)
    if column is None:
        raise InputError(f"there is no column {name!r} to share rows out by; use one of the schema's")
    if not isinstance(column, CategoricalColumn | BooleanColumn):
        raise InputError(f"column {name!r} is {column.kind}; rows are shared out by a categorical or boolean one")
    return table.columns[name].astype(np.int64), column.categories


def _by_label(table: Table, concentration: float, parts: int) -> list[NDArray[np.int64]]:
    target = table.schema.target
    if target is None:
        raise InputError("the schema marks no target, so rows cannot be shared out by label; say iid or column:NAME")
    codes, categories = _labels(table, target.name)
    if table.rows < _LEAST_ROWS * parts:
        raise InputError(f"{table.rows} rows are fewer than {_LEAST_ROWS} for each of {parts} organisations; use fewer")
    groups = [np.flatnonzero(codes == categories.index(label)) for label in sorted(categories)]
    groups = [rows for rows in (*groups, np.flatnonzero(codes < 0)) if len(rows)]
    random = np.random.default_rng(_SEED)
    for _ in range(_MOST_DRAWS):
        shares: list[list[NDArray[np.int64]]] = [[] for _ in range(parts)]
        for rows in groups:
            weights = random.dirichlet([concentration] * parts)
            cuts = np.round(np.cumsum(weights) * len(rows)).astype(int)[:-1]
            for share, piece in zip(shares, np.split(rows, cuts), strict=True):
                share.append(piece)
        joined = [np.concatenate(share) for share in shares]
        if min(len(part) for part in joined) >= _LEAST_ROWS:
            # The split's order again, as in the other ways.
            return [np.sort(part) for part in joined]
    raise InputError(
        f"no draw of label:{concentration:g} left every organisation {_LEAST_ROWS} rows; use a larger number"
    )


def _by_column(table: Table, name: str, parts: int) -> list[NDArray[np.int64]]:
    codes, categories = _labels(table, name)
    missing = codes < 0
    for code, label in enumerate(categories):
        if label.strip().lower() in _MISSING_LABELS:
            missing |= codes == code
    counts = np.bincount(codes[~missing], minlength=len(categories))
    # Largest first; equal ones by label, so that the order is the same everywhere.
    order = sorted((code for code in range(len(categories)) if counts[code]), key=lambda c: (-counts[c], categories[c]))
    shares: list[list[NDArray[np.int64]]] = [[] for _ in range(parts)]
    for position, code in enumerate(order):
        shares[position % parts].append(np.flatnonzero((codes == code) & ~missing))
    loose = np.flatnonzero(missing)
    for number in range(parts):
        shares[number].append(loose[number::parts])
    joined = [np.sort(np.concatenate(share)) for share in shares]
    if min(len(part) for part in joined) == 0:
        raise InputError(f"column {name!r} has too few levels for {parts} organisations; use fewer or another column")
    return joined
