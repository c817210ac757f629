"""Charter, plan and decisions: what is refused, whoever signed it."""

import json
from collections.abc import Mapping

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import TypeAdapter, ValidationError

from headwater.agreement.approval import Approval, RunProposal, SignedApproval, SignedProposal
from headwater.agreement.charter import Charter, Member, SignedCharter
from headwater.agreement.documents import Instant
from headwater.agreement.plan import Plan
from headwater.agreement.signing import fingerprint, is_signed_by, public_key_hex, sign
from headwater.errors import InputError, PeerError
from support.consortium import CREATED, SMALL_SCHEMA, ConsortiumInMemory

RUN = "ab" * 16


def plan(**changes: object) -> Plan:
    fields: dict[str, object] = {
        "name": "visits",
        "schema": SMALL_SCHEMA,
        "aggregation": {"on_membership_change": "strict"},
        "privacy": "none",
        "stub_sha256": "0" * 64,
    }
    return Plan.model_validate(fields | changes)


def proposal_of(world: ConsortiumInMemory) -> SignedProposal:
    proposal = RunProposal(run_id=RUN, plan=plan(), charter_digest=world.charter().digest, created=CREATED)
    return SignedProposal.sign(proposal, world.coordinator_key)


def decision(member: str = "org-1", **changes: object) -> Approval:
    fields = {"run_id": RUN, "plan_digest": plan().digest, "member": member, "decision": "approve", "created": CREATED}
    return Approval.model_validate(fields | changes)


def test_signature_serves_one_kind_of_document_only() -> None:
    key = Ed25519PrivateKey.generate()
    signature = sign(key, "charter", b"data")
    assert is_signed_by(public_key_hex(key), "charter", b"data", signature)
    assert not is_signed_by(public_key_hex(key), "plan", b"data", signature)
    assert not is_signed_by(public_key_hex(key), "charter", b"datb", signature)
    assert not is_signed_by("zz", "charter", b"data", signature)


def test_fingerprint_shows_the_whole_key() -> None:
    key = public_key_hex(Ed25519PrivateKey.generate())
    assert fingerprint(key).replace(" ", "") == key
    with pytest.raises(InputError):
        fingerprint(key[:-2])


def test_charter_is_in_force_with_every_members_signature_and_not_before() -> None:
    world = ConsortiumInMemory()
    world.signed_charter().verify()
    missing = world.signed_charter(without=("org-2",))
    missing.check_signatures()
    with pytest.raises(PeerError, match="org-2"):
        missing.verify()


def test_charter_with_a_forged_or_strange_signature_is_refused() -> None:
    world, signed = ConsortiumInMemory(), ConsortiumInMemory().signed_charter()
    ours = world.signed_charter()
    forged = SignedCharter(
        charter=ours.charter, coordinator_signature=ours.coordinator_signature, signatures=signed.signatures
    )
    with pytest.raises(PeerError, match="wrong"):
        forged.verify()
    with pytest.raises(PeerError, match="no member"):
        ours.with_signature("org-9", ours.signatures["org-1"])
    other = SignedCharter(
        charter=ours.charter, coordinator_signature=signed.coordinator_signature, signatures=ours.signatures
    )
    with pytest.raises(PeerError, match="coordinator"):
        other.verify()


def test_charter_that_cannot_protect_anybody_is_no_charter() -> None:
    world = ConsortiumInMemory()
    charter = world.charter()
    fields = charter.model_dump()

    def refused(**changes: object) -> None:
        with pytest.raises(ValidationError):
            Charter.model_validate(fields | changes)

    refused(members=fields["members"][:2])
    refused(members=tuple(reversed(fields["members"])))
    refused(members=(*fields["members"], fields["members"][0]))
    refused(minimum_cohort=2)
    refused(minimum_cohort=4)
    refused(colluders=0)
    refused(version=2)
    refused(unknown=1)
    shared = [dict(member) for member in fields["members"]]
    shared[1]["identity_key"] = shared[0]["identity_key"]
    refused(members=shared)
    shared[1]["identity_key"] = fields["coordinator_key"]
    refused(members=shared)


def test_document_has_one_spelling_and_one_digest() -> None:
    charter = ConsortiumInMemory().charter()
    assert Charter.from_bytes(charter.to_bytes()) == charter
    spaced = json.dumps(json.loads(charter.to_bytes())).encode()
    with pytest.raises(InputError, match="canonical"):
        Charter.from_bytes(spaced)
    for junk in (b"", b"{", b"[]", b"\xff", b"[" * 100_000):
        with pytest.raises(InputError):
            Charter.from_bytes(junk)


