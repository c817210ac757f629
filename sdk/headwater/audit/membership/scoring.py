"""An attack that scores rows: counts its scores where the rows are, reads sums of such counts anywhere."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from headwater.audit.membership.neighbourhood import Neighbourhood
from headwater.audit.membership.operating import RATE, detectable, operating_point
from headwater.audit.membership.subjects import Subject, subjects_of
from headwater.errors import InputError
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import About, AuditRows
from headwater.evidence.intervals import wilson
from headwater.evidence.measure import Measure
from headwater.evidence.settings import AuditSettings
from headwater.mixture.attack import likelihood_attack

__all__ = ["BINS", "MembershipAttack", "Scores"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

BINS = 512
"""Bins of a histogram of scores."""

Scores = tuple[F64, F64]
"""Scores of members and of non-members, high for "it was fitted to this row"; NaN where there is none."""


class MembershipAttack(ABC):
    """Histograms of an attack's scores on a public grid, of both sides, for all rows, worst outliers and groups.

    Counts are of shape (opinions, subjects, 2, bins), flattened: an opinion is one way to score, and nearly all attacks
    have one. Where there are several, the strongest counts, each subject's own.

    Attributes:
        name: of the check.
        about: what it is.
        federated: counts add up over organisations.
    """

    name: str
    about: About
    federated = True

    def __init__(self, candidate: Candidate, settings: AuditSettings) -> None:
        """Bind to a candidate.

        Args:
            candidate: synthetic rows.
            settings: declared groups, and how many rows are attacked.

        Raises:
            InputError: a declared group is no column of few categories.
        """
        self.candidate = candidate
        self.settings = settings
        self.subjects = subjects_of(candidate.table.schema, settings)

    @property
    @abstractmethod
    def edges(self) -> Mapping[str, F64]:
        """Inner edges of the bins, shape (511,), ascending, by opinion: of the candidate and settings alone."""

    @abstractmethod
    def scores(self, near: Neighbourhood, random: np.random.Generator) -> Mapping[str, Scores]:
        """Scores of both sides, by opinion."""

    @property
    def size(self) -> int:
        """How many counts."""
        return len(self.edges) * len(self.subjects) * 2 * BINS

    def count(self, rows: AuditRows, random: np.random.Generator) -> I64:
        """As `Check.count`; all zero where one side has no row that can be scored."""
        near = Neighbourhood.of(self.candidate, rows, self.settings, random)
        counts = np.zeros((len(self.edges), len(self.subjects), 2, BINS), np.int64)
        if not near.members.table.rows or not near.others.table.rows:
            return counts.ravel()
        found = self.scores(near, random)
        for place, (name, edges) in enumerate(self.edges.items()):
            pair = found[name]
            # One side alone would shift a sum over organisations.
            if any(np.isnan(scores).all() for scores in pair):
                continue
            for side, (attacked, scores) in enumerate(zip((near.members, near.others), pair, strict=True)):
                bins, scored = np.searchsorted(edges, scores, side="right"), ~np.isnan(scores)
                for row, subject in enumerate(self.subjects):
                    kept = bins[scored & subject.among(attacked)]
                    counts[place, row, side] = np.bincount(kept, minlength=BINS)
        return counts.ravel()

    def read(self, counts: I64) -> tuple[Measure, ...]:
        """As `Check.read`: a measure for each subject, in the order of `subjects`."""
        if counts.shape != (self.size,) or counts.min() < 0:
            raise InputError(
                f"{self.name} reads {self.size} counts of 0 or more, not {counts.shape}; sum those of its own kind"
            )
        histograms = counts.reshape(len(self.edges), len(self.subjects), 2, BINS)
        return tuple(self._measure(subject, histograms[:, row]) for row, subject in enumerate(self.subjects))

    def _measure(self, subject: Subject, histograms: I64) -> Measure:
        """Read one subject: histograms of shape (opinions, 2, bins)."""
        members, others = (int(rows) for rows in histograms.sum(axis=2).max(axis=0))
        if min(members, others) < subject.least:
            return self._too_few(subject, members, others)
        points = {name: operating_point(*pair) for name, pair in zip(self.edges, histograms, strict=True)}
        strongest = max(points, key=lambda name: points[name].value)
        best, pair = points[strongest], histograms[list(points).index(strongest)]
        auc = likelihood_attack(pair[0], pair[1])
        low, high = wilson(*best.tally)
        details = {"auc": auc.auc, "auc_error": auc.error, "members": members, "non_members": others}
        if len(points) > 1:
            details |= {f"tpr_{name}": point.value for name, point in points.items()}
        return Measure(
            check=self.name,
            subject=subject.name,
            value=best.value,
            low=low,
            high=high,
            null=RATE,
            better="lower",
            law="binomial",
            tally=best.tally,
            p_value=best.p_value,
            trials=best.members,
            detectable=detectable(best.members, best.others),
            details=details,
        )

    def _too_few(self, subject: Subject, members: int, others: int) -> Measure:
        """Too few rows say nothing; a category of which there is no row at all is no group here."""
        who = f"the group {subject.name}" if subject.is_group else (subject.name or "the table")
        return Measure(
            check=self.name,
            subject=subject.name,
            status="inconclusive" if members or others or not subject.is_group else "not applicable",
            reason=(
                f"{who}: {members} rows of the training part and {others} of the holdout can be attacked; "
                f"{subject.least} of each are needed"
            ),
            null=RATE,
            better="lower",
            trials=members,
            needed=subject.least,
            details={"members": members, "non_members": others},
        )
