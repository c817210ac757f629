"""Run checks one after another: each with chance of its own, none able to stop the others or to vanish."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headwater.errors import HeadwaterError
from headwater.evidence.check import About, AuditRows, Check
from headwater.evidence.measure import Measure

__all__ = ["Clock", "Found", "Progress", "Unmade", "Watcher", "run_checks", "stream"]

Clock = Callable[[], float]
"""CPU seconds; given from outside, since nothing here looks at a clock."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where an audit stands.

    Attributes:
        check: name of the check that begins, or that ended.
        done: checks that ended.
        of: checks in all.
        seconds: CPU seconds of the check that ended; None where one begins.
    """

    check: str
    done: int
    of: int
    seconds: float | None = None


Watcher = Callable[[Progress], None]


@dataclass(frozen=True)
class Found:
    """What checks found.

    Attributes:
        measures: all figures, in the order of the checks.
        abouts: what each check is, by its name.
        seconds: CPU seconds, by a check's name.
    """

    measures: tuple[Measure, ...]
    abouts: Mapping[str, About]
    seconds: Mapping[str, float]


class Unmade:
    """Stands where a check could not be made: it dies of the same, so that an audit tells it as it tells any failure.

    Attributes:
        name: of the check that is missing.
    """

    federated = False
    size = 0
    about = About(
        title="A check that could not be made",
        question="What would this check have found?",
        knowledge="Nothing: it could not be bound to the candidate and the settings.",
        statistic="None; its measure is inconclusive, with what it failed with.",
        misses="Everything.",
        source="None",
        disclosure="verdict",
    )

    def __init__(self, name: str, error: Exception) -> None:
        """Keep what its constructor raised."""
        self.name = name
        self._error = error

    def count(self, rows: AuditRows, random: np.random.Generator) -> NDArray[np.int64]:
        """Raise it."""
        raise self._error

    def read(self, counts: NDArray[np.int64]) -> tuple[Measure, ...]:
        """Raise it."""
        raise self._error


def stream(seed: int, name: str) -> np.random.Generator:
    """Chance of one check alone: which other checks run, and in what order, changes nothing of it.

    Args:
        seed: of the audit, not negative.
        name: of the check.
    """
    key = hashlib.sha256(name.encode()).digest()
    words = [int.from_bytes(key[start : start + 4], "little") for start in range(0, 16, 4)]
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=words))


def run_checks(
    checks: Sequence[Check], rows: AuditRows, seed: int, clock: Clock, watcher: Watcher = lambda progress: None
) -> Found:
    """Count and read each check.

    A check that raises is a measure all the same, inconclusive with what it failed with: a check that is left out
    could not be told from one that passed. So is a check that gives no measure.

    Args:
        checks: bound to their candidate.
        rows: of the one person who audits.
        seed: of all chance.
        clock: CPU seconds.
        watcher: told when each check begins and ends.
    """
    measures: list[Measure] = []
    seconds: dict[str, float] = {}
    for done, check in enumerate(checks):
        watcher(Progress(check.name, done, len(checks)))
        began = clock()
        measures.extend(_guarded(check, rows, stream(seed, check.name)))
        seconds[check.name] = clock() - began
        watcher(Progress(check.name, done + 1, len(checks), seconds[check.name]))
    return Found(tuple(measures), {check.name: check.about for check in checks}, seconds)


def _guarded(check: Check, rows: AuditRows, random: np.random.Generator) -> tuple[Measure, ...]:
    try:
        found = check.read(check.count(rows, random))
    except Exception as error:  # noqa: BLE001 - whatever a check dies of, the audit must say so and go on
        return (_failed(check.name, error),)
    if not found:
        return (Measure(check=check.name, status="inconclusive", reason="it gave no figure; report this as a fault"),)
    return found


def _failed(name: str, error: Exception) -> Measure:
    # Our own errors never hold a record's value. Others may (a KeyError is its key), so their type is all that is told.
    told = f": {' '.join(str(error).split())}" if isinstance(error, HeadwaterError) else ""
    reason = f"failed with {type(error).__name__}{told}"
    return Measure(check=name, status="inconclusive", reason=reason[:1000])
