"""Canonical JSON (RFC 8785), the form in which every signed document is digested."""

import hashlib
from collections.abc import Mapping

import rfc8785

from headwater.errors import InputError

__all__ = ["canonical_json", "sha256_hex"]


def canonical_json(document: Mapping[str, object]) -> bytes:
    """Serialise a document of JSON values to its one canonical form.

    Args:
        document: strings, booleans, None, integers within ±2^53, finite floats, lists and mappings of these.

    Raises:
        InputError: a value has no canonical form.

    Source: RFC 8785.
    """
    try:
        return rfc8785.dumps(document)  # type: ignore[arg-type]
    except (rfc8785.CanonicalizationError, ValueError, TypeError) as error:
        raise InputError(
            f"a document holds a value without a canonical form ({error}); use plain JSON values"
        ) from error


def sha256_hex(data: bytes | bytearray | memoryview) -> str:
    """SHA-256 as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()
