"""The self-test of an audit: tables with known faults must be found out, and one without must not be."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from headwater.audit.control_tables import GUESSED_ROWS, LEAST_ROWS, MAKERS, MOST_ROWS, OUTLIERS_ROWS, control_tables
from headwater.audit.expectations import EXPECTATIONS, QUIET, begins
from headwater.audit.running import Clock, run_checks, stream
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import About, Check
from headwater.evidence.intervals import p_above, p_below
from headwater.evidence.measure import Measure, Status
from headwater.evidence.settings import AuditSettings

__all__ = ["ABOUT", "CHECKS", "Checks", "chance", "depending", "run_controls"]

Checks = Callable[[Candidate, AuditSettings], Sequence[Check]]
"""All checks of an audit, bound to a candidate."""

CHECKS = "controls"
"""What the names of all these measures begin with."""

_GUESSES = "inference"

FOUND_BELOW = 0.01
"""A fault is found where chance alone would show as much in less than one of a hundred tables."""

FALSE_BELOW = 0.0001
"""An alarm at a table without a fault, so sure of itself, is a fault of the check. A dozen checks are asked, so that an
audit whose checks are sound blames one of them less than once in eight hundred times; at .001 each it was once in a
hundred, and an echo of eleven lone rows of one side by nothing but chance was seen to do it."""

_ROWS = {"outliers": OUTLIERS_ROWS}
"""Rows of each part by table; `MOST_ROWS` elsewhere."""

ABOUT = About(
    title="Self-test",
    question="Would this audit have found a leak, and would it have kept quiet without one?",
    knowledge="Nothing but the synthetic table: three parts of it play training rows, holdout and generator.",
    statistic="1 where a table with a known fault is found out (p < .01) and one without is not (p ≥ .0001), else 0.",
    misses="Faults of other kinds than these; how the checks do on tables of another law than the candidate's.",
    source="Positive and negative controls, as any assay has them",
    disclosure="public",
)


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
        the table has nothing that could be wrong in this way, or where a check that must stay quiet lacks rows to
        speak at all; inconclusive where the candidate has too few rows.

    Guarantee: none by theory. How often an honest candidate is blamed by chance is measured by
        `tools/bench/self_test_rates.py`, whose docstring has figures.
    """
    if candidate.table.rows // 3 < LEAST_ROWS:
        needed = 3 * LEAST_ROWS
        reason = f"the synthetic table has {candidate.table.rows} rows; the self-test needs {needed}"
        return (_control("rows", "", status="inconclusive", reason=reason).model_copy(update={"needed": needed}),)
    measures: list[Measure] = []
    for name in MAKERS:
        if name == "safe":
            # Guesses take more rows than the other checks, and hardly any time.
            others = tuple(check for check in QUIET if check != _GUESSES)
            found = [
                *(_found(name, candidate, settings, checks, others, MOST_ROWS, seed, clock) or ()),
                *(_found(name, candidate, settings, checks, (_GUESSES,), GUESSED_ROWS, seed, clock) or ()),
            ]
            measures += _quiet(found)
            continue
        wanted = tuple(check for wish in EXPECTATIONS if wish.table == name for check in wish.checks)
        made = _found(name, candidate, settings, checks, wanted, _ROWS.get(name, MOST_ROWS), seed, clock)
        if made is None:
            reason = "the table has no declared group, or no number, that could be made wrong in this way"
            measures.append(_control(name, "", status="not applicable", reason=reason))
        else:
            measures += _expected(name, made)
    return tuple(measures)


def _found(
    name: str,
    candidate: Candidate,
    settings: AuditSettings,
    checks: Checks,
    wanted: tuple[str, ...],
    rows: int,
    seed: int,
    clock: Clock,
) -> tuple[Measure, ...] | None:
    """What the wanted checks find in one table; None where no such table can be made."""
    tables = control_tables(candidate.table, settings, stream(seed, CHECKS), rows)
    made = None if tables is None else MAKERS[name](tables, stream(seed, f"{CHECKS}.{name}"))
    if made is None or tables is None:
        return None
    bound = [check for check in checks(Candidate(made), _small(settings, rows)) if _is_wanted(check.name, wanted)]
    return run_checks(bound, tables.rows, seed, clock).measures


