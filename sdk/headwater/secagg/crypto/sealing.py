"""Authenticated encryption under keys that are used once: protocol 4.1."""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from headwater.errors import PeerError
from headwater.secagg.crypto.keys import Secret

__all__ = ["TAG_BYTES", "seal", "unseal"]

TAG_BYTES = 16

# A key seals one message in its life, so a constant nonce never repeats under it.
_NONCE = bytes(12)


def seal(key: Secret, plain: bytes, associated: bytes) -> bytes:
    """Encrypt and authenticate with AES-256-GCM; `key` must never seal a second message."""
    return AESGCM(key.value).encrypt(_NONCE, plain, associated)


def unseal(key: Secret, sealed: bytes, associated: bytes) -> bytes:
    """Open what `seal` made.

    Raises:
        PeerError: the bytes, the key or the associated data are not those of sealing.
    """
    try:
        return AESGCM(key.value).decrypt(_NONCE, sealed, associated)
    except (InvalidTag, ValueError) as error:
        raise PeerError("a sealed message does not open; it was changed or meant for another place") from error
