"""Signatures of organisations: what is signed, by whom, and every way in which it is refused."""

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.agreement.signing import public_key_hex
from headwater.canonical import sha256_hex
from headwater.errors import InputError, ReleaseRefused
from headwater.release import verify_release
from headwater.release.attestation import PREDICATE_TYPE, STATEMENT_TYPE
from headwater.release.dsse import envelope_of, read_envelope, sign_statement
from headwater.release.layout import ATTESTATION
from support.audited_release import Pending, pending_release, sign_release
from support.releases import Consortium, make_consortium


@pytest.fixture(scope="module")
def consortium() -> Consortium:
    return make_consortium()


@pytest.fixture
def pending(tmp_path: Path, consortium: Consortium) -> Pending:
    return pending_release(tmp_path / "visits" / "1", consortium)


def refused(pending: Pending, consortium: Consortium, words: str) -> None:
    with pytest.raises(ReleaseRefused, match=words):
        verify_release(pending.folder, consortium.charter.charter)


def put(pending: Pending, signatures: dict[str, str]) -> None:
    (pending.folder / ATTESTATION).write_bytes(envelope_of(pending.statement, signatures))


def test_a_release_that_the_quorum_signed_is_verified(pending: Pending, consortium: Consortium) -> None:
    sign_release(pending, consortium)
    verification = verify_release(pending.folder, consortium.charter.charter)
    assert verification.organisations == ("east", "north", "west")
    assert verification.signatures == "signed by the coordinator and 3 organisations: east, north, west"
    assert verification.audit == pending.audit


def test_the_statement_is_in_toto_on_every_published_file(pending: Pending) -> None:
    statement = json.loads(pending.statement)
    assert (statement["_type"], statement["predicateType"]) == (STATEMENT_TYPE, PREDICATE_TYPE)
    files = {
        path.relative_to(pending.folder).as_posix(): {"sha256": sha256_hex(path.read_bytes())}
        for path in pending.folder.rglob("*")
        if path.is_file() and path.name not in ("SHA256SUMS", ATTESTATION)
    }
    assert {subject["name"]: subject["digest"] for subject in statement["subject"]} == files
    predicate = statement["predicate"]
    assert predicate["federation"]["threshold"] == 3
    assert predicate["federation"]["receipts"] == "e" * 64
    assert predicate["privacy"]["epsilon"] == 0.9995
    assert predicate["privacy"]["ledgers"] == ["d" * 64]
    assert predicate["canaries"] == ["f" * 64]
    log = pending.audit.attempts
    assert predicate["audit"]["attempts"] == {"count": 2, "last": log[-1].digest}
    assert predicate["audit"]["sha256"] == files["audit.json"]["sha256"]
    assert [entry["name"] for entry in predicate["data"]] == ["data.parquet"]


def test_the_envelope_is_dsse_as_its_specification_says(pending: Pending, consortium: Consortium) -> None:
    envelope = json.loads((pending.folder / ATTESTATION).read_bytes())
    assert set(envelope) == {"payload", "payloadType", "signatures"}
    payload, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"].encode()
    # DSSE 1.0, "PAE": written out, so that our verifying does not rest on one library alone.
    message = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
    (signature,) = envelope["signatures"]
    assert signature["keyid"] == public_key_hex(consortium.coordinator_key)
    consortium.coordinator_key.public_key().verify(base64.b64decode(signature["sig"]), message)


@pytest.mark.parametrize("members", [(), ("east",), ("east", "west")])
def test_too_few_signatures_are_refused(pending: Pending, consortium: Consortium, members: tuple[str, ...]) -> None:
    sign_release(pending, consortium, members)
    refused(
        pending, consortium, rf"{len(members)} of 3 organisations signed the release and 3 must; not signed by .*north"
    )


def test_a_smaller_quorum_of_the_charter_suffices(tmp_path: Path) -> None:
    consortium = make_consortium()
    smaller = consortium.charter.charter.model_copy(update={"release_quorum": 2})
    charter = consortium.charter.model_copy(update={"charter": smaller})
    two = Consortium(charter, consortium.coordinator_key, consortium.keys)
    pending = pending_release(tmp_path / "1", two)
    sign_release(pending, two, ("east", "west"))
    assert verify_release(pending.folder, smaller).organisations == ("east", "west")


