"""Whether groups, and groups within groups, are as large in the synthetic table as in the real rows."""

import itertools
import math
from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.evaluation.bias.groups import NO_GROUPS, GroupColumn, alone, groups_of
from headwater.evaluation.figures import inapplicable, inconclusive, label, normal
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import About, AuditRows
from headwater.evidence.measure import Measure
from headwater.evidence.settings import AuditSettings
from headwater.schema.table import Table

__all__ = ["GroupRatio", "Intersections"]

I64 = NDArray[np.int64]

MOST_PAIRS = 100
MOST_MEASURES = 200


class _Shares(ABC):
    """Counts by blocks of groups, and the ratios of their shares; see the two checks below."""

    federated: ClassVar[bool] = True

    def __init__(self, candidate: Candidate, settings: AuditSettings) -> None:
        """Fix the groups.

        Raises:
            InputError: a declared column has no groups.
        """
        self._candidate = candidate
        self._least = settings.least_group
        self._columns = groups_of(candidate, settings)

    @property
    @abstractmethod
    def name(self) -> str:
        """Dotted name."""

    @property
    def size(self) -> int:
        """Groups, for training and for holdout rows."""
        return 2 * sum(self._widths())

    def count(self, rows: AuditRows, random: np.random.Generator) -> I64:
        """Training rows, then holdout rows, of each group; see `Check`."""
        return np.concatenate([self._counts(rows.train), self._counts(rows.holdout)])

    def _parts(self, counts: I64) -> list[tuple[I64, I64, I64]]:
        """Of each block: training, holdout and synthetic rows by group."""
        if counts.shape != (self.size,) or (counts < 0).any():
            raise InputError(f"sizes of groups are {self.size} counts from 0 on; sum what `count` gave")
        cuts = np.cumsum(self._widths())[:-1]
        train, holdout = (np.split(part, cuts) for part in np.split(counts, 2))
        return list(zip(train, holdout, np.split(self._counts(self._candidate.table), cuts), strict=True))

    @abstractmethod
    def _counts(self, table: Table) -> I64:
        """Rows of each group, block by block."""

    @abstractmethod
    def _widths(self) -> list[int]:
        """Groups of each block."""

    def _ratios(self, subject: str, subjects: list[str], train: I64, holdout: I64, mine: I64) -> list[Measure]:
        rows, synthetic, held_out = int(train.sum()), int(mine.sum()), int(holdout.sum())
        judged = np.flatnonzero(train >= self._least)
        small = int(((train > 0) & (train < self._least)).sum())
        if not len(judged):
            reason = f"no group of {subject} has {self._least} of the {rows} training rows"
            needed = math.ceil(self._least * rows / max(int(train.max()), 1))
            return [inconclusive(self.name, subject, reason, better="null", trials=rows, needed=needed)]
        if not synthetic:
            reason = f"{subject} is missing in every synthetic row; there is no share to compare"
            return [inconclusive(self.name, subject, reason, better="null", trials=rows)]
        return [
            _ratio(
                self.name,
                subjects[code],
                (int(mine[code]), synthetic),
                (int(train[code]), rows),
                {"groups too small to judge": float(small)}
                | ({"floor": holdout[code] / held_out / (train[code] / rows)} if held_out else {}),
            )
            for code in judged
        ]


class GroupRatio(_Shares):
    """Share of each group in the candidate over its share in training rows.

    Groups of fewer real rows than `AuditSettings.least_group` are not judged; their number is in the details.
    """

    @property
    def name(self) -> str:
        """Dotted name."""
        return "bias.ratio"

    @property
    def about(self) -> About:
        """What it is."""
        return About(
            title="Sizes of groups",
            question="Is each group of people as large a part of the synthetic table as of the real rows?",
            knowledge="Reads counts of training and holdout rows by group.",
            statistic="Share in the synthetic table over share in the training rows; 1 where it is kept. The floor in "
            "the details is that of the holdout.",
            misses="Groups that no column names, and those too small to judge.",
            source="Feldman et al. 2015 (arXiv:1412.3756), ratios of shares by group; delta method.",
        )

    def read(self, counts: I64) -> tuple[Measure, ...]:
        """One measure a group that is large enough; see `Check`."""
        parts = self._parts(counts)
        if not self._columns:
            return (inapplicable(self.name, "", NO_GROUPS, better="null"),)
        measures: list[Measure] = []
        for column, part in zip(self._columns, parts, strict=True):
            if why := alone(column, part[0]):
                measures.append(inapplicable(self.name, label(column.name), why, better="null"))
                continue
            subjects = [column.subject(code) for code in range(len(column.categories))]
            measures += self._ratios(label(column.name), subjects, *part)
        return tuple(measures)

    def _counts(self, table: Table) -> I64:
        return np.concatenate([np.zeros(0, np.int64), *(column.counts(table) for column in self._columns)])

    def _widths(self) -> list[int]:
        return [len(column.categories) for column in self._columns]


