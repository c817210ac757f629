"""Decisions on a release: signed by a member, complete, and counted against the charter's quorum."""

import pytest
from pydantic import ValidationError

from headwater.agreement.release_decision import SignedReleaseDecision, Standing, tally_release
from headwater.errors import InputError, PeerError
from support.consortium import ConsortiumInMemory

WORLD = ConsortiumInMemory(4)
DIGEST = "d1" * 32


def test_a_member_s_decision_is_verified_and_comes_back_from_its_bytes() -> None:
    signed = WORLD.release_decision(DIGEST, verdicts={"G4": "pass", "G9": "inconclusive"})
    signed.verify(WORLD.charter())
    assert SignedReleaseDecision.from_bytes(signed.to_bytes()) == signed


def test_a_stranger_and_a_forger_are_refused() -> None:
    other = ConsortiumInMemory(5)
    with pytest.raises(PeerError, match="not a member"):
        other.release_decision(DIGEST, "org-5").verify(WORLD.charter())
    with pytest.raises(PeerError, match="not signed by its key"):
        other.release_decision(DIGEST, "org-1").verify(WORLD.charter())


def test_a_changed_verdict_breaks_the_signature() -> None:
    signed = WORLD.release_decision(DIGEST, verdicts={"G4": "pass"})
    changed = signed.model_copy(update={"decision": signed.decision.model_copy(update={"verdicts": {"G4": "warn"}})})
    with pytest.raises(PeerError, match="not signed by its key"):
        changed.verify(WORLD.charter())


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"decision": "refuse", "reason": " "}, "a refusal says why"),
        ({"verdicts": {"G4": "fail"}}, "against the member's own audit says why"),
        ({"verdicts": {"G4": "0.031"}}, "G4"),
        ({"verdicts": {"membership": "pass"}}, "membership"),
        ({"reason": "x" * 1001}, "1000"),
    ],
)
def test_nothing_but_verdicts_and_reasons_stands_in_it(changes: dict[str, object], line: str) -> None:
    with pytest.raises(ValidationError, match=line):
        WORLD.release_decision(DIGEST, **changes)  # type: ignore[arg-type]


def test_an_approval_carries_a_signature_over_the_statement_and_a_refusal_none() -> None:
    approval, refusal = WORLD.release_decision(DIGEST), WORLD.release_decision(DIGEST, decision="refuse")
    for wrong in (
        approval.model_copy(update={"statement_signature": None}),
        refusal.model_copy(update={"statement_signature": "00" * 64}),
    ):
        with pytest.raises(InputError, match="an approval carries a signature"):
            SignedReleaseDecision.from_bytes(wrong.to_bytes())


def test_the_tally_waits_until_a_quorum_or_until_none_can_be() -> None:
    charter = WORLD.charter()
    said = [WORLD.release_decision(DIGEST, member).decision for member in ("org-1", "org-2", "org-3")]
    assert tally_release(charter, []).standing is Standing.WAITING
    assert tally_release(charter, said[:2]).in_words == (
        "waits for 1 of 3 signatures; signed by org-1, org-2; not decided by org-3, org-4"
    )
    assert tally_release(charter, said).standing is Standing.APPROVED
    refusals = [WORLD.release_decision(DIGEST, member, "refuse").decision for member in ("org-3", "org-4")]
    assert tally_release(charter, said[:2] + refusals[:1]).standing is Standing.WAITING
    ended = tally_release(charter, said[:2] + refusals)
    assert ended.standing is Standing.REFUSED
    assert ended.in_words == "refused by org-3, org-4: 3 of 4 signatures cannot be reached"
