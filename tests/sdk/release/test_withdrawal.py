"""The notice of withdrawal: believed from the coordinator about this very release, and from nobody else."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError

from headwater.agreement.signing import public_key_hex, sign
from headwater.agreement.succession import CharterHistory
from headwater.errors import ReleaseRefused
from headwater.release.manifest import MANIFEST_KIND, Manifest
from headwater.release.verification import read_manifest
from headwater.release.withdrawal import (
    MAXIMUM_WITHDRAWAL_BYTES,
    SignedWithdrawal,
    Withdrawal,
    stays_when_withdrawn,
    verify_withdrawal,
)
from support.releases import Consortium, make_consortium, make_table, publish
from support.succession import following, signed_by

WHEN = "2026-11-22T10:00:00Z"
WHY = "Two columns were swapped in the encoder."


@pytest.fixture(scope="module")
def consortium() -> Consortium:
    return make_consortium()


@pytest.fixture(scope="module")
def manifest(consortium: Consortium, tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    folder: Path = publish(tmp_path_factory.mktemp("releases"), consortium, make_table(60)).folder
    return read_manifest((folder / "manifest.json").read_bytes()).manifest


def notice(manifest: Manifest, **changes: object) -> Withdrawal:
    said = {"name": manifest.name, "version": manifest.version, "release": manifest.digest, "withdrawn": WHEN}
    return Withdrawal.model_validate({**said, "reason": WHY, **changes})


def test_notice_of_the_coordinator_is_believed(consortium: Consortium, manifest: Manifest) -> None:
    signed = SignedWithdrawal.sign(notice(manifest, replaced_by=2), consortium.coordinator_key)
    charter = consortium.charter.charter
    for trusted in (charter, charter.coordinator_key, CharterHistory((consortium.charter,))):
        said = verify_withdrawal(signed.to_bytes(), manifest, trusted)
        assert (said.reason, said.replaced_by) == (WHY, 2)


def test_notice_of_anybody_else_is_not(consortium: Consortium, manifest: Manifest) -> None:
    stranger = Ed25519PrivateKey.generate()
    signed = SignedWithdrawal.sign(notice(manifest), stranger)
    with pytest.raises(ReleaseRefused, match="not the consortium's coordinator's"):
        verify_withdrawal(signed.to_bytes(), manifest, consortium.charter.charter)
    named = signed.model_copy(update={"coordinator_key": consortium.charter.charter.coordinator_key})
    with pytest.raises(ReleaseRefused, match="not the consortium's coordinator's"):
        verify_withdrawal(named.to_bytes(), manifest, consortium.charter.charter)


def test_signature_over_another_kind_of_document_does_not_serve(consortium: Consortium, manifest: Manifest) -> None:
    said = notice(manifest)
    key = consortium.coordinator_key
    signed = SignedWithdrawal(
        withdrawal=said,
        coordinator_key=public_key_hex(key),
        coordinator_signature=sign(key, MANIFEST_KIND, said.to_bytes()),
    )
    with pytest.raises(ReleaseRefused, match="not the consortium's coordinator's"):
        verify_withdrawal(signed.to_bytes(), manifest, consortium.charter.charter)


@pytest.mark.parametrize("changes", [{"version": 2}, {"name": "other"}, {"release": "0" * 64}])
def test_notice_of_another_release_is_refused(
    consortium: Consortium, manifest: Manifest, changes: dict[str, object]
) -> None:
    signed = SignedWithdrawal.sign(notice(manifest, **changes), consortium.coordinator_key)
    with pytest.raises(ReleaseRefused, match="tell the consortium"):
        verify_withdrawal(signed.to_bytes(), manifest, consortium.charter.charter)


@pytest.mark.parametrize(
    ("reason", "sentence", "clause"),
    [
        (WHY, WHY, WHY.rstrip(".")),
        ("two columns were swapped", "Two columns were swapped.", "two columns were swapped"),
        ("Who could know?", "Who could know?", "Who could know"),
        ("..........", "..........", ".........."),
    ],
)
def test_a_reason_reads_as_one_sentence(manifest: Manifest, reason: str, sentence: str, clause: str) -> None:
    said = notice(manifest, reason=reason)
    assert (said.sentence, said.clause) == (sentence, clause)


def test_a_changed_reason_is_refused(consortium: Consortium, manifest: Manifest) -> None:
    signed = SignedWithdrawal.sign(notice(manifest), consortium.coordinator_key)
    data = signed.to_bytes().replace(b"swapped", b"perfect")
    with pytest.raises(ReleaseRefused, match="not the consortium's coordinator's"):
        verify_withdrawal(data, manifest, consortium.charter.charter)


@pytest.mark.parametrize("data", [b"", b"{}", b"[" * 5000, b"\xff", b" " * (MAXIMUM_WITHDRAWAL_BYTES + 1)])
def test_what_is_no_notice_is_refused(consortium: Consortium, manifest: Manifest, data: bytes) -> None:
    with pytest.raises(ReleaseRefused, match=r"withdrawn\.json"):
        verify_withdrawal(data, manifest, consortium.charter.charter)


def test_a_later_coordinator_may_withdraw_and_a_former_one_may_not(tmp_path: Path) -> None:
    world, later = make_consortium(), Ed25519PrivateKey.generate()
    second = following(world.charter.charter, coordinator_key=public_key_hex(later))
    signed = signed_by(second, later, world.keys, former_coordinator=world.coordinator_key)
    history = CharterHistory((world.charter, signed))
    folder = publish(tmp_path, world, make_table(60)).folder
    before = read_manifest((folder / "manifest.json").read_bytes()).manifest
    assert verify_withdrawal(SignedWithdrawal.sign(notice(before), later).to_bytes(), before, history).reason == WHY
    provenance = before.provenance.model_copy(update={"charter_digest": second.digest})
    after = before.model_copy(update={"provenance": provenance})
    assert verify_withdrawal(SignedWithdrawal.sign(notice(after), later).to_bytes(), after, history).reason == WHY
    with pytest.raises(ReleaseRefused, match="not the consortium's coordinator's"):
        verify_withdrawal(SignedWithdrawal.sign(notice(after), world.coordinator_key).to_bytes(), after, history)


@pytest.mark.parametrize(
    "changes", [{"reason": "short"}, {"reason": "a line\nand another one"}, {"replaced_by": 1}, {"withdrawn": "now"}]
)
def test_a_notice_that_says_nothing_is_none(manifest: Manifest, changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        notice(manifest, **changes)


def test_rows_go_and_evidence_stays() -> None:
    gone = (
        "data.parquet",
        "data.csv.gz",
        "plots/001-age.svg",
        "generator/bundle.json",
        "balanced/data.parquet",
        "statistics.json",
    )
    stay = ("manifest.json", "README.md", "audit.json", "attestation.json", "SHA256SUMS")
    assert not any(stays_when_withdrawn(path) for path in gone)
    assert all(stays_when_withdrawn(path) for path in stay)
