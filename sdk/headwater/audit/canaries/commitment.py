"""The secret behind an organisation's canaries in one run, and the commitment to it that is signed before training."""

import hashlib
import hmac
from dataclasses import dataclass, field

from headwater.errors import InputError
from headwater.secagg.crypto.keys import label_fields

__all__ = ["SECRET_BYTES", "CanarySecret", "verify_commitment"]

SECRET_BYTES = 32

_LABEL = "headwater/canary-commitment/1"


@dataclass(frozen=True, slots=True)
class CanarySecret:
    """What coins, quasi-identifiers and secrets of the canaries are derived from.

    Attributes:
        secret: 32 bytes of the operating system's entropy.
        salt: 32 more, of the commitment alone: whoever is shown the salt has learned nothing of the secret.

    Raises:
        InputError: one of them is not of 32 bytes.
    """

    secret: bytes = field(repr=False)
    salt: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Check lengths."""
        if len(self.secret) != SECRET_BYTES or len(self.salt) != SECRET_BYTES:
            raise InputError(f"a canary secret and its salt have {SECRET_BYTES} bytes each; draw both anew")

    def commitment(self, run_id: str, member: str) -> str:
        """SHA-256 that binds the secret to one run of one organisation, 64 hexadecimal digits.

        Args:
            run_id: of the run.
            member: the organisation's id, so that nobody signs another one's commitment as its own.

        Guarantee: it hides the secret, which is full entropy, and binds as long as SHA-256 resists collisions.
        """
        data = label_fields(_LABEL, run_id.encode(), member.encode(), self.salt, self.secret)
        return hashlib.sha256(data).hexdigest()


def verify_commitment(opened: CanarySecret, run_id: str, member: str, commitment: str) -> bool:
    """Whether an opened secret is the one that an organisation committed to.

    Args:
        opened: secret and salt as revealed.
        run_id: of the run.
        member: the organisation's id.
        commitment: of its signed approval.
    """
    return hmac.compare_digest(opened.commitment(run_id, member).encode(), commitment.encode())
