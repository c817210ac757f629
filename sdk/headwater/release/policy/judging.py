"""Holding each measure to each rule that asks for it; all tests share one error."""

from collections.abc import Sequence
from dataclasses import dataclass

from headwater.audit.expected import Expected, contradicted, lacking
from headwater.audit.membership.ceiling import membership_ceiling
from headwater.evidence.intervals import bounds, p_above, p_below
from headwater.evidence.measure import Measure
from headwater.release.evidence import Evidence, PrivacyFacts, facts_as_measures, is_apart
from headwater.release.policy.decision import LEFT, Finding, Outcome, is_left, stands_aside
from headwater.release.policy.document import Gate, Policy, Rule, matches
from headwater.release.policy.holm import holm

__all__ = ["Judged", "judge", "outcome_by_value"]

_CONFIDENCE = 0.95
"""Of intervals that a rule is held to."""


@dataclass(frozen=True)
class Judged:
    """What a policy finds in evidence.

    Attributes:
        findings: in the order of gates, rules, checks and subjects.
        tests: that shared the policy's error.
        unjudged: measures that no rule of the policy asks for, by name.
    """

    findings: tuple[Finding, ...]
    tests: int
    unjudged: tuple[str, ...]


@dataclass(frozen=True)
class _Asked:
    """A rule on a measure that has a value, with its threshold in place."""

    gate: Gate
    number: int
    rule: Rule
    measure: Measure
    threshold: float | None

    @property
    def is_test(self) -> bool:
        """Whether chance decides: a figure without a law is what it is."""
        law = self.measure.law
        return self.rule.by == "proof" and law != "none" and not (law == "normal" and not self.measure.error)

    @property
    def p_value(self) -> float | None:
        """Of "the rule holds"; None where it is not known."""
        measure, rule = self.measure, self.rule
        match rule.bad:
            case "chance":
                if measure.p_value is not None:
                    return measure.p_value
                if measure.null is None or measure.law in ("test", "none") or measure.better == "null":
                    return None
                worse = p_above if measure.better == "lower" else p_below
                return _probability(worse(measure, measure.null))
            case "above":
                return _probability(p_above(measure, self.threshold or 0.0))
            case "below":
                return _probability(p_below(measure, self.threshold or 0.0))
            case "outside":
                ends = p_below(measure, self.threshold or 0.0), p_above(measure, rule.upper or 0.0)
                return _probability(2 * min(ends))

    @property
    def beyond(self) -> bool:
        """Whether the value itself is on the bad side."""
        return outcome_by_value(self.rule, self.measure.value, self.threshold) != "pass"


def judge(evidence: Evidence, policy: Policy, expected: Sequence[Expected] = ()) -> Judged:
    """Hold evidence to every rule of a policy.

    Args:
        evidence: of one audit.
        policy: whose gates ask.
        expected: figures that there must be; one that is missing is inconclusive by name, whatever pattern it is of.

    Returns:
        A finding for each rule and each measure that it takes, and one for each check that it misses.

    Guarantee: of a candidate whose true values meet every threshold, the chance that any rule by proof fails it is at
        most `policy.error`, as far as the laws of the measures hold; rules by value and by interval ask for what the
        figure is and are no tests.
    """
    measures = (*evidence.measures, *facts_as_measures(evidence.privacy, evidence.licence_stated))
    files, privacy = evidence.source == "one holder of files", evidence.privacy
    apart = is_apart(evidence.source, privacy)
    names = {(measure.check, measure.subject): measure.status for measure in measures}
    missed, lying = lacking(expected, names), contradicted(expected, names)
    findings: list[Finding] = []
    asked: list[_Asked] = []
    taken: set[str] = set()
    for gate in policy.gates:
        aside = stands_aside(gate, files=files, private=privacy != "none")
        for number, rule in enumerate(gate.rules):
            own = [measure for measure in measures if rule.takes(measure)]
            taken |= {measure.name for measure in own}
            if aside:
                continue
            findings += _missing(gate, number, rule, own, private=privacy != "none", apart=apart)
            if not is_left(gate, apart=apart):
                findings += _left_out(gate, number, rule, missed, findings)
            for measure in own:
                if (measure.check, measure.subject) in lying:
                    findings.append(_cannot_stand_aside(gate, number, measure))
                    continue
                ready = _ready(gate, number, rule, measure, privacy)
                asked += [ready] if isinstance(ready, _Asked) else []
                findings += [ready] if isinstance(ready, Finding) else []
    shared = [question for question in asked if question.rule.shared and question.is_test]
    tested = [question for question in shared if question.p_value is not None]
    adjusted = dict(zip(map(id, tested), holm([question.p_value or 0.0 for question in tested]), strict=True))
    findings += [_found(question, adjusted.get(id(question)), policy.error) for question in asked]
    order = {gate.id: position for position, gate in enumerate(policy.gates)}
    findings.sort(key=lambda found: (order[found.gate], found.rule, found.check, found.subject, found.reason))
    unjudged = sorted({measure.name for measure in measures} - taken)
    return Judged(tuple(findings), len(tested), tuple(unjudged))


