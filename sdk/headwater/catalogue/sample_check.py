"""Rows on request checked again, offline: the file, what the coordinator signed about it, and the release it is of."""

from collections.abc import Sequence
from pathlib import Path

from headwater.agreement.succession import CharterHistory
from headwater.catalogue.known import pinned_history, read_catalogues
from headwater.errors import ReleaseRefused
from headwater.release import Manifest, SignedManifest
from headwater.release.layout import MAXIMUM_MANIFEST_BYTES
from headwater.release.sample_statement import (
    MAXIMUM_STATEMENT_BYTES,
    SampleStatement,
    SignedSampleStatement,
    read_sample_statement,
)
from headwater.release.verification import read_manifest, verify_manifest

__all__ = ["RELEASE_SUFFIX", "STATEMENT_SUFFIX", "check_statement", "samples_in", "verify_sample"]

STATEMENT_SUFFIX = ".statement.json"
"""What is added to a sample's name for what the coordinator signed about it."""

RELEASE_SUFFIX = ".release.json"
"""What is added to a sample's name for the signed manifest of the release that its generator is of."""


def samples_in(place: Path) -> Sequence[Path]:
    """Samples with a statement beside them: the file itself, or all of a folder; empty where there is none."""
    if place.is_dir():
        return sorted(
            each.with_name(each.name.removesuffix(STATEMENT_SUFFIX)) for each in place.glob(f"*{STATEMENT_SUFFIX}")
        )
    return [place] if place.with_name(place.name + STATEMENT_SUFFIX).is_file() else []


def verify_sample(home: Path, file: Path) -> SampleStatement:
    """Check a sample and all that was signed about it, without a network.

    Args:
        home: the researcher's folder, with the pinned charters.
        file: the rows; statement and signed manifest stand beside it, as `request_sample` leaves them.

    Raises:
        InputError: the charter of its release is not pinned here.
        ReleaseRefused: something is missing, not what was signed, or signed by nobody of the charter.
    """
    release = read_manifest(_beside(file, RELEASE_SUFFIX, MAXIMUM_MANIFEST_BYTES))
    history = _history_of(home, release)
    manifest = verify_manifest(release, history)
    signed = read_sample_statement(_beside(file, STATEMENT_SUFFIX, MAXIMUM_STATEMENT_BYTES))
    said = check_statement(signed, manifest, history)
    if file.is_symlink() or not file.is_file():
        raise ReleaseRefused(f"{file} is missing, of which a statement is signed; ask for it again")
    signed.check_file(file)
    return said


def check_statement(signed: SignedSampleStatement, manifest: Manifest, history: CharterHistory) -> SampleStatement:
    """Check a statement under the charter of its release, or a later version of it.

    Raises:
        ReleaseRefused: another key signed, the signature is wrong, or it is about another release.
    """
    charter = history.find(manifest.provenance.charter_digest) or history.newest
    # The coordinator's key may have changed since the release was made, by a later version of its charter.
    later = [each.charter.coordinator_key for each in history.charters if each.charter.version >= charter.version]
    return signed.verify(manifest, signed.coordinator_key if signed.coordinator_key in later else later[0])


def _history_of(home: Path, release: SignedManifest) -> CharterHistory:
    claimed = release.manifest.provenance.charter_digest
    for known in read_catalogues(home):
        history = pinned_history(home, known.charter)
        if history.find(claimed) is not None:
            return history
    return pinned_history(home, claimed)


def _beside(file: Path, suffix: str, limit_bytes: int) -> bytes:
    path = file.with_name(file.name + suffix)
    if path.is_symlink() or not path.is_file():
        raise ReleaseRefused(f"{path} is missing, without which {file.name} cannot be verified; ask for it again")
    with path.open("rb") as opened:
        return opened.read(limit_bytes + 1)
