"""Words in published texts that tell of the machine or of its secrets: seeds, keys, paths, bytes in disguise."""

import base64
import binascii
import json
import re
from collections.abc import Iterator

__all__ = ["telling_in_json", "telling_in_text"]

_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("a private key", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY|AGE-SECRET-KEY-1")),
    (
        "an access key",
        re.compile(
            r"\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}|\bxox[abprs]-[A-Za-z0-9-]{10}|\beyJ[\w-]{10,}\.eyJ[\w-]{10}"
        ),
    ),
    (
        "a path of a machine",
        re.compile(
            r"(?:^|(?<=[\s\"'=(`:,]))(?:/(?:home|Users|root|tmp|var|mnt|opt|srv|private|scratch)/[^\s\"'<>)]|[A-Za-z]:\\+\w)"
            r"|file://",
            re.MULTILINE,
        ),
    ),
)
_SEED = re.compile(r"(?i)\b(?:random[ _-]?(?:seed|state)|rng[ _-]?state|seed)\b[\"'`]?\s*(?:[:=]|is)\s*[\"'`]?-?\d")
_SECRET_KEYS = {"seed", "rng_seed", "random_seed", "random_state", "rng_state"}
_SECRET_KEYS |= {"secret", "secret_key", "private_key", "password", "api_key", "access_token", "token"}
# The audit's own settings are public, and their seed picks nothing but columns.
_PUBLIC_SEED = ("settings", "seed")
_BLOB = re.compile(r"[A-Za-z0-9+/_-]{512,}={0,2}")
_BYTES = "bytes written as text"


def telling_in_text(text: str, *, seeds: bool = True) -> tuple[str, ...]:
    """What a text tells that nobody should know, in words; never the text itself.

    Args:
        text: of a published file, or of its metadata.
        seeds: whether "seed = 7" is looked for too; a JSON document's keys say it better.
    """
    found = [words for words, pattern in _PATTERNS if pattern.search(text)]
    if seeds and _SEED.search(text):
        found.append("a seed")
    if _BLOB.search(text):
        found.append(_BYTES)
    return tuple(found)


def telling_in_json(text: str) -> tuple[str, ...]:
    """The same of a JSON document, by its keys and by its texts; texts of base64 are read as what they hold.

    Raises:
        ValueError: it is no JSON.
    """
    return tuple(dict.fromkeys(_told(json.loads(text), ())))


def _told(value: object, path: tuple[str, ...]) -> Iterator[str]:
    match value:
        case dict():
            for key, below in value.items():
                if _is_secret(path, str(key), below):
                    yield "a seed" if "seed" in key.lower() or "stat" in key.lower() else "a secret"
                yield from _told(below, (*path, str(key)))
        case list():
            for below in value:
                yield from _told(below, path)
        case str():
            yield from _told_by(value)


def _is_secret(path: tuple[str, ...], key: str, value: object) -> bool:
    plain = isinstance(value, str | int | float) and not isinstance(value, bool) and value != ""
    return plain and key.lower() in _SECRET_KEYS and (*path, key)[-2:] != _PUBLIC_SEED


def _told_by(text: str) -> Iterator[str]:
    inside = _decoded(text)
    if inside is None:
        yield from telling_in_text(text)
        return
    try:
        yield from _told(json.loads(inside), ())
    except ValueError:
        yield _BYTES


def _decoded(text: str) -> bytes | None:
    """What a long text of base64 holds, as envelopes of signatures have it; None for any other text."""
    if not _BLOB.fullmatch(text):
        return None
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
