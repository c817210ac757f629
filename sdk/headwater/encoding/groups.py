"""Which columns depend on each other so strongly that they share one softmax (super-columns)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from headwater.encoding.marginals import Marginal, Subset, marginalise
from headwater.errors import InputError

__all__ = ["Group", "check_group", "dependence", "propose_groups", "settle_groups"]

F64 = npt.NDArray[np.float64]
I32 = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """A super-column: the combinations of codes that its columns take together.

    A column that stands in no group has a softmax of its own over all its codes.

    Attributes:
        columns: two or more indices into the schema's columns, ascending.
        combinations: int32, shape (supported, len(columns)), distinct rows in lexicographic order; every code
            that has rows stands in at least one.
    """

    columns: Subset
    combinations: I32


def check_group(group: Group, sizes: Sequence[int]) -> None:
    """Check a super-column that may come from a peer.

    Args:
        group: of any form.
        sizes: number of codes of each column.

    Raises:
        InputError: it is not made of ascending columns of these and of their codes.
    """
    columns, codes = group.columns, group.combinations
    if len(columns) < 2 or list(columns) != sorted(set(columns)) or columns[0] < 0 or columns[-1] >= len(sizes):
        raise InputError("a super-column needs two or more different columns of the table in ascending order")
    if codes.ndim != 2 or codes.shape[1] != len(columns) or not len(codes):
        raise InputError("a super-column needs at least one combination of its columns' codes")
    if codes.min() < 0 or (codes.max(axis=0) >= np.asarray([sizes[column] for column in columns])).any():
        raise InputError("a combination of a super-column holds a code outside its column's range")


def dependence(table: F64) -> float:
    """Normalised mutual information I / min(H) of a contingency table, 0 to 1, corrected for small counts.

    Args:
        table: shape (codes, codes); counts, not negative.

    Source: Miller 1955 for the correction, (cells − rows − columns + 1) / 2n over the occupied ones.
    """
    total = table.sum()
    if total <= 0:
        return 0.0
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    smaller = min(_entropy(rows / total), _entropy(columns / total))
    if smaller <= 1e-9:
        return 0.0
    mutual = _entropy(rows / total) + _entropy(columns / total) - _entropy(table.reshape(-1) / total)
    occupied = (table > 0).sum() - (rows > 0).sum() - (columns > 0).sum() + 1
    return float(np.clip((mutual - occupied / (2 * total)) / smaller, 0.0, 1.0))


def propose_groups(
    pairs: Sequence[Marginal],
    sizes: Sequence[int],
    *,
    threshold: float,
    most_columns: int,
    most_combinations: int,
    most_cells: int,
) -> list[Subset]:
    """Columns to be counted together, chosen greedily by dependence of the pairs.

    Args:
        pairs: marginals of two columns each.
        sizes: number of codes of each column.
        threshold: least normalised mutual information, 0 to 1, of every pair inside a group.
        most_columns: largest number of columns in a group.
        most_combinations: pairs that take more combinations than this join no group.
        most_cells: largest dense table of a group.

    Returns:
        Disjoint ascending tuples of two or more columns.
    """
    strength: dict[Subset, float] = {}
    for pair in pairs:
        table = pair.counts.reshape([int(sizes[column]) for column in pair.columns])
        if np.count_nonzero(table) <= most_combinations and (value := dependence(table)) >= threshold:
            strength[pair.columns] = value
    member: dict[int, Subset] = {}
    for first, second in sorted(strength, key=lambda pair: (-strength[pair], pair)):
        joined = tuple(sorted({*member.get(first, (first,)), *member.get(second, (second,))}))
        within = [(a, b) for place, a in enumerate(joined) for b in joined[place + 1 :]]
        cells = int(np.prod([float(sizes[column]) for column in joined]))
        if len(joined) <= most_columns and cells <= most_cells and all(pair in strength for pair in within):
            member |= dict.fromkeys(joined, joined)
    return sorted(set(member.values()))


def settle_groups(joint: Sequence[Marginal], sizes: Sequence[int], *, most_combinations: int) -> list[Group]:
    """Groups with their supported combinations; one with too many gives up columns until the rest fit.

    The column given up is the one without which the others are most dependent. A pair that does not fit is no
    group.

    Args:
        joint: counts of each proposed group over all its columns.
        sizes: number of codes of each column.
        most_combinations: largest number of combinations of a group.
    """
    groups = []
    for marginal in joint:
        fitting: Marginal | None = marginal
        while fitting is not None and np.count_nonzero(fitting.counts) > most_combinations:
            fitting = _without_weakest(fitting, sizes)
        if fitting is not None:
            shape = [int(sizes[column]) for column in fitting.columns]
            groups.append(Group(fitting.columns, np.argwhere(fitting.counts.reshape(shape) > 0).astype(np.int32)))
    return groups


def _without_weakest(marginal: Marginal, sizes: Sequence[int]) -> Marginal | None:
    columns = marginal.columns
    if len(columns) < 3:
        return None
    parts: Mapping[Subset, Marginal] = {
        part: marginalise(marginal, sizes, part)
        for part in (tuple(c for c in columns if c != dropped) for dropped in columns)
    }
    return max(parts.values(), key=lambda part: (_total_dependence(part, sizes), part.columns))


def _total_dependence(marginal: Marginal, sizes: Sequence[int]) -> float:
    columns, value = marginal.columns, 0.0
    for place, first in enumerate(columns):
        for second in columns[place + 1 :]:
            pair = marginalise(marginal, sizes, (first, second))
            value += dependence(pair.counts.reshape(int(sizes[first]), int(sizes[second])))
    return value


def _entropy(shares: F64) -> float:
    positive = shares[shares > 0]
    return float(-(positive * np.log(positive)).sum())
