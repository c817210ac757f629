"""Ed25519 signatures over canonical documents, each kind of document under a domain of its own."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from headwater.errors import InputError

__all__ = ["fingerprint", "is_signed_by", "public_key_hex", "sign"]

_DOMAIN = b"headwater/"
_KEY_SIZE_BYTES = 32


def _message(kind: str, data: bytes) -> bytes:
    # The kind is a literal of ours without NUL, so the prefix is unambiguous and no signature serves two kinds.
    return _DOMAIN + kind.encode("ascii") + b"/1\0" + data


def sign(key: Ed25519PrivateKey, kind: str, data: bytes) -> str:
    """Sign `data` as a document of `kind`; 128 hexadecimal digits."""
    return key.sign(_message(kind, data)).hex()


def is_signed_by(public_key: str, kind: str, data: bytes, signature: str) -> bool:
    """Tell whether `signature` is the key's over `data` as a document of `kind`.

    Args:
        public_key: raw Ed25519 key, 64 hexadecimal digits.
        kind: the same word that was signed.
        data: exact bytes, as received.
        signature: 128 hexadecimal digits.

    Returns:
        False for anything malformed: a check fails closed.
    """
    try:
        raw = bytes.fromhex(signature)
        if raw.hex() != signature:
            # fromhex takes blanks and capitals: a document has one spelling.
            return False
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
        key.verify(raw, _message(kind, data))
    except (InvalidSignature, ValueError):
        return False
    return True


def public_key_hex(key: Ed25519PrivateKey | Ed25519PublicKey) -> str:
    """The raw public key as 64 hexadecimal digits."""
    public = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
    return public.public_bytes_raw().hex()


def fingerprint(public_key: str) -> str:
    """A key as people compare it over the telephone: sixteen groups of four hexadecimal digits.

    The whole key is shown, not a digest of it, so that nothing shorter than the key has to be trusted.

    Raises:
        InputError: not 64 hexadecimal digits.
    """
    try:
        raw = bytes.fromhex(public_key)
    except ValueError:
        raw = b""
    if len(raw) != _KEY_SIZE_BYTES:
        raise InputError("a public key is not 64 hexadecimal digits; ask its owner for it again")
    digits = raw.hex()
    return " ".join(digits[start : start + 4] for start in range(0, len(digits), 4))
