"""Holding a run's receipts to the digest that its audited release signs."""

from pathlib import Path

from headwater.agreement.receipt_check import check_receipts
from headwater.agreement.receipt_file import ReceiptFile
from headwater.errors import InputError, PeerError, ReleaseRefused
from headwater.release.attacked import check_attacked_in, read_data
from headwater.release.layout import DATA
from headwater.release.verification import Verification

__all__ = ["read_receipts", "verify_receipts"]


def read_receipts(path: Path) -> ReceiptFile:
    """Read exported receipts.

    Raises:
        InputError: there is no such file, or it holds something else.
    """
    try:
        return ReceiptFile.from_bytes(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); `headwater-org receipts` writes it") from error


def verify_receipts(verification: Verification, file: ReceiptFile) -> str:
    """Check that a run's receipts are those that a release was made from.

    Args:
        verification: of the release.
        file: receipts of one member of the run.

    Returns:
        What was checked, in a sentence without its full stop.

    Raises:
        InputError: the release was not audited, so it names no receipts.
        ReleaseRefused: the receipts do not hold together, are of another run or another chain, or no sum in them
            attacked the rows of the release.
    """
    audit = verification.audit
    if audit is None or audit.federation == "none":
        raise InputError("the release was not audited, so it names no receipts to compare with")
    try:
        checked = check_receipts(file)
    except PeerError as error:
        raise ReleaseRefused(f"the receipts do not hold: {error}") from error
    provenance = verification.manifest.provenance
    if (checked.run_id, checked.plan.digest) != (provenance.run_id, provenance.plan_digest):
        raise ReleaseRefused(f"the receipts are of run {checked.run_id}, the release of {provenance.run_id}")
    if checked.head != audit.federation.receipts:
        raise ReleaseRefused(
            f"the receipts of {checked.member} end with {checked.head[:16]}…, the release was signed with "
            f"{audit.federation.receipts[:16]}…: a round is missing on one side; compare with another member"
        )
    said = f"The {len(checked.rounds)} receipts of {checked.member} are the chain that the release was signed with"
    attacked = audit.federation.attacked
    if attacked is None:
        return said
    table = read_data(verification.folder / DATA, checked.plan.schema_)
    own = check_attacked_in(checked, attacked, table)
    return f"{said}, in which {'it and others' if own else 'others'} attacked these very rows"
