"""What the evaluation finds of the reference generators' tables, one organisation's or several's."""

from collections.abc import Iterator, Mapping
from functools import cache

import numpy as np

from headwater.evaluation.checks import evaluations
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import AuditRows, Check
from headwater.evidence.measure import Measure
from headwater.evidence.settings import AuditSettings
from headwater.schema.table import Table
from support.reference_generators import GENERATORS, SETTINGS, fixture

__all__ = ["Figures", "evaluated", "measured", "read_alone", "reference"]


@cache
def reference(name: str, seed: int = 1) -> tuple[Candidate, AuditRows]:
    """One generator's table, with the rows that it is judged by."""
    train, holdout, random = fixture(seed)
    return Candidate(GENERATORS[name](train, random)), AuditRows(train, holdout)


class Figures(Mapping[str, Measure]):
    """Measures by name; a check runs when one of its measures is first asked for, as some fit a dozen models."""

    def __init__(self, candidate: Candidate, rows: AuditRows, settings: AuditSettings = SETTINGS) -> None:
        self._rows = rows
        self._checks = {check.name: check for check in evaluations(candidate, settings)}
        self._found: dict[str, dict[str, Measure]] = {}

    def __getitem__(self, name: str) -> Measure:
        return self.of(self._asked(name))[name]

    def __iter__(self) -> Iterator[str]:
        return (name for check in self._checks for name in self.of(check))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def of(self, check: str) -> Mapping[str, Measure]:
        """What one check found, by measure."""
        if check not in self._found:
            self._found[check] = {measure.name: measure for measure in read_alone(self._checks[check], self._rows)}
        return self._found[check]

    def _asked(self, name: str) -> str:
        measured = name.split(" ")[0]
        found = [check for check in self._checks if measured == check or measured.startswith(f"{check}.")]
        return max(found, key=len)


@cache
def evaluated(name: str, seed: int = 1) -> Figures:
    """Every measure of one generator, by name."""
    return Figures(*reference(name, seed))


def read_alone(check: Check, rows: AuditRows) -> tuple[Measure, ...]:
    """What one party's audit says."""
    return check.read(check.count(rows, np.random.default_rng(7)))


def measured(table: Table, train: Table, holdout: Table, settings: AuditSettings = SETTINGS) -> dict[str, Measure]:
    """Every measure of any tables, by name: no check is left out."""
    return dict(Figures(Candidate(table), AuditRows(train, holdout), settings))
