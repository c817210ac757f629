"""Whether the synthetic table reaches every place where real rows lie."""

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
_MOST_SYNTHETIC = 40_000
_LEAST_ROWS = 50


class Modes:
    """Coverage of real rows: shares of them with a synthetic row nearer than their fifth real neighbour.

    Why balls around real rows and not cells of the candidate: a mode that the candidate lacks has no cell there. Each
    organisation draws balls around its own training rows, and counts of rows covered add up. It looks for them among as
    many synthetic rows as the candidate has for each of its own (one for one where the candidate is as large as its
    part), so that an organisation whose rows are of one kind, or a fifth of all, does not miss those of the others: a
    candidate of the consortium's law is never held for worse than alone, and a mode that nobody drew stays missing.
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
            statistic="Share of training rows with a synthetic row nearer than their fifth neighbour; 1 - 2^-5 = .969 "
            "for a second real sample of the same size, counted on holdout rows as well.",
            misses="How often a mode is drawn, so long as it is; rows that stand alone.",
            source="Naeem et al. 2020 (arXiv:2002.09797), section 3.2, counted at each party.",
        )

    @property
    def size(self) -> int:
        """Covered rows and rows, by synthetic rows and by holdout rows."""
        return 4

    def count(self, rows: AuditRows, random: np.random.Generator) -> I64:
        """Successes and trials of the candidate, then of the holdout; zeros for too few; see `Check`."""
        synthetic = self._candidate.table
        each = min(rows.train.rows, synthetic.rows, _MOST_ROWS)
        held_out = min(each, rows.holdout.rows)
        if held_out <= K:
            return np.zeros(self.size, np.int64)
        drawn = min(synthetic.rows, _MOST_SYNTHETIC, max(each, round(each * synthetic.rows / rows.train.rows)))
        places = random.permutation(rows.train.rows)
        points = self._points(rows.train, places[:each])
        covered = _covered(points, self._points(synthetic, random.permutation(synthetic.rows)[:drawn]))
        # The control has as many rows on both sides, whatever the holdout's size.
        control = _covered(
            points[:held_out], self._points(rows.holdout, random.permutation(rows.holdout.rows)[:held_out])
        )
        return np.array([covered, each, control, held_out], np.int64)

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


def _covered(real: Points, others: Points) -> int:
    return int((nearest(real, others)[0][:, 0] <= balls_around(real)).sum())
