"""The charter: who the members are, by which keys, and the least protection they accept."""

from collections.abc import Mapping
from typing import Literal, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import Field, model_validator

from headwater.agreement.documents import Document, HexDigest, HexKey, HexSignature, Instant, MemberId
from headwater.agreement.signing import is_signed_by, sign
from headwater.errors import InputError, PeerError

__all__ = ["CHARTER_KIND", "Charter", "Member", "SignedCharter"]

CHARTER_KIND = "charter"
MINIMUM_MEMBERS = 3


class Member(Document):
    """One organisation: its id, the name that people know it by, and its Ed25519 identity key."""

    id: MemberId
    name: str = Field(min_length=1, max_length=200)
    identity_key: HexKey


class Charter(Document):
    """What the members sign before anything else (protocol 1.1).

    Attributes:
        version: 1 for a consortium's first; every member must sign version 1.
        members: sorted by id; no id and no key stands twice.
        coordinator_key: the Ed25519 key that signs receipts, proposals and releases.
        minimum_cohort: least number of organisations in any sum, at least 3 (protocol 1.2).
        colluders: members who may collude with the coordinator without learning a vector; "c" in protocol 1.2.
        ca_digest: SHA-256 of the consortium's CA certificate (DER), which every TLS connection must chain to.
    """

    version: Literal[1]
    consortium: str = Field(min_length=1, max_length=200)
    members: tuple[Member, ...]
    coordinator_key: HexKey
    minimum_cohort: int = Field(ge=MINIMUM_MEMBERS, le=1000)
    colluders: int = Field(default=1, ge=1, le=1000)
    ca_digest: HexDigest
    created: Instant

    @model_validator(mode="after")
    def _check_members(self) -> Self:
        ids = [member.id for member in self.members]
        keys = [member.identity_key for member in self.members]
        if len(ids) < MINIMUM_MEMBERS:
            raise ValueError(
                f"the charter has {len(ids)} members, at least {MINIMUM_MEMBERS} are needed: enrol more organisations"
            )
        if ids != sorted(set(ids)):
            raise ValueError("members must be sorted by id, each once")
        if len(set(keys)) != len(keys) or self.coordinator_key in keys:
            raise ValueError("one key stands for two parties; each must make its own")
        if self.minimum_cohort > len(ids):
            raise ValueError(f"minimum_cohort {self.minimum_cohort} is more than the {len(ids)} members")
        return self

    def member(self, member_id: str) -> Member:
        """The member with this id.

        Raises:
            InputError: nobody in the charter has it.
        """
        for member in self.members:
            if member.id == member_id:
                return member
        raise InputError(
            f"{member_id!r} is not in the charter; its members are {', '.join(m.id for m in self.members)}"
        )

    @property
    def identity_keys(self) -> dict[str, bytes]:
        """Raw Ed25519 public keys (32 bytes) by member id."""
        return {member.id: bytes.fromhex(member.identity_key) for member in self.members}

    def signed_by(self, key: Ed25519PrivateKey) -> str:
        """A signature over this charter, for `SignedCharter.signatures`."""
        return sign(key, CHARTER_KIND, self.to_bytes())


class SignedCharter(Document):
    """A charter with the signatures that it has so far: the coordinator's and, one by one, the members'."""

    charter: Charter
    coordinator_signature: HexSignature
    signatures: Mapping[MemberId, HexSignature] = Field(default_factory=dict)

    @property
    def missing_signatures(self) -> tuple[str, ...]:
        """Members who have not signed yet, sorted."""
        return tuple(member.id for member in self.charter.members if member.id not in self.signatures)

    def with_signature(self, member_id: str, signature: str) -> "SignedCharter":
        """The same charter with one more signature, checked.

        Raises:
            PeerError: the signer is no member, or the signature is not its own over this charter.
        """
        self._check(member_id, signature)
        return SignedCharter(
            charter=self.charter,
            coordinator_signature=self.coordinator_signature,
            signatures={**self.signatures, member_id: signature},
        )

    def check_signatures(self) -> None:
        """Check every signature that is there; members may still be missing.

        Raises:
            PeerError: a signature is not its signer's, or a stranger signed.
        """
        data = self.charter.to_bytes()
        if not is_signed_by(self.charter.coordinator_key, CHARTER_KIND, data, self.coordinator_signature):
            raise PeerError("the coordinator's signature on the charter is wrong; do not accept it, ask the operator")
        for member_id, signature in self.signatures.items():
            self._check(member_id, signature)

    def verify(self) -> None:
        """Check that the charter is in force: signed by the coordinator and by every member (protocol 1.1).

        Raises:
            PeerError: a signature is wrong, or one is missing.
        """
        self.check_signatures()
        if self.missing_signatures:
            raise PeerError(
                f"the charter is not signed by {', '.join(self.missing_signatures)}; every member must accept it first"
            )

    def _check(self, member_id: str, signature: str) -> None:
        for member in self.charter.members:
            if member.id == member_id:
                if not is_signed_by(member.identity_key, CHARTER_KIND, self.charter.to_bytes(), signature):
                    raise PeerError(f"the signature of {member_id!r} on the charter is wrong; it must sign again")
                return
        raise PeerError(f"{member_id!r} signed the charter but is no member of it; refused")
