"""Whether the synthetic table reaches every place where real rows lie."""

import math
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.evaluation.density import K, balls_around
from headwater.evaluation.figures import inconclusive, rate
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import About, AuditRows
from headwater.evidence.measure import Measure
from headwater.evidence.settings import AuditSettings
from headwater.evidence.space import Points, nearest
from headwater.schema.table import Table

__all__ = ["Modes"]

I64 = NDArray[np.int64]

_MOST_ROWS = 4000
_MOST_TIMES = 10.0
_LEAST_NEIGHBOURS = 3
_LEAST_ROWS = 50


class Modes:
    """Coverage of real rows: the share of them with a synthetic row nearer than a near real neighbour.

    Why balls around real rows and not cells of the candidate: a mode that the candidate lacks has no cell there. Each
    organisation draws balls around its own training rows, and counts of rows covered add up.

    Where the candidate has as many rows as they, a ball reaches to the fifth neighbour. Where it has r times as many,
    as when it stands for several organisations, r times as many synthetic rows are looked at: to an organisation with
    rows of one kind most rows of an honest candidate are of another. Balls then reach to neighbour 5/r, the third at
    least. A candidate of the consortium's law so covers from .875 (where no two organisations share a kind of row) to
    .97 and more (where they are alike).
    """

    federated: ClassVar[bool] = True

    def __init__(self, candidate: Candidate, settings: AuditSettings) -> None:
        """Bind."""
        self._candidate = candidate

    @property
    def name(self) -> str:
        """Dotted name."""
        return "coverage.modes"

    @property
    def about(self) -> About:
        """What it is."""
        return About(
            title="Modes covered",
            question="Is there a synthetic row near every real one, or were kinds of rows left out?",
            knowledge="Each party reads at most 4,000 of its training rows, as many of its holdout rows, and the "
            "candidate.",
            statistic="Share of training rows with a synthetic row nearer than their fifth neighbour; the null value "
            "is counted on holdout rows, 1 - 2^-5 = .969 where sizes are the same.",
            misses="How often a mode is drawn, so long as it is; rows that stand alone.",
            source="Naeem et al. 2020 (arXiv:2002.09797), section 3.2, counted at each party.",
        )

    @property
    def size(self) -> int:
        """Covered rows and rows, by synthetic rows and by holdout rows."""
        return 4

    def count(self, rows: AuditRows, random: np.random.Generator) -> I64:
        """Successes and trials of the candidate, then of the holdout; zeros for too few; see `Check`."""
        train, holdout, synthetic = rows.train, rows.holdout, self._candidate.table
        times = min(max(synthetic.rows / max(train.rows, 1), 1.0), _MOST_TIMES)
        neighbours = max(_LEAST_NEIGHBOURS, math.ceil(K / times))
        each = min(train.rows, synthetic.rows, _MOST_ROWS)
        # The control has as many times the rows, so that its share is what the candidate's should be.
        control = min(each, int(holdout.rows / times))
        if control <= neighbours:
            return np.zeros(self.size, np.int64)
        found = []
        for ours, table in ((each, synthetic), (control, holdout)):
            real = self._points(train, random.permutation(train.rows)[:ours])
            others = self._points(table, random.permutation(table.rows)[: round(ours * times)])
            covered = nearest(real, others)[0][:, 0] <= balls_around(real, neighbours)
            found += [int(covered.sum()), ours]
        return np.array(found, np.int64)

    def read(self, counts: I64) -> tuple[Measure, ...]:
        """One measure; see `Check`."""
        if counts.shape != (self.size,) or (counts < 0).any() or counts[0] > counts[1] or counts[2] > counts[3]:
            raise InputError("coverage is rows covered of rows, twice; sum what `count` gave for this candidate")
        covered, rows, control, held_out = (int(count) for count in counts)
        if min(rows, held_out) < _LEAST_ROWS:
            reason = f"{rows} training and {held_out} holdout rows; {_LEAST_ROWS} of each are needed"
            return (inconclusive(self.name, "", reason, better="higher", trials=rows, needed=_LEAST_ROWS),)
        return (rate(self.name, "", (covered, rows), null=(control, held_out), better="higher"),)

    def _points(self, table: Table, places: I64) -> Points:
        return self._candidate.space.points(table.take(places))
