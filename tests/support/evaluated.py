"""What the evaluation finds of the reference generators' tables, one organisation's or several's."""

from functools import cache

import numpy as np

from headwater.evaluation.checks import evaluations
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import AuditRows, Check
from headwater.evidence.measure import Measure
from headwater.evidence.settings import AuditSettings
from headwater.schema.table import Table
from support.reference_generators import GENERATORS, SETTINGS, fixture

__all__ = ["evaluated", "measured", "read_alone", "reference"]


@cache
def reference(name: str, seed: int = 1) -> tuple[Candidate, AuditRows]:
    """One generator's table, with the rows that it is judged by."""
    train, holdout, random = fixture(seed)
    return Candidate(GENERATORS[name](train, random)), AuditRows(train, holdout)


@cache
def evaluated(name: str, seed: int = 1) -> dict[str, Measure]:
    """Every measure of one generator, by name."""
    candidate, rows = reference(name, seed)
    return {measure.name: measure for check in evaluations(candidate, SETTINGS) for measure in read_alone(check, rows)}


def read_alone(check: Check, rows: AuditRows) -> tuple[Measure, ...]:
    """What one party's audit says."""
    return check.read(check.count(rows, np.random.default_rng(7)))


def measured(table: Table, train: Table, holdout: Table, settings: AuditSettings = SETTINGS) -> dict[str, Measure]:
    """Every measure of any tables, by name."""
    rows = AuditRows(train, holdout)
    return {m.name: m for check in evaluations(Candidate(table), settings) for m in read_alone(check, rows)}