def outcome_by_value(rule: Rule, value: float | None, threshold: float | None) -> Outcome:
    """What a rule makes of a value as it is; `rule.then` where it is on the bad side."""
    if value is None:
        return rule.unclear
    if threshold is None:
        # A rule on chance: no value by itself breaks it.
        return "pass"
    below = rule.bad in ("below", "outside") and value < threshold
    limit = threshold if rule.bad == "above" else rule.upper
    above = limit is not None and value > limit
    return rule.then if below or above else "pass"


def _missing(
    gate: Gate, number: int, rule: Rule, own: Sequence[Measure], *, private: bool, apart: bool
) -> list[Finding]:
    if rule.missing == "skip":
        return []
    found = []
    for check in rule.checks:
        for subject in rule.subjects:
            if any(matches(check, measure.check) and matches(subject, measure.subject) for measure in own):
                continue
            why = f"{check}{f' [{subject}]' if subject not in ('', '*') else ''} was not measured"
            if check.startswith("ledger.") and not private:
                why = "the run has no privacy budget, so there is no ε; policy non-private is for runs without one"
            outcome: Outcome = rule.missing
            if is_left(gate, apart=apart):
                outcome, why = "not applicable", LEFT
            found.append(Finding(gate=gate.id, rule=number, check=check, subject=subject, outcome=outcome, reason=why))
    return found


def _left_out(
    gate: Gate, number: int, rule: Rule, missed: Sequence[Expected], known: Sequence[Finding]
) -> list[Finding]:
    """What a rule's patterns stand for and nothing was measured of."""
    told = {(found.check, found.subject) for found in known if (found.gate, found.rule) == (gate.id, number)}
    return [
        Finding(
            gate=gate.id,
            rule=number,
            check=each.check,
            subject=each.subject,
            outcome="inconclusive" if rule.missing == "skip" else rule.missing,
            reason=f"{each.check}{f' [{each.subject}]' if each.subject else ''} was not measured",
        )
        for each in missed
        if rule.asks_for(each.check, each.subject) and (each.check, each.subject) not in told
    ]


def _cannot_stand_aside(gate: Gate, number: int, measure: Measure) -> Finding:
    return Finding(
        gate=gate.id,
        rule=number,
        check=measure.check,
        subject=measure.subject,
        outcome="inconclusive",
        reason=f"{measure.name}: it calls itself not applicable, and there is such a thing here",
        detail=measure.reason,
    )