@dataclass(frozen=True, slots=True)
class _Broken:
    """A check that landed on its wrong side, on one table; a subject of it alone, or all of it."""

    table: str
    check: str
    subject: str | None = None

    def concerns(self, measure: Measure) -> bool:
        return begins(measure.check, self.check) and self.subject in (None, measure.subject)


def depending(measures: Sequence[Measure], controls: Sequence[Measure]) -> tuple[Measure, ...]:
    """Measures as they stand after the self-test.

    A check that did not find the fault that it must find cannot clear anybody: what it found stays, what it did not
    find becomes inconclusive. A check that raised a false alarm can accuse nobody: all that it says is inconclusive.

    Args:
        measures: of the audit.
        controls: of its self-test.
    """
    blind, noisy = _blind(controls), _noisy(controls)
    return tuple(_after(measure, blind, noisy) for measure in measures)


def _after(measure: Measure, blind: Sequence[_Broken], noisy: Sequence[_Broken]) -> Measure:
    if measure.status != "measured":
        return measure
    for broken, said, always in (
        (blind, "did not find the fault that it must find", False),
        (noisy, "raised an alarm at a table without a fault", True),
    ):
        table = next((each.table for each in broken if each.concerns(measure)), None)
        p = chance(measure)
        if table is None or (not always and p is not None and p < FOUND_BELOW):
            continue
        reason = f"in the self-test on {CHECKS}.{table} this check {said}; its value was {measure.value:.4g}"
        document = measure.model_dump() | {"status": "inconclusive", "reason": reason, "value": None}
        return Measure.model_validate(document)
    return measure


def _blind(controls: Sequence[Measure]) -> list[_Broken]:
    """Whom missed faults leave without a voice."""
    missed = {(control.check, control.subject) for control in controls if control.value == 0}
    return [
        _Broken(wish.table, check, subject)
        for wish in EXPECTATIONS
        if (f"{CHECKS}.{wish.table}", wish.subject) in missed
        for check, subject in wish.blinds or _whole(wish.checks)
    ]


def _whole(checks: tuple[str, ...]) -> tuple[tuple[str, str | None], ...]:
    return tuple((check, None) for check in checks)


def _noisy(controls: Sequence[Measure]) -> list[_Broken]:
    """Who raised a false alarm."""
    safe = f"{CHECKS}.safe"
    return [_Broken("safe", each.subject) for each in controls if each.check == safe and each.value == 0]


def _is_wanted(check: str, wanted: tuple[str, ...]) -> bool:
    # One check may measure several of them: "membership" gives "membership.nearest" and others.
    return any(begins(check, name) or begins(name, check) for name in wanted)


def _small(settings: AuditSettings, rows: int) -> AuditSettings:
    most = min(settings.targets, rows)
    return settings.model_copy(update={"attacks": min(settings.attacks, 1000), "targets": most, "canaries": 0})


def _expected(table: str, found: Sequence[Measure]) -> list[Measure]:
    """One control for each expectation of a table with a fault."""
    return [_judged(table, wish.subject, wish.own(found), finds=True) for wish in EXPECTATIONS if wish.table == table]


def _quiet(found: Sequence[Measure]) -> list[Measure]:
    """One control for each check that was tried on the table without a fault."""
    return [
        _judged("safe", name, [own], finds=False)
        for name in QUIET
        if (own := [measure for measure in found if begins(measure.check, name)])
    ]


def _judged(table: str, subject: str, kinds: Sequence[Sequence[Measure]], *, finds: bool) -> Measure:
    """Whether measures of a control landed on their right side; kinds share the error, and the measures of each."""
    chances = [[p for measure in kind if (p := chance(measure)) is not None] for kind in kinds]
    least = [min(each) * len(each) for each in chances if each]
    if not least:
        own = [measure for kind in kinds for measure in kind]
        # Who has too few rows to speak raises no false alarm; who fails for another reason was not tried.
        idle = all(measure.status == "not applicable" or (not finds and measure.needed is not None) for measure in own)
        reasons = sorted({measure.reason for measure in own if measure.reason})
        why = "; ".join(reasons)[:900] or "no such check was run"
        return _control(table, subject, status="not applicable" if idle else "inconclusive", reason=why)
    p = min(min(least) * len(least), 1.0)
    right = p < FOUND_BELOW if finds else p >= FALSE_BELOW
    return _control(table, subject, value=float(right), details={"chance": p})


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
