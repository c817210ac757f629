"""What a newcomer signs when it enrols: that it holds the identity key, and which other keys go with it."""

from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import Field

from headwater.agreement.documents import Document, HexDigest, HexKey, MemberId
from headwater.agreement.signing import is_signed_by, sign

__all__ = ["EnrolmentClaim"]

_KIND = "enrolment"


class EnrolmentClaim(Document):
    """Every field of an enrolment, bound together by one signature of the identity key.

    Attributes:
        member_id: the id that the invitation gives.
        name: the name that the invitation gives.
        identity_key: the key that signs this claim.
        secret_sha256: `secret_digest` of the invitation's secret: this claim is good for one invitation.
        csr_sha256: SHA-256 of the certificate request, as sent.
        flower_public_key: the Flower node's public key, one OpenSSH line.
    """

    version: Literal[1] = 1
    member_id: MemberId
    name: str = Field(min_length=1, max_length=200)
    identity_key: HexKey
    secret_sha256: HexDigest
    csr_sha256: HexDigest
    flower_public_key: str = Field(min_length=1, max_length=1000)

    def signed_by(self, identity_key: Ed25519PrivateKey) -> bytes:
        """The proof: 64 bytes."""
        return bytes.fromhex(sign(identity_key, _KIND, self.to_bytes()))

    def is_proved_by(self, proof: bytes) -> bool:
        """Tell whether `proof` is this identity key's signature over this claim."""
        return is_signed_by(self.identity_key, _KIND, self.to_bytes(), proof.hex())
