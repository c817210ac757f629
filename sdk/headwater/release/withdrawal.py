"""The signed notice that a published version was withdrawn: what stands beside its manifest from then on."""

from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import Field, ValidationInfo, field_validator

from headwater.agreement.charter import Charter
from headwater.agreement.documents import Document, HexDigest, HexKey, HexSignature, Instant
from headwater.agreement.signing import is_signed_by, public_key_hex, sign
from headwater.agreement.succession import CharterHistory
from headwater.errors import InputError, ReleaseRefused
from headwater.release.layout import ATTESTATION, AUDIT, CARD, CHECKSUMS, MANIFEST, SCHEMA
from headwater.release.manifest import DatasetName, Manifest

__all__ = [
    "MAXIMUM_WITHDRAWAL_BYTES",
    "WITHDRAWAL_KIND",
    "WITHDRAWN",
    "SignedWithdrawal",
    "Withdrawal",
    "read_withdrawal",
    "stays_when_withdrawn",
    "verify_withdrawal",
]

WITHDRAWN = "withdrawn.json"
"""Where the notice stands in a release folder; no file of a release has this name."""

WITHDRAWAL_KIND = "release-withdrawal"
MAXIMUM_WITHDRAWAL_BYTES = 64 * 1024
"""A larger withdrawn.json is not read; the longest reason stays far below."""

# What says that there was such a release, and on which evidence; rows (statistics.json shows
# some), drawings and networks are gone.
_STAYS = frozenset({MANIFEST, CARD, SCHEMA, AUDIT, ATTESTATION, CHECKSUMS, WITHDRAWN})


def stays_when_withdrawn(path: str) -> bool:
    """Tell whether a file of a release folder is kept, and served on, when the release is withdrawn."""
    return path in _STAYS


class Withdrawal(Document):
    """What is signed.

    Attributes:
        name: of the dataset.
        version: that is withdrawn; others are not.
        release: digest of its manifest.
        withdrawn: when.
        reason: why, for whoever used it; public.
        replaced_by: the version to use instead; None where there is none.
    """

    format: Literal["headwater-withdrawal/1"] = "headwater-withdrawal/1"
    name: DatasetName
    version: int = Field(ge=1, le=1_000_000)
    release: HexDigest
    withdrawn: Instant
    reason: str = Field(min_length=10, max_length=2000)
    replaced_by: int | None = Field(default=None, ge=1, le=1_000_000)

    @property
    def sentence(self) -> str:
        """The reason as one sentence, however it was written."""
        begun = self.reason[0].upper() + self.reason[1:]
        return begun if begun.endswith((".", "!", "?", "…")) else f"{begun}."

    @property
    def clause(self) -> str:
        """The reason inside a sentence, without a mark at its end."""
        return self.reason.rstrip(".!?… ") or self.reason

    @field_validator("reason")
    @classmethod
    def _check_reason(cls, value: str) -> str:
        if not value.isprintable() or value != value.strip():
            raise ValueError("not one printable line without blanks around it")
        return value

    @field_validator("replaced_by")
    @classmethod
    def _check_replacement(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and value == info.data.get("version"):
            raise ValueError("a version cannot replace itself")
        return value


class SignedWithdrawal(Document):
    """The content of withdrawn.json: the notice under the signature of the charter's coordinator key."""

    withdrawal: Withdrawal
    coordinator_key: HexKey
    coordinator_signature: HexSignature

    @classmethod
    def sign(cls, withdrawal: Withdrawal, coordinator_key: Ed25519PrivateKey) -> "SignedWithdrawal":
        """Sign as the coordinator."""
        return cls(
            withdrawal=withdrawal,
            coordinator_key=public_key_hex(coordinator_key),
            coordinator_signature=sign(coordinator_key, WITHDRAWAL_KIND, withdrawal.to_bytes()),
        )

    def is_signed_by(self, coordinator_key: str) -> bool:
        """Tell whether this very key signed, 64 hexadecimal digits, obtained elsewhere."""
        return self.coordinator_key == coordinator_key and is_signed_by(
            coordinator_key, WITHDRAWAL_KIND, self.withdrawal.to_bytes(), self.coordinator_signature
        )


def read_withdrawal(data: bytes) -> SignedWithdrawal:
    """Read withdrawn.json without believing it yet.

    Raises:
        ReleaseRefused: too large, or not such a notice in canonical form.
    """
    if len(data) > MAXIMUM_WITHDRAWAL_BYTES:
        raise ReleaseRefused(f"{WITHDRAWN} has more than {MAXIMUM_WITHDRAWAL_BYTES:,} bytes; no notice needs that many")
    try:
        return SignedWithdrawal.from_bytes(data)
    except InputError as error:
        raise ReleaseRefused(f"{WITHDRAWN} cannot be believed: {error}") from error


def verify_withdrawal(data: bytes, manifest: Manifest, trusted: Charter | CharterHistory | str) -> Withdrawal:
    """Check that the consortium withdrew this very release.

    Args:
        data: content of withdrawn.json.
        manifest: of the release, verified.
        trusted: a charter that the reader pinned, a history through it, or a bare coordinator key in hexadecimal.

    Returns:
        The notice.

    Raises:
        ReleaseRefused: it is no notice, is of another release, or no coordinator signed it whom the charter named when
            the release was made or later.

    Guarantee: nobody but a coordinator of the consortium can make a reader believe that a release was withdrawn.
    """
    signed = read_withdrawal(data)
    said = signed.withdrawal
    if (said.name, said.version, said.release) != (manifest.name, manifest.version, manifest.digest):
        raise ReleaseRefused(
            f"{WITHDRAWN} is of {said.name} version {said.version} ({said.release[:16]}…), not of {manifest.name} "
            f"version {manifest.version}; tell the consortium"
        )
    if not any(signed.is_signed_by(key) for key in _coordinator_keys(manifest, trusted)):
        raise ReleaseRefused(
            f"the signature on {WITHDRAWN} is not the consortium's coordinator's; do not believe it, ask the consortium"
        )
    return said


def _coordinator_keys(manifest: Manifest, trusted: Charter | CharterHistory | str) -> tuple[str, ...]:
    if isinstance(trusted, str):
        return (trusted,)
    if isinstance(trusted, Charter):
        return (trusted.coordinator_key,)
    made = trusted.find(manifest.provenance.charter_digest)
    # A key that was given up before the release was made has no say over it.
    first = trusted.newest.version if made is None else made.version
    return tuple(each.charter.coordinator_key for each in trusted.charters if each.charter.version >= first)
