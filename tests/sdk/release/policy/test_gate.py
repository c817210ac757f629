"""The gate: what passes, what stops a release and why, and that nothing passes unasked."""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from headwater.audit.membership.ceiling import membership_ceiling
from headwater.evidence.measure import Measure
from headwater.release.policy import Decision, decide, load_policy, policy_names
from headwater.release.policy.decision import LEFT, left_in
from support.evidences import PRIVACY, honest_measures, make_evidence, without

NOW = "2026-11-21T12:00:00Z"
STANDARD = load_policy("standard")
ORDER = ("pass", "pass with warnings", "inconclusive", "fail")

FILES: dict[str, Any] = {
    "source": "one holder of files",
    "organisations": 1,
    "federation": "none",
    "privacy": "none",
    "licence_stated": None,
}


def judged(measures: Sequence[Measure] | None = None, policy: str = "standard", **changes: Any) -> Decision:
    return decide(make_evidence(measures, **changes), load_policy(policy), now=NOW)


def but(replacement: Measure) -> tuple[Measure, ...]:
    """Honest measures with one in another's place."""
    kept = [m for m in honest_measures() if (m.check, m.subject) != (replacement.check, replacement.subject)]
    return (*kept, replacement)


def rate(check: str, hits: int, trials: int, subject: str = "") -> Measure:
    return Measure(
        check=check,
        subject=subject,
        value=hits / trials,
        null=0.01,
        law="binomial",
        tally=(hits, trials),
        trials=trials,
    )


def test_honest_release_passes_every_gate() -> None:
    decision = judged()
    assert decision.verdict == "pass"
    assert [(result.gate, result.outcome) for result in decision.gates] == [(f"G{n}", "pass") for n in range(14)]
    assert decision.failing == ()
    assert decision.unjudged == ()


@pytest.mark.parametrize("name", policy_names())
def test_every_policy_judges_honest_evidence_as_its_best(name: str) -> None:
    assert judged(policy=name).verdict == load_policy(name).best


BROKEN: dict[str, tuple[Measure, str, str]] = {
    "more ε than claimed": (Measure(check="canaries.one-run", value=1.2, trials=1000), "G2", "refute the ε"),
    "exposure": (
        Measure(check="canaries.exposure", value=5.0, law="test", p_value=1e-9, trials=32),
        "G3",
        "planted secrets were memorised",
    ),
    "membership": (rate("membership.domias-5", 570, 10_000), "G4", "members are told from others"),
    "a group's membership": (
        rate("membership.nearest", 80, 1000, "sex=Female"),
        "G4",
        r"membership.nearest \[sex=Female\]: above 0.0272 for certain",
    ),
    "linkability": (
        Measure(check="linkability", value=0.137, law="controlled", tally=(180, 1000, 50, 1000), trials=1000),
        "G5",
        "halves of training records are linked",
    ),
    "linking not excluded": (
        Measure(check="linkability", value=0.05, law="controlled", tally=(5, 50, 2, 50), trials=50),
        "G5",
        "linking is not excluded",
    ),
    "near copies": (rate("copies.near", 60, 1000), "G6", "training rows were copied"),
    "an artefact": (Measure(check="artefacts", value=1.0, trials=6), "G7", "must not be published"),
    "a row outside the schema": (Measure(check="validity", value=0.999, trials=500), "G8", "outside the schema"),
    "single columns": (Measure(check="marginals.1-way", value=0.11), "G9", "single columns differ"),
    "modes dropped": (Measure(check="coverage.modes", value=0.79), "G10", "parts of the real rows are missing"),
    "invented": (Measure(check="coverage.invented-3-way", value=0.06), "G10", "were invented"),
    "useless": (
        Measure(check="usefulness", subject="income", value=0.89, law="normal", error=0.001),
        "G11",
        "models trained on it do worse",
    ),
    "uselessness not excluded": (
        Measure(check="usefulness", subject="income", value=0.91, law="normal", error=0.05),
        "G11",
        "a larger loss is not excluded",
    ),
    "biased": (
        Measure(check="bias.ratio", subject="sex=Female", value=0.6, law="normal", error=0.01),
        "G12",
        "outside 0.8 to 1.25 for certain",
    ),
}


