"""The token that a researcher shows a catalogue: random, recognisable, and caught when it is mistyped."""

import re
import secrets
import zlib

from headwater.canonical import sha256_hex

__all__ = ["PREFIX", "is_well_formed", "new_access_token", "token_digest"]

PREFIX = "hw_"
"""What scanners for leaked secrets look for: `hw_` and 49 letters and digits, of which the last six are a checksum."""

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_BYTES = 32
# 62^43 > 2^256 and 62^6 > 2^32.
_SECRET_DIGITS, _CHECK_DIGITS = 43, 6
_FORM = re.compile(rf"hw_[0-9A-Za-z]{{{_SECRET_DIGITS + _CHECK_DIGITS}}}", re.ASCII)


def new_access_token() -> str:
    """A token with 256 random bits of the operating system."""
    return _spelled(secrets.token_bytes(_SECRET_BYTES))


def is_well_formed(token: str) -> bool:
    """Tell whether a token has the form of one and its checksum; says nothing of whether anybody issued it."""
    if not _FORM.fullmatch(token):
        return False
    secret = token[len(PREFIX) : -_CHECK_DIGITS]
    return token[-_CHECK_DIGITS:] == _checksum(secret)


def token_digest(token: str) -> str:
    """What a coordinator keeps of a token: SHA-256, 64 hexadecimal digits.

    The secret has 256 random bits, so a plain digest cannot be searched.
    """
    return sha256_hex(token.encode("utf-8", "surrogateescape"))


def _spelled(secret: bytes) -> str:
    digits = _base62(int.from_bytes(secret, "big"), _SECRET_DIGITS)
    return f"{PREFIX}{digits}{_checksum(digits)}"


def _checksum(digits: str) -> str:
    # Against typing errors, not against forgers: what is forged is in nobody's list of digests.
    return _base62(zlib.crc32(digits.encode("ascii")), _CHECK_DIGITS)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, rest = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[rest])
    return "".join(reversed(digits))
