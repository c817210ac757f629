"""A decision may carry a commitment to canaries, must where the plan plants some, and is as it was without."""

import json

import pytest

from headwater.agreement.approval import Approval, SignedApproval
from headwater.agreement.plan import Plan
from headwater.canonical import canonical_json
from headwater.errors import InputError, PeerError
from support.consortium import CREATED, ConsortiumInMemory

WORLD = ConsortiumInMemory()
RUN = "0f" * 16
COMMITMENT = "ab" * 32
PLANTING = WORLD.plan(audit={"policy": "standard", "settings": {"canaries": 30}})


def approval(plan: Plan, decision: str = "approve", **more: object) -> Approval:
    fields = {"run_id": RUN, "plan_digest": plan.digest, "member": "org-1", "decision": decision, "created": CREATED}
    return Approval.model_validate(fields | more)


def verify(plan: Plan, decided: Approval) -> None:
    SignedApproval.sign(decided, WORLD.keys["org-1"]).verify(WORLD.charter(), WORLD.proposal(plan).proposal)


def test_a_decision_without_canaries_has_the_bytes_that_it_always_had() -> None:
    plan = WORLD.plan()
    before = {
        "version": 1, "run_id": RUN, "plan_digest": plan.digest, "member": "org-1", "decision": "approve",
        "reason": "", "created": CREATED,
    }  # fmt: skip
    assert approval(plan).to_bytes() == canonical_json(before)
    assert Approval.from_bytes(canonical_json(before)) == approval(plan)
    verify(plan, approval(plan))


def test_a_commitment_is_signed_with_the_decision() -> None:
    decided = approval(PLANTING, canary_commitment=COMMITMENT)
    assert json.loads(decided.to_bytes())["canary_commitment"] == COMMITMENT
    assert Approval.from_bytes(decided.to_bytes()) == decided
    signed = SignedApproval.sign(decided, WORLD.keys["org-1"])
    signed.verify(WORLD.charter(), WORLD.proposal(PLANTING).proposal)
    other = decided.model_copy(update={"canary_commitment": "cd" * 32})
    with pytest.raises(PeerError, match="not signed by its key"):
        SignedApproval(approval=other, signature=signed.signature).verify(
            WORLD.charter(), WORLD.proposal(PLANTING).proposal
        )


def test_nobody_approves_a_plan_with_canaries_without_committing_to_them() -> None:
    with pytest.raises(PeerError, match="without committing to its canaries"):
        verify(PLANTING, approval(PLANTING))
    verify(PLANTING, approval(PLANTING, "refuse", reason="not now"))


@pytest.mark.parametrize("wrong", ["ab", "AB" * 32, None])
def test_another_spelling_of_a_commitment_is_none(wrong: str | None) -> None:
    document = json.loads(approval(PLANTING).to_bytes()) | {"canary_commitment": wrong}
    with pytest.raises(InputError):
        Approval.from_bytes(canonical_json(document))
