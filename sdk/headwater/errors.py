"""Every error that Headwater raises on purpose, named for who must act."""

__all__ = [
    "BudgetExceeded",
    "HeadwaterError",
    "InputError",
    "OutOfOrder",
    "OutOfRange",
    "PeerError",
    "ReleaseRefused",
    "StorageError",
    "TransportError",
]


class HeadwaterError(Exception):
    """Root of Headwater's errors; the message reads "what is, what was expected, what to do".

    A message never holds a record's value, a key or a share.
    """

    code: str = "headwater"


class InputError(HeadwaterError):
    """The caller gave something unusable: a file, an option, a table, a document. The caller mends it."""

    code = "input"


class OutOfRange(InputError):
    """A place beyond the end of something was asked for. The caller begins again."""

    code = "out_of_range"


class OutOfOrder(HeadwaterError):
    """A step was asked for before its time or twice. The calling program mends its order."""

    code = "out_of_order"


class PeerError(HeadwaterError):
    """Bytes from another party were refused. Nothing was changed by them."""

    code = "peer"


class BudgetExceeded(HeadwaterError):
    """A limit that the organisation or plan set would be passed. Nothing was spent."""

    code = "budget_exceeded"


class ReleaseRefused(HeadwaterError):
    """A dataset or signature does not hold what it must. Nothing was published or kept."""

    code = "release_refused"


class StorageError(HeadwaterError):
    """The disk or database did not do what was asked. The operator mends it."""

    code = "storage"


class TransportError(HeadwaterError):
    """The other side could not be reached, or the connection broke. Trying again may help."""

    code = "transport"
