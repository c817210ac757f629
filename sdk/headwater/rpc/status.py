"""The one table between error codes, gRPC statuses and what the other side is told."""

from dataclasses import dataclass

import grpc

from headwater.errors import (
    BudgetExceeded,
    HeadwaterError,
    InputError,
    OutOfOrder,
    OutOfRange,
    PeerError,
    ReleaseRefused,
    StorageError,
    TransportError,
)

__all__ = ["CODE_METADATA", "MAXIMUM_TEXT", "Refusal", "error_of_status", "one_line", "refusal_of_error"]

CODE_METADATA = "headwater-code"
"""Trailer that holds the error's code: a status without it was made by gRPC, not by a Headwater service."""

MAXIMUM_TEXT = 500
"""Longest public text, in characters: it travels in a trailer."""


@dataclass(frozen=True, slots=True)
class _Row:
    error: type[HeadwaterError]
    status: grpc.StatusCode
    public: str | None
    """What the other side is told in place of the message; None: the message itself, which is written for it."""


# One row for each code, no status twice, so that the class survives the wire both ways. CANCELLED, UNAUTHENTICATED and
# others are gRPC's own; they are read (below) but never sent by us. Two are both: CODE_METADATA tells ours.
_TABLE = (
    _Row(InputError, grpc.StatusCode.INVALID_ARGUMENT, None),
    _Row(OutOfOrder, grpc.StatusCode.FAILED_PRECONDITION, None),
    _Row(PeerError, grpc.StatusCode.PERMISSION_DENIED, None),
    _Row(OutOfRange, grpc.StatusCode.OUT_OF_RANGE, None),
    _Row(BudgetExceeded, grpc.StatusCode.RESOURCE_EXHAUSTED, None),
    _Row(ReleaseRefused, grpc.StatusCode.ABORTED, None),
    # A storage error names files and databases of its own machine.
    _Row(StorageError, grpc.StatusCode.DATA_LOSS, "the coordinator could not store this; its operator's log says why"),
    _Row(TransportError, grpc.StatusCode.UNAVAILABLE, None),
)
_INTERNAL_TEXT = "the coordinator failed at this; its operator's log says why"
_BY_CODE = {row.error.code: row for row in _TABLE}
_BY_STATUS = {row.status: row for row in _TABLE}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A status, the error code behind it, and the one line that goes with it."""

    status: grpc.StatusCode
    code: str
    text: str


def refusal_of_error(error: Exception) -> Refusal:
    """What a server answers for an error.

    Guarantee: an error that is not ours, or has no row, shows neither its type nor its message.
    """
    row = _BY_CODE.get(error.code) if isinstance(error, HeadwaterError) else None
    if row is None:
        return Refusal(grpc.StatusCode.INTERNAL, HeadwaterError.code, _INTERNAL_TEXT)
    return Refusal(row.status, row.error.code, one_line(str(error) if row.public is None else row.public))


def error_of_status(status: grpc.StatusCode, text: str, address: str, *, from_service: bool = True) -> HeadwaterError:
    """What a client raises for a status.

    Args:
        status: as received.
        text: its details, as received: shown to a person as one printable line, never interpreted.
        address: "HOST:PORT" of the server, for statuses that gRPC itself made.
        from_service: whether the trailer `CODE_METADATA` came with it.
    """
    line = one_line(text) or "it gave no reason"
    row = _BY_STATUS.get(status)
    if status is grpc.StatusCode.RESOURCE_EXHAUSTED and not from_service:
        return PeerError(f"a message between this machine and {address} is larger than the limit; it was refused")
    if status is grpc.StatusCode.UNAVAILABLE and not from_service:
        return TransportError(f"cannot reach {address} ({line}); is headwater-coordinator serve running?")
    if row is not None:
        return row.error(line)
    match status:
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return TransportError(f"{address} did not answer in time; try again, or raise the time allowed")
        case grpc.StatusCode.CANCELLED:
            return TransportError(f"the call to {address} was cut off; try again")
        case grpc.StatusCode.UNIMPLEMENTED:
            return TransportError(
                f"{address} does not speak this version of Headwater's protocol; upgrade the older side"
            )
        case grpc.StatusCode.UNAUTHENTICATED:
            return PeerError(f"{address} did not accept this organisation's certificate; enrol again")
        case _:
            return TransportError(f"{address} failed: {line}")


def one_line(text: str) -> str:
    """Text of another party as one printable line of bounded length: no control characters reach a terminal."""
    line = " ".join(text.split())
    printable = "".join(character if character.isprintable() else "?" for character in line)
    return printable if len(printable) <= MAXIMUM_TEXT else printable[: MAXIMUM_TEXT - 1] + "…"
