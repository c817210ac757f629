"""Hashes, key derivation and secrets that erase themselves, each use under a label of its own: protocol 3.4, 4.11."""

import hashlib
import hmac
import secrets
from functools import lru_cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from headwater.errors import OutOfOrder

__all__ = ["PROTOCOL", "Secret", "digest", "expand", "extract", "hkdf", "hkdf_expand", "label_fields", "number"]

PROTOCOL = "hw-secagg/1/"
"""Every derivation label and signed message type begins with this, so no other use of a key can collide."""


def number(value: int) -> bytes:
    """A non-negative integer below 2^64 as 8 big-endian bytes, the form in which it is hashed."""
    return value.to_bytes(8, "big")


_LENGTHS = tuple(number(size) for size in range(2048))


def label_fields(label: str, *fields: bytes) -> bytes:
    """The label and fields, each behind its length in 8 bytes, so that no two lists of fields look alike."""
    parts = [_labelled(label)]
    for field in fields:
        size = len(field)
        # A coordinator of n members hashes some n² short fields.
        parts.append(_LENGTHS[size] if size < len(_LENGTHS) else number(size))
        parts.append(field)
    return b"".join(parts)


@lru_cache
def _labelled(label: str) -> bytes:
    text = label.encode()
    return number(len(text)) + text


def digest(label: str, *fields: bytes) -> bytes:
    """H(label, f1, …): SHA-256 over the length-prefixed label and fields (protocol 4.11)."""
    return hashlib.sha256(label_fields(PROTOCOL + label, *fields)).digest()


class Secret:
    """A secret value that is never shown and can be erased.

    Guarantee: `repr` shows nothing, comparison takes constant time, and after `erase` the value is gone from this
    object. Copies that Python or a library made meanwhile are beyond reach; they are short-lived.
    """

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        """Hold a copy of `value`."""
        self._value: bytearray | None = bytearray(value)

    @classmethod
    def fresh(cls) -> "Secret":
        """32 bytes from the operating system."""
        return cls(secrets.token_bytes(32))

    @property
    def value(self) -> bytes:
        """The secret bytes.

        Raises:
            OutOfOrder: it was erased.
        """
        if self._value is None:
            raise OutOfOrder("a secret was asked for after it was erased; the round or session that needed it is over")
        return bytes(self._value)

    @property
    def erased(self) -> bool:
        """Whether `erase` was called."""
        return self._value is None

    def erase(self) -> None:
        """Overwrite and forget the value; harmless when repeated."""
        if self._value is not None:
            self._value[:] = bytes(len(self._value))
            self._value = None

    def __repr__(self) -> str:
        """Show nothing."""
        return "<hidden>"

    def __eq__(self, other: object) -> bool:
        """Compare in constant time."""
        return isinstance(other, Secret) and hmac.compare_digest(self.value, other.value)

    __hash__ = None  # type: ignore[assignment]  # a secret is no dictionary key


def hkdf(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """HKDF-SHA-256, Extract then Expand (RFC 5869)."""
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info).derive(secret)


def hkdf_expand(key: bytes, info: bytes, length: int) -> bytes:
    """HKDF-SHA-256's Expand alone, for a key that is uniform already (RFC 5869, 2.3)."""
    return HKDFExpand(algorithm=hashes.SHA256(), length=length, info=info).derive(key)


def extract(secret: bytes, salt: bytes, label: str, *fields: bytes) -> Secret:
    """A uniform 32-byte key out of a key exchange's result: HKDF(salt, secret, label ‖ fields) (protocol 3.4)."""
    return Secret(hkdf(secret, salt, label_fields(PROTOCOL + label, *fields), 32))


def expand(secret: Secret, label: str, *fields: bytes) -> Secret:
    """Expand(secret, label ‖ fields) to 32 bytes; one label, one purpose (protocol 3.4, 4.3)."""
    return Secret(hkdf_expand(secret.value, label_fields(PROTOCOL + label, *fields), 32))
