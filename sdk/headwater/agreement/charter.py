"""The charter: who the members are, by which keys, and the least protection they accept."""

from collections.abc import Mapping
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from headwater.agreement.documents import DataSetId, Document, HexDigest, HexKey, HexSignature, Instant, MemberId
from headwater.agreement.signing import is_signed_by, sign
from headwater.errors import InputError, PeerError

__all__ = ["CHARTER_KIND", "MAXIMUM_VERSION", "Charter", "Member", "SignedCharter"]

CHARTER_KIND = "charter"
"""The word under which a charter is signed, so that its signature serves no other document."""

MAXIMUM_VERSION = 10_000
"""Versions that one consortium may have; bounds every walk through its history."""

MINIMUM_MEMBERS = 3
MINIMUM_RELEASE_QUORUM = 2


class Member(Document):
    """One organisation of the charter.

    Attributes:
        id: also the common name of its certificate.
        name: as people know it.
        identity_key: Ed25519; signs documents and Hellos.
        data_set: the collection of records that it takes part with; with the id it names a family of sums
            (protocol 4.10), so it must stay the same for as long as the records are about the same people.
    """

    id: MemberId
    name: str = Field(min_length=1, max_length=200)
    identity_key: HexKey
    data_set: DataSetId = "main"


class Charter(Document):
    """What the members sign before anything else (protocol 1.1).

    Attributes:
        version: 1 for a consortium's first; each later one follows the one before it.
        previous: digest of the version before; None exactly for version 1.
        members: sorted by id; no id and no key stands twice.
        coordinator_key: the Ed25519 key that signs receipts, proposals and releases.
        minimum_cohort: least number of organisations in any sum, at least 3 (protocol 1.2).
        colluders: members who may collude with the coordinator without learning a vector; "c" in protocol 1.2.
        ca_digest: SHA-256 of the consortium's CA certificate (DER), which every TLS connection must chain to.
        disjoint_people: the members declare that nobody's records are at more than one of them. False says nothing
            and is left out of the document, so that charters from before the declaration existed keep their digests.
        release_quorum: organisations whose signature a release needs, from 2 to all. None leaves it to the charter's
            own threshold (`headwater.agreement.quorum`) and is left out of the document as well.
    """

    version: int = Field(ge=1, le=MAXIMUM_VERSION)
    previous: HexDigest | None = None
    consortium: str = Field(min_length=1, max_length=200)
    members: tuple[Member, ...]
    coordinator_key: HexKey
    minimum_cohort: int = Field(ge=MINIMUM_MEMBERS, le=1000)
    colluders: int = Field(default=1, ge=1, le=1000)
    ca_digest: HexDigest
    created: Instant
    disjoint_people: bool = False
    release_quorum: int | None = Field(default=None, ge=MINIMUM_RELEASE_QUORUM, le=1000)

    @model_serializer(mode="wrap")
    def _leave_undeclared_out(self, serialize: SerializerFunctionWrapHandler) -> dict[str, object]:
        document: dict[str, object] = serialize(self)
        if not self.disjoint_people:
            del document["disjoint_people"]
        if self.release_quorum is None:
            del document["release_quorum"]
        return document

    @model_validator(mode="after")
    def _check_version(self) -> Self:
        if (self.previous is None) != (self.version == 1):
            raise ValueError("version 1 has no previous version, every later one names the digest of the one before")
        return self

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
        if self.release_quorum is not None and self.release_quorum > len(ids):
            raise ValueError(f"release_quorum {self.release_quorum} is more than the {len(ids)} members")
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

    @property
    def keys(self) -> dict[str, str]:
        """Ed25519 public keys in hexadecimal by member id."""
        return {member.id: member.identity_key for member in self.members}

    def signed_by(self, key: Ed25519PrivateKey) -> str:
        """A signature over this charter, for `SignedCharter.signatures`."""
        return sign(key, CHARTER_KIND, self.to_bytes())


