"""A fitted mixture, with the distance of the columns of two tables, for statistical tests."""

import numpy as np

from headwater.encoding.encoding import Encoding
from headwater.mixture.expectation import expect
from headwater.mixture.maximisation import maximise
from headwater.mixture.parameters import Mixture
from headwater.schema.table import Table
from support.mixtures import SETTINGS, mixture_of, part_of, together

__all__ = ["column_distances", "fitted_mixture"]


def column_distances(left: Table, right: Table) -> dict[str, float]:
    """The largest difference of two columns' distribution functions, by column; missing counts as a value."""
    found = {}
    for name in left.schema.names:
        # Missing is put below everything: a value like the others.
        values = [np.nan_to_num(table.columns[name].astype(float), nan=-1e12) for table in (left, right)]
        levels = np.unique(np.concatenate(values))
        below = [np.searchsorted(np.sort(each), levels, side="right") / len(each) for each in values]
        found[name] = float(np.abs(below[0] - below[1]).max())
    return found


def fitted_mixture(rows: int = 2000) -> tuple[Mixture, Encoding]:
    """A mixture of twelve components fitted to the small table, and its encoding."""
    _, encoding, form, features = together(rows)
    mixture = mixture_of(form, features, components=12)
    for _ in range(15):
        mixture = maximise(mixture, expect(mixture, features, part_of(features, np.arange(0))), SETTINGS)
    return mixture, encoding