def _ready(gate: Gate, number: int, rule: Rule, measure: Measure, privacy: PrivacyFacts | str) -> "_Asked | Finding":
    """The question that a rule asks of a measure, or what came of it without one."""

    def without(outcome: Outcome, why: str, detail: str = "") -> Finding:
        return Finding(
            gate=gate.id,
            rule=number,
            check=measure.check,
            subject=measure.subject,
            outcome=outcome,
            reason=f"{measure.name}: {why}",
            detail=detail,
        )

    if measure.status == "not applicable":
        return without(rule.inapplicable, "not applicable", measure.reason)
    if measure.status == "inconclusive":
        needs = "" if measure.needed is None else f"; {measure.needed:,} trials are needed"
        return without(rule.unclear, f"inconclusive{needs}", measure.reason)
    if measure.trials < rule.least_trials:
        why = f"inconclusive, fewer than {rule.least_trials:,} trials"
        return without(rule.unclear, why, f"{measure.trials:,} trials")
    if rule.by == "proof" and (why := _unlawful(measure)):
        return without(rule.unclear, f"inconclusive, {why}")
    threshold = rule.threshold
    if threshold is not None and rule.above_null:
        threshold += measure.null or 0.0
    if rule.times_epsilon or rule.ceiling_at is not None:
        if isinstance(privacy, PrivacyFacts):
            if threshold is not None and rule.times_epsilon:
                threshold *= privacy.epsilon
            if threshold is not None and rule.ceiling_at is not None:
                threshold = min(threshold, membership_ceiling(privacy.epsilon, privacy.delta, rule.ceiling_at))
        elif rule.times_epsilon:
            return without(rule.unclear, "there is no ε to compare it with")
    return _Asked(gate, number, rule, measure, threshold)


def _unlawful(measure: Measure) -> str:
    """Why a figure proves nothing whatever it says; "" where it may."""
    if measure.law == "none":
        return "no law says how likely the figure is"
    # An attack's value is smoothed and its tally is not, so that they need not be one ratio.
    if measure.law == "binomial" and not 0 <= measure.tally[0] <= measure.tally[1] > 0:
        return "its tally is none of so many trials"
    return ""


def _found(question: _Asked, adjusted: float | None, error: float) -> Finding:
    rule, measure = question.rule, question.measure
    p = question.p_value if question.is_test else None
    detail = _figures(measure)
    if question.is_test and p is None:
        outcome: Outcome = rule.unclear
        said = "inconclusive, its chance under the null value is not known"
    else:
        bad = _is_bad(question, p, adjusted, error)
        outcome = rule.then if bad else "pass"
        bound = _bound(rule, question.threshold)
        said = f"{bound}: {rule.says}" if bad else f"not {bound}"
    if p is not None:
        detail += f", p = {p:.2g}"
    if adjusted is not None:
        detail += f" ({adjusted:.2g} among all tests)"
    return Finding(
        gate=question.gate.id,
        rule=question.number,
        check=measure.check,
        subject=measure.subject,
        outcome=outcome,
        reason=f"{measure.name}: {said}",
        detail=detail,
    )


def _is_bad(question: _Asked, p: float | None, adjusted: float | None, error: float) -> bool:
    rule, measure = question.rule, question.measure
    if rule.by == "interval":
        low, high = _interval(measure)
        ends = {"above": (high,), "below": (low,), "outside": (low, high), "chance": ()}[rule.bad]
        return any(outcome_by_value(rule, end, question.threshold) != "pass" for end in ends)
    if p is None:
        return question.beyond
    # A test of its own null value says nothing of another threshold, so the value must be beyond it as well.
    if measure.law == "test" and rule.bad != "chance" and not question.beyond:
        return False
    return p < rule.level and (adjusted if adjusted is not None else p) <= error


def _interval(measure: Measure) -> tuple[float, float]:
    if measure.law in ("binomial", "controlled", "normal"):
        return bounds(measure, _CONFIDENCE)
    value = measure.value or 0.0
    return (value if measure.low is None else measure.low, value if measure.high is None else measure.high)


def _probability(p: float) -> float:
    # Rounding may leave a p-value a digit outside.
    return min(max(p, 0.0), 1.0)


def _bound(rule: Rule, threshold: float | None) -> str:
    how = {"value": "", "interval": ", by its interval", "proof": " for certain"}[rule.by]
    match rule.bad:
        case "chance":
            return "less likely than chance allows"
        case "outside":
            return f"outside {threshold:.3g} to {rule.upper:.3g}{how}"
        case side:
            return f"{side} {threshold:.3g}{how}"


def _figures(measure: Measure) -> str:
    ends = "" if measure.low is None or measure.high is None else f" ({measure.low:.4g} to {measure.high:.4g})"
    return f"{measure.value:.4g}{ends}"
