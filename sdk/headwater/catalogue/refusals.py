"""What a catalogue's refusal means to its reader: one line that says what to do, under a stable code."""

import json
import re
from collections.abc import Mapping

from headwater.errors import HeadwaterError, InputError, ReleaseRefused, TransportError

__all__ = [
    "MAXIMUM_REFUSAL_BYTES",
    "AccessRefused",
    "Busy",
    "NotInCatalogue",
    "RequestRefused",
    "WithdrawnRelease",
    "line_of",
    "refusal_of",
    "request_refused",
]

MAXIMUM_REFUSAL_BYTES = 64 * 1024
"""More than this of an error's body is not read."""

_LONGEST_WAIT_SECONDS = 3600
_LONGEST_LINE = 1000
_NOT_FOR_READERS = {"rate_limited", "not_found", "unavailable", "refused"}

_ADD = "add the catalogue again with --token"
_TOKEN = {
    "token_required": f"{{url}} asks for a token for {{what}}; get one from the consortium and {_ADD}",
    "bad_token": f"{{url}} does not accept the token that you gave; check it and {_ADD}",
    "token_expired": f"the token for {{url}} has expired; ask the consortium for another and {_ADD}",
    "token_revoked": "the token for {url} was revoked; ask the consortium why, and for another",
    "forbidden": "the token for {url} does not open {what}; ask the consortium for one that does",
}


class AccessRefused(InputError):
    """The catalogue wants another token.

    Attributes:
        code: token_required, bad_token, token_expired, token_revoked or forbidden.
    """

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class NotInCatalogue(InputError):
    """There is no such dataset, version or file."""

    code = "not_found"


class WithdrawnRelease(ReleaseRefused):
    """The consortium took this version back; another one, or none, stands in its place."""

    code = "withdrawn"


class Busy(TransportError):
    """The catalogue asks to come back later.

    Attributes:
        wait_seconds: after which it may be asked again.
    """

    code = "rate_limited"

    def __init__(self, message: str, wait_seconds: float) -> None:
        super().__init__(message)
        self.wait_seconds = wait_seconds


class RequestRefused(InputError):
    """The catalogue understood what was asked of it and does not do it.

    Attributes:
        code: of the catalogue's API.
    """

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


def request_refused(body: bytes, status: int) -> RequestRefused | None:
    """The refusal of a request by the catalogue's own line; None where the answer has none that is for readers.

    Args:
        body: of the answer; may be anything.
        status: of the answer.
    """
    code = _code(body)
    if not re.fullmatch(r"[a-z_]{1,40}", code) or code in _TOKEN or code in _NOT_FOR_READERS or status == 404:
        return None
    said = json.loads(body)["error"].get("message")
    return RequestRefused(f"the catalogue refused: {line_of(said)}", code) if isinstance(said, str) and said else None


def line_of(said: str) -> str:
    """What others wrote as one line of bounded length, without what would command a terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in said[:_LONGEST_LINE])


def refusal_of(
    url: str, status: int, what: str, *, has_token: bool, headers: Mapping[str, str], body: bytes
) -> HeadwaterError:
    """An answer that is no success, as the error to raise.

    Args:
        url: of the catalogue.
        status: of the answer.
        what: that was asked for, in words.
        has_token: whether a token was shown.
        headers: of the answer, by lower-case names.
        body: of the answer, as far as it was read; may be anything.
    """
    code = _code(body)
    if status in {401, 403}:
        if code not in _TOKEN:
            # Catalogues of another make give no code of ours.
            code = "forbidden" if status == 403 else "bad_token" if has_token else "token_required"
        return AccessRefused(_TOKEN[code].format(url=url, what=what), code)
    if status == 404:
        return NotInCatalogue(f"{what} is not in {url}; `headwater list` shows what is")
    if status == 410:
        return WithdrawnRelease(f"{what} was withdrawn from {url}; `headwater show` tells why, use another version")
    if status in {429, 503} and (status == 429 or "retry-after" in headers):
        wait = _seconds(headers.get("retry-after", ""))
        return Busy(f"{url} asks to come back in {wait:g} seconds; wait and run the command again", wait)
    if 300 <= status < 400:
        return TransportError(
            f"{url} sends elsewhere for {what}, which is not followed: only the pinned address is trusted; ask the "
            "consortium for the new one"
        )
    return TransportError(f"{url} answered {status} for {what}, expected 200; try again later")


def _code(body: bytes) -> str:
    try:
        code = json.loads(body)["error"]["code"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return code if isinstance(code, str) else ""


def _seconds(header: str) -> float:
    # A date is allowed as well; whoever sends one is asked again after a second.
    return float(min(int(header), _LONGEST_WAIT_SECONDS)) if header.isascii() and header.isdecimal() else 1.0