@pytest.mark.parametrize("name", BROKEN, ids=str)
def test_each_broken_rule_fails_its_gate_and_no_other(name: str) -> None:
    measure, gate, words = BROKEN[name]
    decision = judged(but(measure))
    assert decision.verdict == "fail"
    assert decision.failing == (gate,)
    result = decision.result(gate)
    assert result is not None
    assert re.search(words, " ".join(result.reasons))


@pytest.mark.parametrize("check", sorted({m.check for m in honest_measures() if not m.check.startswith("controls")}))
def test_a_check_that_was_not_made_makes_the_release_inconclusive(check: str) -> None:
    decision = judged(without(check))
    assert decision.verdict == "inconclusive"
    assert any("was not measured" in reason for result in decision.gates for reason in result.reasons)


def test_without_evidence_nothing_passes() -> None:
    for name in policy_names():
        assert judged((), policy=name).verdict == "inconclusive"
    assert judged((), **FILES).verdict == "inconclusive"


def test_without_controls_a_release_is_inconclusive() -> None:
    decision = judged([m for m in honest_measures() if not m.check.startswith("controls")])
    assert decision.failing == ("G0",)
    assert decision.verdict == "inconclusive"


def test_a_control_that_did_not_fail_as_it_must_makes_the_release_inconclusive() -> None:
    decision = judged(but(Measure(check="controls.memoriser", subject="copies.near", value=0.0, better="higher")))
    assert decision.verdict == "inconclusive"
    assert decision.failing == ("G0",)


def test_canaries_that_were_never_planted_but_look_memorised_make_it_inconclusive() -> None:
    control = Measure(check="canaries.control", value=4.0, law="test", p_value=1e-4, trials=32)
    assert judged(but(control)).failing == ("G3",)
    assert judged(but(control)).verdict == "inconclusive"


def test_too_few_trials_are_named_with_what_is_needed() -> None:
    few = Measure(check="copies.near", status="inconclusive", reason="12 rows", needed=4000)
    decision = judged(but(few))
    assert decision.verdict == "inconclusive"
    result = decision.result("G6")
    assert result is not None
    assert result.reasons == ("copies.near: inconclusive; 4,000 trials are needed",)
    assert judged(but(Measure(check="canaries.one-run", value=0.0, trials=999))).failing == ("G2",)


def test_a_small_group_warns_and_does_not_stop_the_release() -> None:
    small = Measure(
        check="membership.nearest", subject="race=Other", status="inconclusive", reason="20 rows", needed=99
    )
    assert judged((*honest_measures(), small)).verdict == "pass with warnings"


def test_what_a_release_ought_to_have_warns_where_there_is_none() -> None:
    nothing = Measure(check="inference", status="not applicable", reason="no column is sensitive")
    decision = judged((*without("inference"), nothing))
    assert decision.verdict == "pass with warnings"
    result = decision.result("G5")
    assert result is not None
    assert "inference: not applicable" in result.reasons


@pytest.mark.parametrize(
    "check",
    ["artefacts", "validity", "membership.nearest", "linkability", "copies.near", "marginals.1-way", "coverage.modes"]
    + ["canaries.one-run", "canaries.exposure", "canaries.control"],
)
def test_what_every_release_has_cannot_be_not_applicable(check: str) -> None:
    idle = Measure(check=check, status="not applicable", reason="no file was given")
    assert judged((*without(check), idle)).verdict == "inconclusive"


def test_plain_files_are_judged_without_the_gates_of_a_federation() -> None:
    decision = judged([m for m in honest_measures() if not m.check.startswith("canaries")], **FILES)
    asides = [result.gate for result in decision.gates if result.outcome == "not applicable"]
    assert asides == ["G1", "G2", "G3", "G13"]
    assert decision.verdict == "pass"


def test_a_run_without_budget_fails_standard_and_is_told_of_non_private() -> None:
    decision = judged(privacy="none")
    result = decision.result("G1")
    assert decision.verdict == "fail"
    assert result is not None
    assert "policy non-private is for runs without one" in result.reasons[0]
    assert STANDARD.asks_for_privacy
    assert not load_policy("non-private").asks_for_privacy