class SignedCharter(Document):
    """A charter with the signatures that it has so far; whether they suffice is `headwater.agreement.succession`'s.

    Attributes:
        charter: what is signed.
        coordinator_signature: by the charter's own coordinator key.
        signatures: by member id, each by the key that this version gives the member.
        former_coordinator_signature: by the coordinator key of the version before; only where the key is another.
        former_signatures: by member id, each by the key that the version before gave the member; of members whom this
            version removes or gives another key.
    """

    charter: Charter
    coordinator_signature: HexSignature
    signatures: Mapping[MemberId, HexSignature] = Field(default_factory=dict)
    former_coordinator_signature: HexSignature | None = None
    former_signatures: Mapping[MemberId, HexSignature] = Field(default_factory=dict)

    @property
    def missing_signatures(self) -> tuple[str, ...]:
        """Members of this version who have not signed it, sorted."""
        return tuple(member.id for member in self.charter.members if member.id not in self.signatures)

    def with_signature(self, member_id: str, signature: str, former: Charter | None = None) -> "SignedCharter":
        """The same charter with one more signature, checked.

        Args:
            member_id: the signer, a member of this version or of `former`.
            signature: 128 hexadecimal digits.
            former: the version before; without it members of this version alone may sign.

        Raises:
            PeerError: the signer is a member of neither, or the signature is not its own over this charter.
        """
        keys, former_keys = self.charter.keys, {} if former is None else former.keys
        if member_id not in keys and member_id not in former_keys:
            raise PeerError(f"{member_id!r} signed the charter but is no member of it; refused")
        if self._is_signed(keys.get(member_id), signature):
            return self.model_copy(update={"signatures": {**self.signatures, member_id: signature}})
        if self._is_signed(former_keys.get(member_id), signature):
            return self.model_copy(update={"former_signatures": {**self.former_signatures, member_id: signature}})
        raise PeerError(f"the signature of {member_id!r} on the charter is wrong; it must sign again")

    def check_signatures(self) -> None:
        """Check every signature by a key of this version; members may still be missing.

        Raises:
            PeerError: a signature is not its signer's, or a stranger signed.
        """
        if not self._is_signed(self.charter.coordinator_key, self.coordinator_signature):
            raise PeerError("the coordinator's signature on the charter is wrong; do not accept it, ask the operator")
        self._check_members(self.charter.keys, self.signatures)

    def check_former_signatures(self, former: Charter) -> None:
        """Check every signature by a key of the version before.

        Raises:
            PeerError: a signature is not its signer's, or somebody signed who was no member then.
        """
        signature = self.former_coordinator_signature
        if signature is not None and not self._is_signed(former.coordinator_key, signature):
            raise PeerError(
                f"the signature of version {former.version}'s coordinator on the charter is wrong; "
                "do not accept it, ask the operator"
            )
        self._check_members(former.keys, self.former_signatures)

    def verify(self) -> None:
        """Check that a first version is in force: signed by the coordinator and by every member (protocol 1.1).

        Raises:
            PeerError: a signature is wrong, or one is missing, or it is a later version: that comes in force by the
                members of the one before, which `headwater.agreement.succession` checks.
        """
        if self.charter.version != 1:
            raise PeerError(
                f"version {self.charter.version} of the charter cannot be judged without the versions before it; "
                "fetch those too"
            )
        self.check_signatures()
        if self.former_signatures or self.former_coordinator_signature is not None:
            raise PeerError("version 1 of the charter carries signatures of former members; there are none, refused")
        if self.missing_signatures:
            raise PeerError(
                f"the charter is not signed by {', '.join(self.missing_signatures)}; every member must accept it first"
            )

    def _check_members(self, keys: Mapping[str, str], signatures: Mapping[str, str]) -> None:
        for member_id, signature in signatures.items():
            if member_id not in keys:
                raise PeerError(f"{member_id!r} signed the charter but is no member of it; refused")
            if not self._is_signed(keys[member_id], signature):
                raise PeerError(f"the signature of {member_id!r} on the charter is wrong; it must sign again")

    def _is_signed(self, key: str | None, signature: str) -> bool:
        return key is not None and is_signed_by(key, CHARTER_KIND, self.charter.to_bytes(), signature)
