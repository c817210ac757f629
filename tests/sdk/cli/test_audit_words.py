"""What an audit of plain files says: what was not asked or not judged, and why, in words that accuse nobody of it."""

from collections.abc import Iterable

import pytest

from headwater.cli.audit_unasked import policy_in_words
from headwater.cli.audit_words import gate_lines, judgement_of, tell
from headwater.evidence.measure import Measure
from headwater.release.decision_words import UNPROVEN
from headwater.release.policy import Decision, decide, load_policy
from support.evidences import honest_measures, make_evidence, without

STANDARD = load_policy("standard")
NOW = "2026-11-22T12:00:00Z"


def decided(measures: Iterable[Measure]) -> Decision:
    plain = {"source": "one holder of files", "organisations": 1, "privacy": "none", "federation": "none"}
    return decide(make_evidence(measures, **plain), STANDARD, now=NOW)


def told(measures: Iterable[Measure], *, quick: bool = False) -> str:
    given = tuple(measures)
    found = tell(decided(given), STANDARD, given, quick=quick)
    return "\n".join((found.headline, *found.words))


def unjudged(check: str, subject: str = "", reason: str = "12 rows can be attacked") -> Measure:
    return Measure(check=check, subject=subject, status="inconclusive", reason=reason, needed=30)


def undeclared(*checks: str) -> tuple[Measure, ...]:
    own = tuple(
        Measure(check=check, status="not applicable", reason="none is named; declare a column") for check in checks
    )
    return (*(measure for measure in honest_measures() if measure.check not in checks), *own)


def test_what_was_not_judged_is_no_accusation() -> None:
    said = told((*honest_measures(), unjudged("membership.domias-5", "sex=Other")))
    assert "Not judged: membership (membership.domias-5 [sex=Other]), because 12 rows can be attacked; 30 are" in said
    assert "Warned of" not in said
    assert "told from others" not in said


def test_a_broken_rule_is_told_beside_what_was_not_judged() -> None:
    found = Measure(
        check="membership.nearest", value=0.2, null=0.01, law="binomial", tally=(2000, 10_000), trials=10_000
    )
    kept = [each for each in honest_measures() if (each.check, each.subject) != ("membership.nearest", "")]
    measures = (*kept, found, unjudged("membership.domias-5", "sex=Other"))
    lines = {line.id: line for line in gate_lines(decided(measures), STANDARD, measures)}
    assert lines["G4"].reasons[0] == "membership.nearest 0.200: above 0.03 for certain"
    assert lines["G4"].reasons[-1] == "1 figure not judged; the verdict says why"
    assert "Failed: membership. Members are told from others (membership.nearest)." in told(measures)


def test_a_figure_that_three_rules_ask_about_is_one_figure() -> None:
    lines = {line.id: line for line in gate_lines(decided(honest_measures()), STANDARD, honest_measures())}
    assert lines["G10"].reasons == ("3 figures within bounds",)


def test_what_is_missing_is_said_to_be_missing() -> None:
    said = told(without("controls.copier"))
    assert "(controls.copier [copies.near], controls.copier [membership*]), because nothing of the kind was" in said


def test_an_open_question_of_privacy_does_not_blame_the_generator() -> None:
    broken = Measure(check="validity", value=0.5, null=1.0, better="higher", trials=500)
    kept = [each for each in honest_measures() if each.check not in ("validity", "linkability")]
    said = told((*kept, broken, unjudged("linkability")))
    assert said.startswith("Fail")
    assert "Mend the generator" not in said


def test_several_attacks_on_one_subject_are_one_name() -> None:
    names = ("nearest", "domias-1", "domias-5", "classifier")
    said = told((*honest_measures(), *(unjudged(f"membership.{name}", "race=Other") for name in names)))
    assert said.count("race=Other") == 1
    assert "(membership.* [race=Other])" in said