def test_plan_survives_toml_with_its_digest() -> None:
    assert Plan.from_toml(plan().to_toml()).digest == plan().digest
    assert Plan.from_bytes(plan().to_bytes()) == plan()


@pytest.mark.parametrize(
    "changes",
    [
        {"privacy": "some"},
        {"aggregation": {"on_membership_change": "lenient"}},
        {"aggregation": {"on_membership_change": "strict", "minimum_cohort": 2}},
        {"aggregation": {"on_membership_change": "strict", "ring_bits": 48}},
        {"splits": {"train": 0.9, "validation": 0.2, "audit": 0.05}},
        {"recipe": {"kind": "magic"}},
        {"name": "../../etc"},
        {"stub_sha256": "0" * 63},
    ],
)
def test_plan_that_promises_what_is_not_there_is_refused(changes: Mapping[str, object]) -> None:
    with pytest.raises((ValidationError, InputError)):
        plan(**changes)


def test_plan_without_a_word_on_privacy_is_refused() -> None:
    text = plan().to_toml().replace('privacy = "none"\n', "")
    with pytest.raises(InputError, match="privacy"):
        Plan.from_toml(text)


def test_plan_without_a_word_on_changing_members_is_refused() -> None:
    text = plan().to_toml().replace('on_membership_change = "strict"\n', "")
    with pytest.raises(InputError, match="on_membership_change"):
        Plan.from_toml(text)


def test_every_field_of_a_plan_moves_its_digest() -> None:
    strict = {"on_membership_change": "strict"}
    digests = {plan().digest, plan(seed=1).digest, plan(rows=5).digest, plan(name="other").digest}
    digests |= {plan(recipe={"rounds": 9}).digest, plan(aggregation={**strict, "retries": 1}).digest}
    digests |= {plan(aggregation={**strict, "ring_bits": 64}).digest}
    digests |= {plan(aggregation={"on_membership_change": "continue"}).digest}
    assert len(digests) == 8


def test_proposal_is_held_to_charter_and_coordinator() -> None:
    world = ConsortiumInMemory()
    signed = proposal_of(world)
    signed.verify(world.charter())
    with pytest.raises(PeerError, match="was proposed under charter"):
        signed.verify(ConsortiumInMemory().charter())
    forged = SignedProposal.sign(signed.proposal, Ed25519PrivateKey.generate())
    with pytest.raises(PeerError, match="not signed"):
        forged.verify(world.charter())


def test_decision_counts_for_its_run_and_plan_by_its_member_only() -> None:
    world = ConsortiumInMemory()
    charter, proposal = world.charter(), proposal_of(world).proposal
    SignedApproval.sign(decision(), world.keys["org-1"]).verify(charter, proposal)
    cases = [
        (decision(), world.keys["org-2"], "not signed by its key"),
        (decision("org-9"), world.keys["org-1"], "not a member"),
        (decision(run_id="cd" * 16), world.keys["org-1"], "another run or plan"),
        (decision(plan_digest="1" * 64), world.keys["org-1"], "another run or plan"),
    ]
    for approval, key, line in cases:
        with pytest.raises(PeerError, match=line):
            SignedApproval.sign(approval, key).verify(charter, proposal)


def test_refusal_cannot_be_turned_into_an_approval() -> None:
    world = ConsortiumInMemory()
    refused = SignedApproval.sign(decision(decision="refuse"), world.keys["org-1"])
    turned = SignedApproval(approval=decision(), signature=refused.signature)
    with pytest.raises(PeerError):
        turned.verify(world.charter(), proposal_of(world).proposal)


def test_member_lookup_names_who_is_there() -> None:
    charter = ConsortiumInMemory().charter()
    assert isinstance(charter.member("org-2"), Member)
    with pytest.raises(InputError, match="org-1, org-2, org-3"):
        charter.member("org-7")


@pytest.mark.parametrize("moment", ["٢٠٢٠-01-01T00:00:00Z", "9999-99-99T00:00:00Z", "2026-02-30T00:00:00Z"])
def test_an_instant_is_a_moment_that_there_is(moment: str) -> None:
    # Instants are compared as text: digits of another script would sort after all others.
    assert TypeAdapter(Instant).validate_python("2026-02-28T00:00:00Z")
    with pytest.raises(ValidationError):
        TypeAdapter(Instant).validate_python(moment)
