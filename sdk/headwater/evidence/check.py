"""What every attack and measurement is: counts where the rows are, a reading of their sum anywhere."""

from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from headwater.evidence.measure import Measure
from headwater.evidence.planted import Planted
from headwater.schema.table import Table

__all__ = ["About", "AuditRows", "Check", "Disclosure"]

I64 = NDArray[np.int64]

Disclosure = Literal["public", "bucket", "verdict"]
"""What of a figure may be published: all of it (nobody's row is behind it: canaries, the candidate alone), a bucket
that it lies in, or whether it passed."""


@dataclass(frozen=True, slots=True)
class About:
    """What a check is, for people; the same in report, page and docs.

    Attributes:
        title: a few words.
        question: what it answers, in one plain sentence that ends with a question mark.
        knowledge: what the attacker knows and holds; for a measurement, what it reads.
        statistic: what the value is, with its null value.
        misses: what this check cannot see.
        source: paper and section.
        disclosure: what of it may be published.
    """

    title: str
    question: str
    knowledge: str
    statistic: str
    misses: str
    source: str
    disclosure: Disclosure = "bucket"


@dataclass(frozen=True, eq=False)
class AuditRows:
    """Real rows of one organisation, or of the one person who audits.

    Attributes:
        train: rows that the generator was fitted to.
        holdout: rows of the same law that nothing used before the candidate was there.
        canaries: what was planted among the rows that trained; None where nothing was. They are no part of `train`:
            nobody is behind them.
    """

    train: Table = field(repr=False)
    holdout: Table = field(repr=False)
    canaries: Planted | None = field(default=None, repr=False)


class Check(Protocol):
    """One attack or measurement, bound to a candidate and to public settings.

    The candidate is public to all who take part: an implementation may compute from it what it likes, also in `read`.
    Counts add up: those of several organisations are summed under masks, and the sum is read as if it were of one.
    A count is never negative and below 2^24, so that sums stay within any plan's values.
    """

    @property
    def name(self) -> str:
        """Dotted name; `Measure.check` begins with it."""

    @property
    def about(self) -> About:
        """What it is."""

    @property
    def size(self) -> int:
        """How many whole numbers `count` gives: fixed by schema, candidate and settings alone."""

    def count(self, rows: AuditRows, random: np.random.Generator) -> I64:
        """Count where the rows are.

        Args:
            rows: one organisation's.
            random: of this check alone; it picks rows to attack and breaks ties.

        Returns:
            int64, shape (size,).
        """

    def read(self, counts: I64) -> tuple[Measure, ...]:
        """What counts, or a sum of them, say.

        Args:
            counts: int64, shape (size,).

        Raises:
            InputError: they cannot be a sum of counts of this check.
        """
