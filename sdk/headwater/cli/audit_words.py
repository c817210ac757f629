"""What an audit says to people: the verdict in plain words, what failed, what was not judged and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headwater.audit.report import GateLine, Judgement, Threshold, number
from headwater.cli.audit_unasked import not_asked
from headwater.evidence.measure import Measure
from headwater.release.decision_words import UNPROVEN, not_to_be_relied_on
from headwater.release.policy import Decision, Finding, Gate, GateResult, Outcome, Policy, Verdict

__all__ = ["HEADLINES", "STATUS", "Told", "gate_lines", "judgement_of", "tell"]

HEADLINES: dict[Verdict, str] = {
    "pass": "Pass: no attack found a leak, and the table does what the policy asks of it.",
    "pass with warnings": "Pass with warnings: nothing forbids publishing the table; read the warnings first.",
    "fail": "Fail: do not publish this table.",
    "inconclusive": "Inconclusive: this audit cannot tell whether the table may be published, so it may not.",
}

STATUS: dict[Verdict, int] = {"pass": 0, "pass with warnings": 0, "fail": 1, "inconclusive": 3}
"""Exit statuses."""

_WORST: tuple[Outcome, ...] = ("fail", "inconclusive", "warn", "pass", "not applicable")
_INTRODUCED: dict[Outcome, str] = {"fail": "Failed", "inconclusive": "Not decided", "warn": "Warned of"}
_MEANS: dict[Outcome, str] = {
    "fail": "Not judged, which fails",
    "inconclusive": "Not judged, and so not decided",
    "warn": "Not judged",
}
_MOST_NAMES, _MOST_OF_A_KIND = 4, 2
_PRIVACY = frozenset({"G4", "G5", "G6"})


@dataclass(frozen=True, slots=True)
class Told:
    """A verdict in words.

    Attributes:
        headline: one sentence.
        words: what was not asked, what failed, was not decided, is warned of or was not judged, a sentence for each
            gate; then what to do.
        unasked: what of the policy was not asked, as one of these sentences; empty where all was.
    """

    headline: str
    words: tuple[str, ...]
    unasked: str


def tell(decision: Decision, policy: Policy, measures: Sequence[Measure], *, quick: bool = False) -> Told:
    """The verdict in plain words.

    Args:
        decision: of the policy.
        policy: that decided.
        measures: that it judged.
        quick: fewer records were attacked than an audit attacks.
    """
    by_name = {measure.name: measure for measure in measures}
    unasked = not_asked(decision, measures)
    # What was not asked comes first where it is all that a pass hides.
    words = [unasked] if unasked and decision.verdict != "fail" else []
    words += [sentence for outcome in _INTRODUCED for sentence in _broken(decision, policy, outcome, by_name)]
    if _PRIVACY & {result.gate for result in decision.gates if result.outcome == "fail"}:
        words.append(
            "Mend the generator, not the table: rows that are only filtered or moved still leak what they saw."
        )
    words += [sentence for outcome in _MEANS for sentence in _unjudged(decision, policy, outcome, by_name)]
    unproven = [result.gate for result in decision.gates if not_to_be_relied_on(decision, result)]
    if unproven:
        words.append(f"Not to be relied on: that {', '.join(unproven)} passed, since the self-test did not.")
    words += [unasked] if unasked and decision.verdict == "fail" else []
    if quick and decision.verdict != "fail":
        words.append("Made with --quick, on fewer records: small leaks go unseen; audit without it before you publish.")
    if decision.verdict == "inconclusive":
        words.append("Give it more rows, or declare what the undecided checks ask for; absent evidence is no pass.")
    return Told(HEADLINES[decision.verdict], tuple(words), unasked)


def _name(finding: Finding) -> str:
    return f"{finding.check} [{finding.subject}]" if finding.subject else finding.check


def _why_unjudged(finding: Finding, by_name: Mapping[str, Measure]) -> str:
    """Why a finding rests on no figure; empty where it does rest on one."""
    measure = by_name.get(_name(finding))
    if measure is None:
        missing = finding.reason.endswith("was not measured")
        return "nothing of the kind was measured" if missing else finding.reason
    if measure.status != "measured":
        needs = "" if measure.needed is None else f"{measure.needed:,}"
        said = not needs or needs in measure.reason or str(measure.needed) in measure.reason
        return measure.reason if said else f"{measure.reason}; {needs} are needed"
    # It was measured, and the policy asks for more trials, or knows no law of its chance.
    _, inconclusive, why = finding.reason.partition(": inconclusive, ")
    return why if inconclusive else ""


def _gates(decision: Decision, policy: Policy, outcome: Outcome) -> list[tuple[Gate, list[Finding]]]:
    """Gates that were asked, each with its findings of one outcome."""
    found = []
    for result in decision.gates:
        gate = policy.gate(result.gate)
        if gate is not None and result.outcome != "not applicable":
            own = [finding for finding in decision.findings if finding.gate == gate.id and finding.outcome == outcome]
            found.append((gate, own))
    return found


def _broken(decision: Decision, policy: Policy, outcome: Outcome, by_name: Mapping[str, Measure]) -> list[str]:
    """What figures showed: a sentence for each gate of which a rule is broken."""
    sentences = []
    for gate, own in _gates(decision, policy, outcome):
        said: dict[str, list[str]] = {}
        for finding in own:
            if not _why_unjudged(finding, by_name):
                said.setdefault(gate.rules[finding.rule].says, []).append(_name(finding))
        if said:
            parts = "; ".join(f"{words} ({_listed(names)})" for words, names in said.items())
            found = [by_name[_name(each)] for each in own if _name(each) in by_name]
            causes = "; ".join(dict.fromkeys(cause for measure in found for cause in _causes(measure)))
            parts += f": {causes}" if causes else ""
            sentences.append(f"{_INTRODUCED[outcome]}: {gate.title.lower()}. {parts[0].upper()}{parts[1:]}.")
    return sentences


def _unjudged(decision: Decision, policy: Policy, outcome: Outcome, by_name: Mapping[str, Measure]) -> list[str]:
    """What no figure speaks of: a sentence for each gate and reason, with the size that is needed.

    What does not apply at all, since nobody declared it, is told once, by `not_asked`.
    """
    sentences = []
    for gate, own in _gates(decision, policy, outcome):
        said: dict[str, list[str]] = {}
        for finding in own:
            measure = by_name.get(_name(finding))
            why = _why_unjudged(finding, by_name)
            if why and not (measure is not None and measure.status == "not applicable" and outcome == "warn"):
                said.setdefault(why, []).append(_name(finding))
        title = gate.title.lower()
        sentences += [f"{_MEANS[outcome]}: {title} ({_listed(names)}), because {why}." for why, names in said.items()]
    return sentences


def _listed(names: Sequence[str]) -> str:
    """Names of figures; several attacks of one kind on one subject as "membership.* [outliers]"."""
    families: dict[tuple[str, str], list[str]] = {}
    for name in dict.fromkeys(names):
        check, _, subject = name.partition(" ")
        families.setdefault((check.partition(".")[0], subject), []).append(name)
    shown = [
        name
        for (family, subject), own in families.items()
        for name in ([f"{family}.* {subject}".strip()] if len(own) > _MOST_OF_A_KIND else own)
    ]
    more = len(shown) - _MOST_NAMES
    return ", ".join(shown[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def gate_lines(decision: Decision, policy: Policy, measures: Sequence[Measure]) -> tuple[GateLine, ...]:
    """The policy's gates with what came of them, and the figures behind it."""
    questions = {gate.id: gate.question for gate in policy.gates}
    by_name = {measure.name: measure for measure in measures}
    return tuple(
        GateLine(
            result.gate,
            result.title,
            questions.get(result.gate, ""),
            UNPROVEN if not_to_be_relied_on(decision, result) else result.outcome,
            _reasons(decision, result, by_name),
        )
        for result in decision.gates
    )


