"""One `serve` for each home: a lock that ends with the process that holds it."""

import contextlib
import fcntl
import os
from collections.abc import Iterator

from headwater.errors import InputError, OutOfOrder
from headwater_server.settings import CoordinatorHome

__all__ = ["held", "is_serving", "require_serving"]


@contextlib.contextmanager
def held(home: CoordinatorHome) -> Iterator[None]:
    """Hold the home's lock, with this process's number in it.

    Raises:
        InputError: another process holds it; the message names it.
    """
    home.settings()
    with home.lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise InputError(
                f"a coordinator is serving {home.folder} already (process {file.read().strip()}); stop that one first"
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def is_serving(home: CoordinatorHome) -> bool:
    """Whether a `serve` of this home is running."""
    try:
        with home.lock.open("r") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def require_serving(home: CoordinatorHome) -> None:
    """Refuse a command that only a running coordinator can carry out.

    Raises:
        OutOfOrder: no coordinator serves this home.
    """
    if not is_serving(home):
        raise OutOfOrder(f"no coordinator is serving {home.folder}; start it: headwater-coordinator serve")