def test_non_private_never_passes_without_a_warning() -> None:
    decision = judged(policy="non-private", privacy="none")
    assert decision.verdict == "pass with warnings"
    asides = {result.gate: result.reasons for result in decision.gates if result.outcome == "not applicable"}
    assert asides == {"G1": ("not applicable: no DP",), "G2": ("not applicable: no DP",)}


@pytest.mark.parametrize(("policy", "limit"), [("strict", 1.0), ("standard", 3.0), ("research", 8.0)])
def test_each_policy_has_its_epsilon(policy: str, limit: float) -> None:
    for epsilon, verdict in ((limit, "pass"), (limit * 1.001, "fail")):
        claim = PRIVACY.model_copy(update={"epsilon": epsilon})
        assert judged(policy=policy, privacy=claim).verdict == verdict


@pytest.mark.parametrize(("replay", "verdict"), [("refuted", "fail"), ("bound", "inconclusive")])
def test_a_replay_that_does_not_confirm_stops_the_release(replay: str, verdict: str) -> None:
    decision = judged(privacy=PRIVACY.model_copy(update={"replay": replay}))
    assert decision.verdict == verdict
    assert decision.failing == ("G1",)


def test_a_third_of_epsilon_is_looked_into() -> None:
    assert judged(but(Measure(check="canaries.one-run", value=0.4, trials=1000))).verdict == "pass with warnings"


def test_membership_is_held_to_what_the_claim_allows() -> None:
    tight = PRIVACY.model_copy(update={"epsilon": 0.1})
    attack = rate("membership.nearest", 200, 10_000)
    assert membership_ceiling(0.1, 1e-6, 0.01) < 0.02
    assert judged(but(attack)).verdict == "pass"
    assert judged(but(attack), privacy=tight).failing == ("G4",)


@pytest.mark.parametrize(
    ("epsilon", "delta", "rate_", "ceiling"),
    [(0.0, 0.0, 0.01, 0.01), (1.0, 0.0, 0.01, 0.0271828), (20.0, 0.0, 0.5, 1.0), (3.0, 1e-5, 0.01, 0.200865)],
)
def test_ceiling_of_membership(epsilon: float, delta: float, rate_: float, ceiling: float) -> None:
    assert membership_ceiling(epsilon, delta, rate_) == pytest.approx(ceiling, rel=1e-5)


def test_a_test_of_its_own_null_fails_only_beyond_the_threshold() -> None:
    tiny = Measure(check="membership.nearest", value=0.012, null=0.01, law="test", p_value=1e-12, trials=10**6)
    assert judged(but(tiny)).verdict == "pass"


def test_a_floor_is_added_to_its_threshold() -> None:
    for floor, verdict in ((0.0, "fail"), (0.1, "pass")):
        odds = Measure(check="bias.odds", subject="sex", value=0.12, null=floor, law="normal", error=0.001)
        assert judged(but(odds)).verdict == verdict


def test_a_figure_that_no_rule_asks_for_is_named() -> None:
    more = Measure(check="density.recall", value=0.9)
    assert judged((*honest_measures(), more)).unjudged == ("density.recall",)


def test_the_same_check_and_subject_twice_is_refused() -> None:
    with pytest.raises(ValidationError, match="measured twice"):
        make_evidence((*honest_measures(), Measure(check="artefacts", value=0.0)))


def test_no_check_may_speak_for_the_ledger() -> None:
    with pytest.raises(ValidationError, match="fact of the evidence"):
        make_evidence((*honest_measures(), Measure(check="ledger.epsilon", value=0.0)))


def test_published_findings_hold_no_figure() -> None:
    attack = rate("membership.nearest", 4711, 99_991)
    decision = judged(but(attack))
    assert any("4711" in found.detail or "0.04711" in found.detail for found in decision.findings)
    assert "4711" not in decision.public().to_bytes().decode()


HONEST, DIGEST = judged(), make_evidence().digest


@given(st.permutations(honest_measures()))
def test_order_of_measures_changes_nothing(measures: list[Measure]) -> None:
    assert judged(measures) == HONEST
    assert make_evidence(measures).digest == DIGEST