class Intersections(_Shares):
    """Share of each pair of groups of two columns in the candidate over its share in training rows.

    Pairs of fewer real rows than `AuditSettings.least_group` are not judged; their number is in the details. At most
    200 are reported, those with the most real rows, of at most 100 pairs of columns.
    """

    def __init__(self, candidate: Candidate, settings: AuditSettings) -> None:
        """Fix the groups.

        Raises:
            InputError: a declared column has no groups.
        """
        super().__init__(candidate, settings)
        self._pairs = tuple(itertools.islice(itertools.combinations(self._columns, 2), MOST_PAIRS))

    @property
    def name(self) -> str:
        """Dotted name."""
        return "bias.intersections"

    @property
    def about(self) -> About:
        """What it is."""
        return About(
            title="Sizes of groups within groups",
            question="Is each group within another as large a part of the synthetic table as of the real rows?",
            knowledge="Reads counts of training and holdout rows by pairs of groups.",
            statistic="Share in the synthetic table over share in the training rows; 1 where it is kept. The floor in "
            "the details is that of the holdout.",
            misses="Groups of three columns, and those too small to judge.",
            source="Kearns et al. 2018 (arXiv:1711.05144) for groups within groups; delta method.",
        )

    def read(self, counts: I64) -> tuple[Measure, ...]:
        """One measure an intersection that is large enough; see `Check`."""
        parts = self._parts(counts)
        if not self._pairs:
            columns = len(self._columns)
            reason = f"{columns} column of groups; intersections need two" if columns else NO_GROUPS
            return (inapplicable(self.name, "", reason, better="null"),)
        found: list[Measure] = []
        for (left, right), part in zip(self._pairs, parts, strict=True):
            subject = f"{label(left.name)} & {label(right.name)}"
            # Where one column has one group only, intersections are the other's groups once more.
            table = part[0].reshape(len(left.categories), len(right.categories))
            if why := alone(left, table.sum(axis=1)) or alone(right, table.sum(axis=0)):
                found.append(inapplicable(self.name, subject, why, better="null"))
                continue
            codes = itertools.product(range(len(left.categories)), range(len(right.categories)))
            subjects = [f"{left.subject(one)} & {right.subject(other)}" for one, other in codes]
            found += self._ratios(subject, subjects, *part)
        found.sort(key=lambda measure: -measure.trials)
        return tuple(found[:MOST_MEASURES])

    def _counts(self, table: Table) -> I64:
        parts = [np.zeros(0, np.int64)]
        for left, right in self._pairs:
            one, other = left.codes(table), right.codes(table)
            known = (one >= 0) & (other >= 0)
            joint = one[known] * len(right.categories) + other[known]
            parts.append(np.bincount(joint, minlength=_width(left, right)).astype(np.int64))
        return np.concatenate(parts)

    def _widths(self) -> list[int]:
        return [_width(left, right) for left, right in self._pairs]


def _width(left: GroupColumn, right: GroupColumn) -> int:
    return len(left.categories) * len(right.categories)


def _ratio(
    check: str, subject: str, mine: tuple[int, int], real: tuple[int, int], details: dict[str, float]
) -> Measure:
    """Ratio of two shares, each of a sample: an honest table's groups vary as the real ones do."""
    ours, theirs = mine[0] / mine[1], real[0] / real[1]
    ratio = ours / theirs
    # A group that nobody drew has an error all the same: as if one row had been.
    spread = max(ours, 1 / mine[1])
    variance = spread * (1 - min(spread, 1)) / mine[1] / theirs**2 + ratio**2 * (1 - theirs) / (real[0])
    details = details | {"share": ours, "real share": theirs}
    return normal(check, subject, ratio, math.sqrt(variance), null=1.0, better="null", trials=real[0], details=details)