def test_a_stranger_s_signature_is_refused(pending: Pending, consortium: Consortium) -> None:
    signatures = sign_release(pending, consortium)
    stranger = Ed25519PrivateKey.generate()
    put(pending, signatures | {public_key_hex(stranger): sign_statement(stranger, pending.statement)})
    refused(pending, consortium, "which is nobody's in the charter")


def test_a_member_who_signs_twice_is_refused(pending: Pending, consortium: Consortium) -> None:
    sign_release(pending, consortium, ("east", "north"))
    envelope = json.loads((pending.folder / ATTESTATION).read_bytes())
    east = public_key_hex(consortium.keys["east"])
    envelope["signatures"] += [made for made in envelope["signatures"] if made["keyid"] == east]
    (pending.folder / ATTESTATION).write_text(json.dumps(envelope, indent=1) + "\n")
    refused(pending, consortium, f"signed by key {east[:16]}… twice")


def test_nothing_rides_along_in_the_envelope(pending: Pending, consortium: Consortium) -> None:
    sign_release(pending, consortium)
    envelope = json.loads((pending.folder / ATTESTATION).read_bytes()) | {"note": "trust me"}
    (pending.folder / ATTESTATION).write_text(json.dumps(envelope, indent=1) + "\n")
    refused(pending, consortium, "holds more than a statement and its signatures")


def test_without_the_coordinator_it_is_refused(pending: Pending, consortium: Consortium) -> None:
    signatures = sign_release(pending, consortium)
    del signatures[public_key_hex(consortium.coordinator_key)]
    put(pending, signatures)
    refused(pending, consortium, "not signed by the charter's coordinator")


def test_a_signature_on_another_statement_is_refused(pending: Pending, consortium: Consortium) -> None:
    signatures = sign_release(pending, consortium, ("east", "north"))
    west = consortium.keys["west"]
    put(pending, signatures | {public_key_hex(west): sign_statement(west, pending.statement + b" ")})
    refused(pending, consortium, r"signature of west on attestation\.json is wrong")


def test_a_signature_of_a_charter_does_not_serve(pending: Pending, consortium: Consortium) -> None:
    signatures = sign_release(pending, consortium, ("east", "north"))
    put(pending, signatures | {public_key_hex(consortium.keys["west"]): consortium.charter.signatures["west"]})
    refused(pending, consortium, r"signature of west on attestation\.json is wrong")


def test_an_attestation_of_another_release_is_refused(tmp_path: Path, pending: Pending, consortium: Consortium) -> None:
    other = pending_release(tmp_path / "other", consortium, created="2026-11-21T13:00:00Z")
    sign_release(other, consortium)
    (pending.folder / ATTESTATION).write_bytes((other.folder / ATTESTATION).read_bytes())
    refused(pending, consortium, r"on other files than manifest\.json and audit\.json")


def test_an_attestation_that_is_missing_or_garbled_is_refused(pending: Pending, consortium: Consortium) -> None:
    (pending.folder / ATTESTATION).write_bytes(b"{}")
    refused(pending, consortium, "the attestation is no DSSE envelope")
    (pending.folder / ATTESTATION).unlink()
    refused(pending, consortium, r"attestation\.json is missing")


def test_a_bare_key_does_not_verify_what_organisations_signed(pending: Pending, consortium: Consortium) -> None:
    sign_release(pending, consortium)
    with pytest.raises(InputError, match="verify it under the charter"):
        verify_release(pending.folder, public_key_hex(consortium.coordinator_key))


def test_an_envelope_of_ten_thousand_signatures_is_read_at_once(pending: Pending) -> None:
    # In steps that grow with the square of the signatures this would take minutes.
    payload, _ = read_envelope((pending.folder / ATTESTATION).read_bytes())
    many = {f"{number:064x}": "00" * 64 for number in range(10_000)}
    assert len(read_envelope(envelope_of(payload, many))[1]) == 10_000