@cache
def rank_with(broken: frozenset[str]) -> int:
    """The verdict's place in `ORDER` with these rules broken."""
    chosen = {(m.check, m.subject): m for m in (BROKEN[name][0] for name in sorted(broken))}
    kept = [m for m in honest_measures() if (m.check, m.subject) not in chosen]
    return ORDER.index(judged([*kept, *chosen.values()]).verdict)


@given(st.sets(st.sampled_from(sorted(BROKEN)), max_size=5), st.sampled_from(sorted(BROKEN)))
def test_one_more_failing_measure_never_improves_the_verdict(names: set[str], more: str) -> None:
    worse = rank_with(frozenset(names | {more}))
    assert worse >= rank_with(frozenset(names))
    assert worse == ORDER.index("fail")


@given(st.sets(st.sampled_from(range(len(honest_measures())))))
def test_leaving_measures_out_never_turns_into_a_pass(left_out: set[int]) -> None:
    measures = [measure for number, measure in enumerate(honest_measures()) if number not in left_out]
    required = {m.name for number, m in enumerate(honest_measures()) if number in left_out and "sex" not in m.subject}
    verdict = judged(measures).verdict
    if required - {"controls.safe"}:
        assert verdict == "inconclusive"


APART: dict[str, Any] = {"source": "each organisation for itself"}
LEFT_GATES = ("G4", "G5", "G6", "G9", "G10", "G11", "G12")
OF_ROWS = ("membership", "linkability", "inference", "copies", "marginals", "coverage", "usefulness", "bias")


def of_no_row() -> list[Measure]:
    """What a coordinator has under a budget: nothing that depends on a real row."""
    return [m for m in honest_measures() if not m.check.startswith(OF_ROWS)]


@pytest.mark.parametrize("name", policy_names())
def test_under_a_budget_what_needs_real_rows_is_left_to_the_organisations(name: str) -> None:
    decision = judged(of_no_row(), policy=name, **APART)
    assert decision.verdict == load_policy(name).best
    aside = {result.gate: result.reasons for result in decision.gates if result.outcome == "not applicable"}
    assert aside == dict.fromkeys(LEFT_GATES, (LEFT,))
    assert left_in(decision) == load_policy(name).left_to_organisations == LEFT_GATES


@pytest.mark.parametrize("source", ["pooled sums of organisations", "one organisation for itself"])
def test_whoever_has_figures_of_rows_leaves_no_gate_to_others(source: str) -> None:
    assert judged(of_no_row(), source=source).failing == LEFT_GATES
    assert judged(of_no_row(), source=source).verdict == "inconclusive"


def test_without_a_budget_no_gate_is_left_to_the_organisations() -> None:
    decision = judged(of_no_row(), policy="non-private", privacy="none", **APART)
    assert set(LEFT_GATES) <= set(decision.failing)


@pytest.mark.parametrize("name", BROKEN, ids=str)
def test_what_was_measured_and_fails_fails_under_a_budget_too(name: str) -> None:
    measure, gate, _ = BROKEN[name]
    kept = [m for m in of_no_row() if (m.check, m.subject) != (measure.check, measure.subject)]
    decision = judged([*kept, measure], **APART)
    assert decision.failing == (gate,)
    assert decision.verdict == "fail"


@given(st.sets(st.sampled_from(range(len(honest_measures())))), st.sets(st.sampled_from(sorted(BROKEN)), max_size=3))
def test_apart_no_verdict_is_better_for_what_was_left_out(left_out: set[int], broken: set[str]) -> None:
    chosen = {(m.check, m.subject): m for m in (BROKEN[name][0] for name in sorted(broken))}
    honest = [m for number, m in enumerate(honest_measures()) if number not in left_out]
    kept = [m for m in honest if (m.check, m.subject) not in chosen]
    decision = judged([*kept, *chosen.values()], **APART)
    assert (decision.verdict == "fail") == bool(broken)
    missing = {m.name for number, m in enumerate(honest_measures()) if number in left_out}
    needed = {m.name for m in of_no_row()} - {"controls.safe"}
    if not broken and missing & needed:
        assert decision.verdict == "inconclusive"
