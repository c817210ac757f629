"""Receipts beside a release: the chain that it was signed with, or refused."""

from pathlib import Path

import pytest

from headwater.agreement.receipt_check import check_receipts
from headwater.errors import InputError, ReleaseRefused
from headwater.release import Verification, verify_release
from headwater.release.evidence import FederationFacts
from headwater.release.receipts import read_receipts, verify_receipts
from support.audited_release import audit_of, evidence_on, pending_release, sign_release
from support.fuzzing.agreed import receipt_file
from support.releases import make_consortium, make_table, publish

FILE = receipt_file()
CHECKED = check_receipts(FILE)


def verified(folder: Path, receipts: str, **provenance: str) -> Verification:
    """A verified release signed with these receipts, of the run that the receipts are of unless told otherwise."""
    consortium = make_consortium()
    federation = FederationFacts(organisations=3, threshold=3, receipts=receipts)
    pending = pending_release(folder, consortium, audit_of(evidence_on(make_table(), federation=federation)))
    sign_release(pending, consortium)
    verification = verify_release(folder, consortium.charter.charter)
    manifest = verification.manifest
    run = {"run_id": CHECKED.run_id, "plan_digest": CHECKED.plan.digest} | provenance
    changed = manifest.model_copy(update={"provenance": manifest.provenance.model_copy(update=run)})
    return Verification(
        manifest=changed,
        digest=verification.digest,
        coordinator_key=verification.coordinator_key,
        charter_digest=verification.charter_digest,
        replay=verification.replay,
        audit=verification.audit,
        organisations=verification.organisations,
    )


def test_receipts_of_the_release_are_recognised(tmp_path: Path) -> None:
    said = verify_receipts(verified(tmp_path / "1", CHECKED.head), FILE)
    assert (
        said == f"The {len(CHECKED.rounds)} receipts of {CHECKED.member} are the chain that the release was signed with"
    )


def test_receipts_that_end_elsewhere_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ReleaseRefused, match="a round is missing on one side"):
        verify_receipts(verified(tmp_path / "1", "e" * 64), FILE)


def test_receipts_of_another_run_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ReleaseRefused, match="the receipts are of run"):
        verify_receipts(verified(tmp_path / "1", CHECKED.head, run_id="0" * 32), FILE)


def test_receipts_that_were_cut_are_refused(tmp_path: Path) -> None:
    cut = FILE.model_copy(update={"documents": FILE.documents[1:]})
    with pytest.raises(ReleaseRefused, match="the receipts do not hold"):
        verify_receipts(verified(tmp_path / "1", CHECKED.head), cut)


def test_a_release_without_an_audit_names_no_receipts(tmp_path: Path) -> None:
    consortium = make_consortium()
    folder = publish(tmp_path, consortium).folder
    with pytest.raises(InputError, match="names no receipts"):
        verify_receipts(verify_release(folder, consortium.charter.charter), FILE)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_receipts(tmp_path / "nowhere.json")
