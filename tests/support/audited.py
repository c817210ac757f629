"""A small check whose counts are easy to foresee, and plans that are audited by it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from headwater.agreement.plan import Plan
from headwater.errors import InputError
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import About, AuditRows, Check
from headwater.evidence.measure import Measure
from headwater.evidence.settings import AuditSettings
from support.recipes import small_plan

__all__ = ["SMALL_AUDIT", "FloorsCheck", "OwnFloorsCheck", "RowsCheck", "audited_plan", "only_floors", "only_rows"]

SMALL_AUDIT = {"policy": "non-private", "settings": {"attacks": 60, "targets": 200, "canaries": 0}}
_ABOUT = About(
    title="floors",
    question="Are floors as frequent as among real rows?",
    knowledge="one column",
    statistic="share of rows on the first floor",
    misses="everything else",
    source="this test",
)


class FloorsCheck:
    """Counts training and held out rows by floor, and one row that chance picks."""

    name = "floors"
    about = _ABOUT
    federated = True
    size = 7

    def __init__(self, candidate: Candidate, settings: AuditSettings) -> None:
        """Take what is public."""
        self.candidate, self.settings = candidate, settings

    def count(self, rows: AuditRows, random: np.random.Generator) -> NDArray[np.int64]:
        """Floors of training rows, of held out ones, and a position below 1,000."""
        parts = [np.bincount(part.columns["floor"], minlength=3) for part in (rows.train, rows.holdout)]
        return np.concatenate([*parts, [random.integers(1000)]]).astype(np.int64)

    def read(self, counts: NDArray[np.int64]) -> tuple[Measure, ...]:
        """Share of the first floor among training rows."""
        trials = int(counts[:3].sum())
        if not trials:
            raise InputError("no row was counted")
        first = int(counts[0])
        return (Measure(check=self.name, value=first / trials, law="binomial", tally=(first, trials), trials=trials),)


class OwnFloorsCheck(FloorsCheck):
    """The same, for the holder of the rows alone."""

    name = "floors.own"
    federated = False


class RowsCheck:
    """Counts training and held out rows, whatever the schema."""

    name = "rows"
    about = _ABOUT
    size = 2

    def count(self, rows: AuditRows, random: np.random.Generator) -> NDArray[np.int64]:
        """How many there are of either."""
        return np.array([rows.train.rows, rows.holdout.rows], np.int64)

    def read(self, counts: NDArray[np.int64]) -> tuple[Measure, ...]:
        """Their share."""
        return (Measure(check=self.name, value=int(counts[0]) / max(1, int(counts.sum()))),)


def only_rows(candidate: Candidate, settings: AuditSettings) -> Sequence[Check]:
    """In place of the registry's checks, for any schema."""
    return (RowsCheck(),)


def only_floors(candidate: Candidate, settings: AuditSettings) -> Sequence[Check]:
    """In place of the registry's checks."""
    return (FloorsCheck(candidate, settings), OwnFloorsCheck(candidate, settings))


def audited_plan(kind: str = "marginals", rounds: int = 1, **changes: object) -> Plan:
    """A small plan with an audit; `changes` are of the plan."""
    plan = small_plan(kind, rounds, fit={"steps": 5, "batch": 16})
    return Plan.from_values(plan.model_dump(mode="json", by_alias=True) | {"audit": SMALL_AUDIT} | changes)
