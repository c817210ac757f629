"""Waivers: two members, a reason and an expiry; anything less is refused by name."""

import pytest

from headwater.evidence.measure import Measure
from headwater.release.policy import Decision, decide, load_policy
from headwater.release.policy.waiver import SignedWaiver, Waiver
from support.evidences import CANDIDATE, honest_measures, make_evidence, without
from support.releases import make_consortium

NOW = "2026-11-21T12:00:00Z"
DEMO = load_policy("demo")
CONSORTIUM = make_consortium()
KEYS = CONSORTIUM.charter.charter.keys


def waiver(**changes: object) -> Waiver:
    values: dict[str, object] = {
        "gate": "G6",
        "outcome": "inconclusive",
        "policy": DEMO.digest,
        "candidate": CANDIDATE,
        "release": "visits/1",
        "reason": "Sixty rows have no power to find a copy.",
        "expires": "2026-12-31T00:00:00Z",
    }
    return Waiver.model_validate(values | changes)


def signed(by: tuple[str, ...] = ("east", "north"), **changes: object) -> SignedWaiver:
    empty = SignedWaiver(waiver=waiver(**changes), signatures={})
    for member in by:
        empty = empty.with_signature(member, CONSORTIUM.keys[member])
    return empty


POWERLESS = (
    *without("copies.near"),
    Measure(check="copies.near", status="inconclusive", reason="60 rows", needed=4000),
)


def judged(*waivers: SignedWaiver, measures: tuple[Measure, ...] = POWERLESS, now: str = NOW) -> Decision:
    return decide(make_evidence(measures), DEMO, waivers, now=now, keys=KEYS)


def test_a_waived_gate_is_named_and_never_shown_as_passed() -> None:
    assert judged().verdict == "inconclusive"
    decision = judged(signed())
    result = decision.result("G6")
    assert decision.verdict == "pass with warnings"
    assert result is not None
    assert (result.outcome, result.waived) == ("inconclusive", True)
    assert result.reasons == ("copies.near: inconclusive; 4,000 trials are needed",)
    assert decision.refused_waivers == ()


def forged() -> SignedWaiver:
    genuine = signed()
    return genuine.model_copy(update={"signatures": {**genuine.signatures, "north": genuine.signatures["east"]}})


def strangers() -> SignedWaiver:
    genuine = signed()
    return genuine.model_copy(update={"signatures": {**genuine.signatures, "zoe": genuine.signatures["east"]}})


REFUSED: dict[str, tuple[SignedWaiver, str]] = {
    "one-armed": (signed(("east",)), "approved by east alone"),
    "nobody's": (signed(()), "approved by nobody alone"),
    "expired": (signed(expires="2026-11-21T11:59:59Z"), "the waiver of G6 expired at 2026-11-21T11:59:59Z"),
    "another table's": (signed(candidate="b" * 64), "is for another table"),
    "another policy's": (signed(policy="b" * 64), "is for another policy"),
    "of a gate that is never waived": (signed(gate="G7"), "lets nobody waive artefacts"),
    "of a failure": (signed(outcome="fail"), "only where it is inconclusive"),
    "of a gate that is not there": (signed(gate="G99"), "is for another policy"),
    "forged": (forged(), "wrong signature of 'north'"),
    "a stranger's": (strangers(), "'zoe', who is no member"),
}


@pytest.mark.parametrize("name", REFUSED, ids=str)
def test_a_waiver_that_does_not_hold_is_refused_by_name(name: str) -> None:
    given, words = REFUSED[name]
    decision = judged(given)
    assert decision.verdict == "inconclusive"
    assert len(decision.refused_waivers) == 1
    assert words in decision.refused_waivers[0]


def test_a_waiver_holds_to_its_last_second() -> None:
    assert judged(signed(expires=NOW)).verdict == "pass with warnings"
    assert judged(signed(expires=NOW), now="2026-11-21T12:00:01Z").verdict == "inconclusive"


def test_without_the_members_keys_no_waiver_holds() -> None:
    assert decide(make_evidence(POWERLESS), DEMO, (signed(),), now=NOW).verdict == "inconclusive"


def test_a_waiver_of_what_is_inconclusive_covers_no_failure() -> None:
    copied = Measure(check="copies.near", value=0.9, law="test", p_value=1e-9, trials=1000)
    assert judged(signed(), measures=(*without("copies.near"), copied)).verdict == "fail"


def test_a_waiver_may_cover_a_failure_where_the_policy_lets_it() -> None:
    standard = load_policy("standard")
    useless = Measure(check="usefulness", subject="income", value=0.5, law="normal", error=0.01)
    evidence = make_evidence((*without("usefulness"), useless))
    for outcome, verdict in (("fail", "pass with warnings"), ("inconclusive", "fail")):
        given = signed(gate="G11", outcome=outcome, policy=standard.digest)
        assert decide(evidence, standard, (given,), now=NOW, keys=KEYS).verdict == verdict


def test_strict_lets_nobody_waive_an_attack() -> None:
    strict = load_policy("strict")
    assert {gate.id for gate in strict.gates if gate.waivable == "never"} >= {f"G{n}" for n in range(9)}
    given = signed(policy=strict.digest)
    decision = decide(make_evidence(POWERLESS), strict, (given,), now=NOW, keys=KEYS)
    assert (decision.verdict, len(decision.refused_waivers)) == ("inconclusive", 1)


def test_waiving_what_passed_changes_nothing() -> None:
    decision = judged(signed(), measures=honest_measures())
    result = decision.result("G6")
    assert result is not None
    assert (result.outcome, result.waived) == ("pass", False)
