"""Near copies: synthetic rows that are nearer to a training row than the table's own law brings rows together."""

import numpy as np
from numpy.typing import NDArray

from headwater.audit.controlled import checked
from headwater.audit.echoes import echo_measure
from headwater.audit.membership.neighbourhood import Neighbourhood
from headwater.audit.row_hashes import value_hashes
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import About, AuditRows
from headwater.evidence.measure import Measure
from headwater.evidence.settings import AuditSettings
from headwater.evidence.space import nearest
from headwater.schema.table import Table

__all__ = ["NearCopies"]

I64 = NDArray[np.int64]

_CLOSE = 0.03
_NEAR = 0.2


class NearCopies:
    """The attacker looks whether a synthetic row is a real one, perhaps with a digit changed.

    A distance alone tells nothing: where the law is dense, honest rows fall on real ones. So each real row's distance
    to the nearest synthetic row is set beside its distance to the nearest other real row. It is closely echoed where
    the first is at most 3 % of the second, and nearly where it is at most 20 %; a row with a twin among the real rows
    cannot be echoed. Training rows are echoed more often than as many holdout rows only by a generator that copies.

    Cost: distances of the attacked rows to each other; those to the synthetic rows are of
    `headwater.audit.membership.neighbourhood`, for all checks once.

    Source: the comparison of both distances is the nearest-neighbour distance ratio of Lowe 2004, section 7.1; that of
    training with holdout, Platzer and Reutterer 2021 (arXiv:2104.00635), section 3.2.
    """

    name = "copies.near"
    federated = True
    size = 7
    about = About(
        title="Near copies",
        question="Are there training rows among the synthetic ones, copied or nearly so?",
        knowledge="The real rows; nobody attacks here, copies are counted.",
        statistic="R = (t - c) / (1 - c): t is the share of training rows that a synthetic row comes much nearer to "
        "than any other real row, c that of holdout rows; 0 where training rows are echoed no more than others.",
        misses="Rows that were moved and still tell their secrets; copies of rows that have a twin anyhow.",
        source="Platzer and Reutterer 2021, Holdout-Based Empirical Assessment of Mixed-Type Synthetic Data",
    )

    def __init__(self, candidate: Candidate, settings: AuditSettings) -> None:
        """Bind to a candidate and public settings."""
        self._candidate = candidate
        self._settings = settings

    def count(self, rows: AuditRows, random: np.random.Generator) -> I64:
        """Closely and nearly echoed rows and those that stand alone, of training and holdout, and rows: shape (7,)."""
        if not rows.train.rows or not rows.holdout.rows:
            return np.zeros(self.size, np.int64)
        near = Neighbourhood.of(self._candidate, rows, self._settings, random)
        each = min(near.members.table.rows, near.others.table.rows)
        kept = [np.sort(random.permutation(side.table.rows)[:each]) for side in (near.members, near.others)]
        pool = Table.concat([near.members.table.take(kept[0]), near.others.table.take(kept[1])])
        to_synthetic = np.concatenate([near.members.synthetic[kept[0], 0], near.others.synthetic[kept[1], 0]])
        points = self._candidate.space.points(pool)
        to_real = nearest(points, points, same=True)[0][:, 0]
        whole = value_hashes(pool).sum(axis=1, dtype=np.uint64)
        _, place, times = np.unique(whole, return_inverse=True, return_counts=True)
        # Of a row that has a twin, or no neighbour at all, nothing can be said.
        alone = (to_real > 0) & np.isfinite(to_real) & (times[place] == 1)
        marks = [alone & (to_synthetic <= part * to_real) for part in (_CLOSE, _NEAR)] + [alone]
        counts = [int(mark[side].sum()) for mark in marks for side in (slice(each), slice(each, None))]
        return np.array([*counts, each], np.int64)

    def read(self, counts: I64) -> tuple[Measure, ...]:
        """One measure: the excess of echoed training rows, and its p-value.

        Raises:
            InputError: these are no counts of this check.
        """
        pairs = ((0, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 6))
        close, close_held, near, near_held, alone, alone_held, rows = checked(counts, self.size, self.name, pairs)
        levels = {"closely": (close, close_held), "nearly": (near, near_held)}
        scarce = "nine in ten real rows have a twin among the others; a copy cannot be told from a repetition"
        measure = echo_measure(self.name, "", levels, (alone, alone_held), rows, highest=0.05, scarce=scarce)
        return (measure,)
