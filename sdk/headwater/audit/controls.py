"""The self-test of an audit: tables with known faults must be found out, and one without must not be."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from headwater.audit.control_tables import LEAST_ROWS, MAKERS, MOST_ROWS, control_tables
from headwater.audit.running import Clock, run_checks, stream
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import About, Check
from headwater.evidence.intervals import p_above, p_below
from headwater.evidence.measure import Measure, Status
from headwater.evidence.settings import AuditSettings

__all__ = ["ABOUT", "CHECKS", "EXPECTATIONS", "QUIET", "Checks", "Expectation", "chance", "depending", "run_controls"]

Checks = Callable[[Candidate, AuditSettings], Sequence[Check]]
"""All checks of an audit, bound to a candidate."""

CHECKS = "controls"
"""What the names of all these measures begin with."""

_OR = " or "

FOUND_BELOW = 0.01
"""A fault is found where chance alone would show as much in less than one of a hundred tables."""

FALSE_BELOW = 0.001
"""An alarm at a table without a fault, so sure of itself, is a fault of the check."""

ABOUT = About(
    title="Self-test",
    question="Would this audit have found a leak, and would it have kept quiet without one?",
    knowledge="Nothing but the synthetic table: three parts of it play training rows, holdout and generator.",
    statistic="1 where a table with a known fault is found out (p < .01) and one without is not (p ≥ .001), else 0.",
    misses="Faults of other kinds than these; how the checks do on tables of another law than the candidate's.",
    source="Positive and negative controls, as any assay has them",
    disclosure="public",
)


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a table with a known fault must show.

    Attributes:
        table: name of its maker.
        checks: by any of these it must be found; a name stands for all checks that begin with it.
        subjects: only these subjects of the checks; empty for all.
    """

    table: str
    checks: tuple[str, ...]
    subjects: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        """How measures name it."""
        return _OR.join(self.checks)


_MEMBERSHIP = ("membership.nearest", "membership.domias-1", "membership.domias-5", "membership.classifier")

_ALL_ROWS = ("",)

EXPECTATIONS: tuple[Expectation, ...] = (
    # As the gate reads them: the strongest attack counts. On few rows the classifier alone would miss even this.
    Expectation("memoriser", _MEMBERSHIP, _ALL_ROWS),
    *(Expectation("memoriser", (name,)) for name in ("linkability", "inference", "copies.near")),
    Expectation("copier", _MEMBERSHIP, _ALL_ROWS),
    Expectation("copier", ("copies.near",)),
    Expectation("outliers", _MEMBERSHIP, ("outliers",)),
    Expectation("shifted", ("inference",)),
    Expectation("biased", ("bias.ratio",)),
)
"""Which check must find which fault."""

QUIET = (*_MEMBERSHIP, "linkability", "inference", "copies.near", "copies.rare", "bias.ratio")
"""What must stay quiet about the table without a fault."""


def chance(measure: Measure) -> float | None:
    """Probability of a value at least as bad under the measure's null; None where nothing is tested."""
    if measure.value is None:
        return None
    if measure.p_value is not None:
        return measure.p_value
    if measure.null is None or measure.law not in ("binomial", "controlled", "normal"):
        return None
    above, below = p_above(measure, measure.null), p_below(measure, measure.null)
    if measure.better == "null":
        return min(2 * min(above, below), 1.0)
    return above if measure.better == "lower" else below


def run_controls(
    candidate: Candidate, settings: AuditSettings, checks: Checks, seed: int, clock: Clock
) -> tuple[Measure, ...]:
    """Put small tables with known faults through the very checks of the audit.

    Args:
        candidate: what is audited; no real row is used.
        settings: of the audit.
        checks: gives the checks of a candidate.
        seed: of all chance.
        clock: CPU seconds.

    Returns:
        One measure for each expectation: 1 where the check landed on its right side, 0 where not; not applicable where
        the table has nothing that could be wrong in this way; inconclusive where the candidate has too few rows.
    """
    tables = control_tables(candidate.table, settings, stream(seed, CHECKS))
    if tables is None:
        needed = 3 * LEAST_ROWS
        reason = f"the synthetic table has {candidate.table.rows} rows; the self-test needs {needed}"
        return (_control("rows", "", status="inconclusive", reason=reason).model_copy(update={"needed": needed}),)
    measures: list[Measure] = []
    for name, maker in MAKERS.items():
        wanted = QUIET if name == "safe" else _checks_of(name)
        made = maker(tables, stream(seed, f"{CHECKS}.{name}"))
        if made is None:
            reason = "the table has no declared group, or no number, that could be made wrong in this way"
            measures.append(_control(name, "", status="not applicable", reason=reason))
            continue
        bound = [check for check in checks(Candidate(made), _small(settings)) if _is_wanted(check.name, wanted)]
        found = run_checks(bound, tables.rows, seed, clock).measures
        measures += _quiet(found) if name == "safe" else _expected(name, found)
    return tuple(measures)


