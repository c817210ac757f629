"""Who made a release and who signed it, by the names and keys of its charter."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from headwater.agreement.charter import Charter, SignedCharter
from headwater.agreement.quorum import release_quorum
from headwater.agreement.signing import fingerprint
from headwater.errors import HeadwaterError
from headwater.release.layout import ATTESTATION
from headwater_server.catalogue.index import ReleaseEntry

__all__ = ["Signer", "Signers", "charter_of", "signers_of"]


@dataclass(frozen=True)
class Signer:
    """One party to a release.

    Attributes:
        name: as the charter has it.
        id: of the member, "" for the coordinator and for a key that the charter does not name.
        fingerprint: of its key, in groups of four.
        signed: its signature on attestation.json holds.
    """

    name: str
    id: str
    fingerprint: str
    signed: bool


@dataclass(frozen=True)
class Signers:
    """Everybody who could sign a release.

    Attributes:
        coordinator: who signed the manifest.
        members: of the charter, in its order; empty where the charter is not known here.
        needed: organisations that must sign an audited release; 0 where nothing says so.
        charter_version: of the charter, None where it is not known here.
    """

    coordinator: Signer
    members: Sequence[Signer]
    needed: int
    charter_version: int | None

    @property
    def signed(self) -> int:
        """Organisations whose signature holds."""
        return sum(member.signed for member in self.members)


def charter_of(digest: str, charters: Callable[[int | None], SignedCharter | None]) -> Charter | None:
    """The charter with this digest among all versions that are or were in force; None where there is none."""
    newest = charters(None)
    for version in range(newest.charter.version if newest else 0, 0, -1):
        signed = charters(version)
        if signed is not None and signed.charter.digest == digest:
            return signed.charter
    return None


def signers_of(entry: ReleaseEntry, charters: Callable[[int | None], SignedCharter | None]) -> Signers:
    """Who stands behind a release; each signature is checked, since the page says that it is there.

    A page cannot prove anything to a reader who does not trust its server: `headwater verify` checks again.
    """
    from headwater.release.verification import read_manifest

    charter = charter_of(entry.manifest.provenance.charter_digest, charters)
    manifest = read_manifest((entry.folder / "manifest.json").read_bytes())
    holding = _holding(entry) if entry.manifest.protection.audit != "none" else frozenset()
    coordinator = Signer("The coordinator", "", fingerprint(manifest.coordinator_key), signed=True)
    if charter is None:
        return Signers(coordinator, (), 0, None)
    members = tuple(
        Signer(member.name, member.id, fingerprint(member.identity_key), member.identity_key in holding)
        for member in charter.members
    )
    return Signers(coordinator, members, release_quorum(charter), charter.version)


def _holding(entry: ReleaseEntry) -> frozenset[str]:
    """Keys whose signature on the attestation's own statement holds."""
    from headwater.release.dsse import is_statement_signed_by, read_envelope

    try:
        statement, signatures = read_envelope((entry.folder / ATTESTATION).read_bytes())
    except (HeadwaterError, OSError):
        return frozenset()
    return frozenset(key for key, signature in signatures.items() if is_statement_signed_by(key, statement, signature))
