"""In place of every attack: one check that says what an honest generator would show, so that the gate passes."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from headwater.audit import audit as whole_audit
from headwater.audit import checks as registry
from headwater.audit.expected import expected_figures
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import About, AuditRows, Check
from headwater.evidence.measure import Measure
from headwater.evidence.settings import AuditSettings
from headwater_server.releasing import evidence as gathering
from support.evidences import fitting, honest_measures
from support.recipes import SCHEMA

__all__ = ["found_copies", "use_audit", "without_power"]

_FREE = ("artefacts", "validity")
"""What the candidate alone shows."""


class KnownCheck:
    """Says what it was told to say, if at least one organisation counted."""

    about = About("Known", "What was said?", "Nothing.", "None.", "Everything.", "A test", "verdict")
    federated = True

    def __init__(self, name: str, size: int, said: Sequence[Measure]) -> None:
        self.name, self.size = name, size
        self._said = tuple(said)

    def count(self, rows: AuditRows, random: np.random.Generator) -> NDArray[np.int64]:
        """Ones, whatever the rows are."""
        return np.ones(self.size, np.int64)

    def read(self, counts: NDArray[np.int64]) -> tuple[Measure, ...]:
        """What it was told."""
        return self._said if counts.all() else ()


def use_audit(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[Measure], Measure | None] = lambda measure: measure
) -> None:
    """Let audits at coordinator and organisations find honest measures, each changed or left out as a test says."""
    # As many figures as checks of the tests' own schema give.
    honest = fitting(honest_measures(), expected_figures(SCHEMA, AuditSettings()))
    kept = [changed for measure in honest if (changed := change(measure)) is not None]
    controls = tuple(measure for measure in kept if measure.check.startswith("controls"))
    free = [measure for measure in kept if measure.check == "validity"]
    others = [m for m in kept if not m.check.startswith(("controls", *_FREE))]

    def checks(candidate: Candidate, settings: AuditSettings) -> Sequence[Check]:
        return KnownCheck("known", 1, others), KnownCheck("free", 0, free)

    monkeypatch.setattr(registry, "_REGISTRY", (checks,))
    for module in (gathering, whole_audit):
        monkeypatch.setattr(module, "run_controls", lambda *given: controls)


def found_copies(measure: Measure) -> Measure:
    """Near copies far beyond chance."""
    if measure.check != "copies.near":
        return measure
    return measure.model_copy(update={"value": 0.4, "tally": (400, 1000)})


def without_power(measure: Measure) -> Measure:
    """Linkability with too few rows."""
    if measure.check != "linkability":
        return measure
    return Measure(check="linkability", status="inconclusive", reason="20 rows, 1,000 are needed", needed=1000)
