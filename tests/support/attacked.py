"""Reference tables put through one check, as one holder of files or as two organisations would."""

from collections.abc import Callable
from functools import cache

import numpy as np

from headwater.evidence.candidate import Candidate
from headwater.evidence.check import AuditRows, Check
from headwater.evidence.measure import Measure
from headwater.evidence.settings import AuditSettings
from headwater.schema.table import Table
from support.reference_generators import GENERATORS, ROWS, SETTINGS, fixture

__all__ = ["Bound", "attack", "attack_in_parts"]

Bound = Callable[[Candidate, AuditSettings], Check]
"""A check's class: bound to a candidate by public settings."""


@cache
def _made(generator: str, seed: int, rows: int) -> tuple[Candidate, Table, Table]:
    """One candidate for all checks that attack it, whose points are made once; training rows, holdout rows."""
    train, holdout, random = fixture(seed, rows, rows)
    return Candidate(GENERATORS[generator](train, random)), train, holdout


@cache
def attack(
    check: Bound, generator: str, seed: int, settings: AuditSettings = SETTINGS, *, rows: int = ROWS
) -> tuple[Measure, ...]:
    """What a check reads of one reference table of so many rows, and as many holdout rows."""
    candidate, train, holdout = _made(generator, seed, rows)
    bound = check(candidate, settings)
    return bound.read(bound.count(AuditRows(train, holdout), np.random.default_rng(1000 + seed)))


def attack_in_parts(
    check: Bound, generator: str, seed: int, shares: tuple[float, ...], settings: AuditSettings = SETTINGS
) -> tuple[Measure, ...]:
    """The same where the real rows lie at several organisations, whose counts alone are summed."""
    candidate, train, holdout = _made(generator, seed, ROWS)
    bound = check(candidate, settings)
    total, begun = np.zeros(bound.size, np.int64), 0.0
    for place, share in enumerate(shares):
        ends = [(int(part.rows * begun), int(part.rows * (begun + share))) for part in (train, holdout)]
        own = AuditRows(train.take(np.arange(*ends[0])), holdout.take(np.arange(*ends[1])))
        total += bound.count(own, np.random.default_rng([seed, place]))
        begun += share
    return bound.read(total)