def depending(measures: Sequence[Measure], controls: Sequence[Measure]) -> tuple[Measure, ...]:
    """Measures as they stand after the self-test.

    A check that did not find the fault that it must find cannot clear anybody: what it found stays, what it did not
    find becomes inconclusive. A check that raised a false alarm can accuse nobody: all that it says is inconclusive.

    Args:
        measures: of the audit.
        controls: of its self-test.
    """
    blind = _broken(controls, "safe", but=True)
    noisy = _broken(controls, "safe", but=False)
    return tuple(_after(measure, blind, noisy) for measure in measures)


def _after(measure: Measure, blind: Mapping[str, str], noisy: Mapping[str, str]) -> Measure:
    if measure.status != "measured":
        return measure
    for names, said, always in (
        (blind, "did not find the fault that it must find", False),
        (noisy, "raised an alarm at a table without a fault", True),
    ):
        table = next((table for name, table in names.items() if _begins(measure.check, name)), None)
        p = chance(measure)
        if table is None or (not always and p is not None and p < FOUND_BELOW):
            continue
        reason = f"in the self-test on {CHECKS}.{table} this check {said}; its value was {measure.value:.4g}"
        document = measure.model_dump() | {"status": "inconclusive", "reason": reason, "value": None}
        return Measure.model_validate(document)
    return measure


def _broken(controls: Sequence[Measure], table: str, *, but: bool) -> dict[str, str]:
    """Checks whose control came to 0, with the table that it was: on this table, or on all but it."""
    found: dict[str, str] = {}
    for control in controls:
        name = control.check.removeprefix(f"{CHECKS}.")
        if control.value == 0 and (name == table) != but:
            found |= dict.fromkeys(control.subject.split(_OR), name)
    return found


def _checks_of(table: str) -> tuple[str, ...]:
    return tuple(name for wish in EXPECTATIONS if wish.table == table for name in wish.checks)


def _is_wanted(check: str, wanted: tuple[str, ...]) -> bool:
    # One check may measure several of them: "membership" gives "membership.nearest" and others.
    return any(_begins(check, name) or _begins(name, check) for name in wanted)


def _begins(name: str, start: str) -> bool:
    return name == start or name.startswith(start + ".")


def _small(settings: AuditSettings) -> AuditSettings:
    most = min(settings.targets, MOST_ROWS)
    return settings.model_copy(update={"attacks": min(settings.attacks, 1000), "targets": most, "canaries": 0})


def _expected(table: str, found: Sequence[Measure]) -> list[Measure]:
    """One control for each expectation of a table with a fault."""
    controls = []
    for wish in EXPECTATIONS:
        if wish.table == table:
            own = [
                measure
                for measure in found
                if any(_begins(measure.check, name) for name in wish.checks)
                and (not wish.subjects or measure.subject in wish.subjects)
            ]
            controls.append(_judged(table, wish.subject, own, finds=True))
    return controls


def _quiet(found: Sequence[Measure]) -> list[Measure]:
    """One control for each check that was tried on the table without a fault."""
    return [
        _judged("safe", name, own, finds=False)
        for name in QUIET
        if (own := [measure for measure in found if _begins(measure.check, name)])
    ]


def _judged(table: str, subject: str, own: Sequence[Measure], *, finds: bool) -> Measure:
    """Whether measures of a control landed on their right side; several share the error."""
    chances = [p for measure in own if (p := chance(measure)) is not None]
    if not chances:
        idle = all(measure.status == "not applicable" for measure in own)
        reasons = sorted({measure.reason for measure in own if measure.reason})
        why = "; ".join(reasons)[:900] or "no such check was run"
        return _control(table, subject, status="not applicable" if idle else "inconclusive", reason=why)
    least = min(min(chances) * len(chances), 1.0)
    right = least < FOUND_BELOW if finds else least >= FALSE_BELOW
    return _control(table, subject, value=float(right), details={"chance": least})


def _control(
    table: str,
    subject: str,
    *,
    value: float | None = None,
    status: Status = "measured",
    reason: str = "",
    details: Mapping[str, float] | None = None,
) -> Measure:
    return Measure(
        check=f"{CHECKS}.{table}",
        subject=subject,
        status=status,
        reason=reason,
        value=value,
        null=1.0,
        better="higher",
        trials=int(value is not None),
        details=dict(details or {}),
    )
