"""Attacks on a released generator: does it tell rows that it was fitted to from rows that it never saw?"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

import quality
from headwater.audit.membership.opinions import opinions
from headwater.contribution.splits import split_rows
from headwater.encoding.encoding import Encoding
from headwater.generator.sampler import Sampler
from headwater.recipe.settings import SplitShares
from headwater.schema.finite import finite_rows
from headwater.schema.table import Table

__all__ = ["likelihood_auc", "likelihood_tpr", "nearest_auc", "trained_rows"]

F64 = NDArray[np.float64]

_QUERIES = 3000


def trained_rows(parts: Sequence[Table], shares: SplitShares) -> Table:
    """The rows that organisations trained on: of each its training part, without rows that are not finite."""
    used = [split_rows(part, shares, "train") for part in parts]
    return Table.concat([part.take(finite_rows(part)) for part in used])


def likelihood_auc(sampler: Sampler, encoding: Encoding, trained: Table, unseen: Table) -> float | None:
    """AUC of telling trained rows by the log-density that the released generator gives them.

    A refined mixture has no density that could be written down. What it is made of is attacked instead, and the
    strongest attack counts: its mixture's log-density, its critic's logit, and their sum as its draws are weighed.

    Args:
        sampler: the released generator.
        encoding: of the run.
        trained: rows that it was fitted to.
        unseen: rows that nobody trained on.

    Returns:
        None for a generator that has no density.
    """
    told, untold = (opinions(sampler, encoding, rows) for rows in (trained, unseen))
    return max((_auc(told[name], untold[name]) for name in told), default=None)


def likelihood_tpr(
    sampler: Sampler, encoding: Encoding, trained: Table, unseen: Table, rate: float = 0.01
) -> float | None:
    """Share of trained rows that the strongest of the same attacks tells, where it takes few unseen ones for trained.

    Args:
        sampler: the released generator.
        encoding: of the run.
        trained: rows that it was fitted to.
        unseen: rows that nobody trained on.
        rate: share of the unseen rows that are taken for trained.

    Returns:
        None for a generator that has no density.
    """
    told, untold = (opinions(sampler, encoding, rows) for rows in (trained, unseen))
    return max((float(np.mean(told[name] > np.quantile(untold[name], 1 - rate))) for name in told), default=None)


def nearest_auc(table: Any, trained: Any, unseen: Any, synthetic: Any) -> float:
    """AUC of telling trained rows by how near the nearest synthetic row lies, in the judge's space of points.

    Args:
        table: the judge's `quality.Table`.
        trained: aligned data frame of rows that the generator was fitted to.
        unseen: aligned data frame of rows that nobody trained on.
        synthetic: aligned data frame.
    """
    points, random = table.embedded(synthetic), np.random.RandomState(0)
    near = [
        -quality.nearest(table.embedded(rows.iloc[random.permutation(len(rows))[:_QUERIES]]), points)
        for rows in (trained, unseen)
    ]
    return _auc(near[0], near[1])


def _auc(told: F64, untold: F64) -> float:
    return float(roc_auc_score(np.r_[np.ones(len(told)), np.zeros(len(untold))], np.r_[told, untold]))