def test_a_reason_that_names_the_size_does_not_name_it_twice() -> None:
    said = told((*honest_measures(), unjudged("membership.domias-5", "sex=Other", "12 rows; 30 of each are needed")))
    assert "because 12 rows; 30 of each are needed." in said


def test_a_pass_says_what_was_not_asked() -> None:
    bias = [f"bias.{name}" for name in ("ratio", "intersections", "parity", "odds", "usefulness")]
    measures = undeclared("usefulness", "inference", *bias)
    found = tell(decided(measures), STANDARD, measures)
    assert found.headline.startswith("Pass")
    assert found.unasked == (
        "Not asked: usefulness, as no task is named (--task); bias, as no group is named (--group); inference of a "
        "secret, as no secret is named (--secret); ε, planted secrets and terms of use, as plain files have no plan "
        "and no ledger."
    )
    assert found.words[0] == found.unasked
    # It is told once, and as what it is.
    assert not any("Warned of" in words or "Not judged" in words for words in found.words)


def test_what_was_declared_and_does_not_apply_says_why() -> None:
    one = Measure(check="usefulness", status="not applicable", reason="holdout rows hold one class of 'x' only")
    assert "usefulness, as holdout rows hold one class of 'x' only" in told((*without("usefulness"), one))


def test_the_policy_does_not_speak_of_privacy_that_was_not_asked() -> None:
    words = policy_in_words(STANDARD, decided(honest_measures()))
    assert words.startswith("standard, version 2, as far as plain files can be asked: without G1, G2, G3, G13")
    assert STANDARD.title not in words
    private = decide(make_evidence(), STANDARD, now=NOW)
    assert policy_in_words(STANDARD, private) == f"{STANDARD.label}: {STANDARD.title}"


def test_without_a_self_test_no_pass_of_an_attack_stands() -> None:
    measures = (*without("controls.copier"), unjudged("controls.copier", "copies.near", "3 rows"))
    lines = {line.id: line for line in gate_lines(decided(measures), STANDARD, measures)}
    assert lines["G6"].outcome == UNPROVEN
    assert lines["G6"].reasons[0] == "passed, but not to be relied on: the self-test is inconclusive"
    assert lines["G7"].outcome == "pass"
    assert "G4, G5, G6" in told(measures)


def test_a_quick_pass_says_what_it_is_worth() -> None:
    assert "Made with --quick" in told(honest_measures(), quick=True)
    assert "Made with --quick" not in told(honest_measures())


@pytest.mark.parametrize(("gate", "told_of"), [("G6", True), ("G7", False)])
def test_only_a_leak_is_mended_in_the_generator(gate: str, told_of: bool) -> None:
    broken = {
        "G6": Measure(check="copies.near", value=0.2, null=0.001, law="binomial", tally=(200, 1000), trials=1000),
        "G7": Measure(check="artefacts", value=1.0, null=0.0, trials=1, details={"rows.csv: a pickle": 1.0}),
    }[gate]
    measures = (*without(broken.check), broken)
    assert ("Mend the generator" in told(measures)) is told_of
    assert ("(artefacts): rows.csv: a pickle." in told(measures)) is (gate == "G7")


def test_a_threshold_above_a_floor_is_drawn_where_it_is() -> None:
    odds = Measure(check="bias.odds", subject="sex", value=0.01, null=0.13, law="normal", error=0.01)
    measures = (*without("bias.odds"), odds)
    (asked,) = judgement_of(decided(measures), STANDARD, measures).thresholds["bias.odds [sex]"]
    assert asked.at == pytest.approx(0.18)


def test_that_groups_are_not_compared_is_said_once() -> None:
    both = told(undeclared("bias.ratio", "bias.parity"))
    assert "bias, as no group is named (--group)" in both
    assert "whether groups are treated alike" not in both
    parity = told(undeclared("bias.parity"))
    assert "whether groups are treated alike, as no task is named (--task)" in parity