def _reasons(decision: Decision, result: GateResult, by_name: Mapping[str, Measure]) -> tuple[str, ...]:
    own = [finding for finding in decision.findings if finding.gate == result.gate]
    if not own:
        return tuple(reason.removeprefix(f"{result.outcome}: ") for reason in result.reasons)
    lines = [warning] if (warning := not_to_be_relied_on(decision, result)) else []
    judged = [(finding, by_name.get(_name(finding))) for finding in own if not _why_unjudged(finding, by_name)]
    for outcome in _WORST[:3]:
        for finding, measure in judged:
            if finding.outcome == outcome:
                lines.append(_line(finding, measure))
    unjudged = {_name(finding) for finding in own if finding.outcome in _INTRODUCED} - {
        _name(finding) for finding, _ in judged
    }
    aside = {_name(finding) for finding in own if finding.outcome == "not applicable"}
    # A figure that several rules ask about is one figure, and within bounds where it is within all.
    broken = {_name(finding) for finding in own if finding.outcome in _INTRODUCED}
    passed = len({_name(finding) for finding in own if finding.outcome == "pass"} - broken)
    lines += [f"{passed} {_figures(passed)} within bounds"] if passed else []
    notes = [each for finding, measure in judged if finding.outcome == "pass" and measure for each in _causes(measure)]
    lines += [f"note: {each}" for each in dict.fromkeys(notes)]
    lines += [f"{len(unjudged)} {_figures(len(unjudged))} not judged; the verdict says why"] if unjudged else []
    lines += [f"not applicable: {_listed(sorted(aside - unjudged))}"] if aside - unjudged else []
    return tuple(lines)


def _line(finding: Finding, measure: Measure | None) -> str:
    """One broken rule with its figure: "copies.near 0.051 (0.036 to 0.069): less likely than chance allows"."""
    bound = finding.reason.removeprefix(f"{_name(finding)}: ").split(": ", 1)[0]
    if measure is None or measure.value is None:
        return finding.reason
    ends = "" if measure.low is None or measure.high is None else f" ({number(measure.low)} to {number(measure.high)})"
    if measure.check == "artefacts":
        return f"{measure.value:.0f} found; the verdict names them"
    return f"{_name(finding)} {number(measure.value)}{ends}: {bound}"


def _causes(measure: Measure) -> tuple[str, ...]:
    """What a check that looks at files and values found, in its own words."""
    if measure.check == "validity":
        return tuple(f"{name}, {number(share)} of the rows" for name, share in measure.details.items())
    return tuple(measure.details) if measure.check == "artefacts" else ()


def _figures(count: int) -> str:
    return "figure" if count == 1 else "figures"


def judgement_of(decision: Decision, policy: Policy, measures: Sequence[Measure]) -> Judgement:
    """What the policy made of each figure."""
    outcomes: dict[str, Outcome] = {}
    for finding in decision.findings:
        name = _name(finding)
        outcomes[name] = min(outcomes.get(name, "not applicable"), finding.outcome, key=_WORST.index)
    thresholds: dict[str, list[Threshold]] = {}
    for measure in measures:
        for gate in policy.gates:
            for rule in gate.rules:
                if rule.takes(measure):
                    floor = (measure.null or 0.0) if rule.above_null else 0.0
                    at = None if rule.threshold is None else rule.threshold + floor
                    asked = Threshold(rule.bad, at, rule.upper, rule.by)
                    thresholds.setdefault(measure.name, []).append(asked)
    return Judgement(outcomes, thresholds)
