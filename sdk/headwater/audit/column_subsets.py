"""Public families of column subsets: by which parts of a row an audit asks whether rows were copied."""

import itertools
import math

import numpy as np
from numpy.typing import NDArray

from headwater.schema.table import Table

__all__ = ["column_subsets", "most_values_first"]

_SINGLES = 40
_COMBINED = 105
_DEPTH = 8
_SHARES = (0.75, 0.6, 0.45)
_EACH = 20


def column_subsets(table: Table, secrets: tuple[str, ...], seed: int) -> tuple[tuple[int, ...], ...]:
    """Places of the columns of each subset, the widest subsets first.

    | family | how many, at most |
    | --- | --- |
    | the whole row | 1 |
    | all but one column | 40 |
    | all but two, those of the columns with most values first: of 15 columns every pair | 105 |
    | all but three, in the same order: of 15 columns all with that of most values | 105 |
    | all but the column with most values, the secrets, and two others in the same order | 105 |
    | all but the k columns with most values, k up to 8, with the secrets and without them | 18 |
    | so many columns by chance, 75, 60 and 45 % of them | 20 of each size |

    Args:
        table: the candidate; how many different values its columns have puts them in order.
        secrets: names of declared secrets; what the table has not is passed over.
        seed: public, of the choice by chance.

    Returns:
        Each subset once, none empty, each ascending.
    """
    names = table.schema.names
    width = len(names)
    order = most_values_first(table)
    left_out: list[tuple[int, ...]] = [(), *((place,) for place in order[:_SINGLES])]
    for count in (2, 3):
        # They come in the order of their columns: those of most values first.
        left_out += itertools.islice(itertools.combinations(order, count), _COMBINED)
    hidden = tuple(place for place, name in enumerate(names) if name in secrets)
    typical = {*order[:1], *hidden}
    others = [place for place in order if place not in typical]
    left_out += [(*typical, *two) for two in itertools.islice(itertools.combinations(others, 2), _COMBINED)]
    for depth in range(min(_DEPTH, width // 2) + 1):
        left_out += [order[:depth], (*order[:depth], *hidden)]
    subsets = {tuple(sorted(set(range(width)) - set(places))) for places in left_out}
    random = np.random.default_rng(seed)
    for share in _SHARES:
        for _ in range(_EACH):
            size = max(round(share * width), 1)
            subsets.add(tuple(sorted(random.choice(width, size, replace=False).tolist())))
    return tuple(sorted(subsets - {()}, key=lambda subset: (-len(subset), subset)))


def most_values_first(table: Table) -> tuple[int, ...]:
    """Places of the columns in the order of how many different values they have; equal ones as in the schema."""
    distinct = [_distinct(table.columns[name]) for name in table.schema.names]
    return tuple(sorted(range(len(distinct)), key=lambda place: (-distinct[place], place)))


def _distinct(values: NDArray[np.generic]) -> float:
    """How many different values a column has; a picture is as good as unique."""
    return math.inf if values.ndim > 1 else float(len(np.unique(values)))
