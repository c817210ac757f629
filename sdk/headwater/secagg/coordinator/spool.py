"""Where the bytes of uploads wait until their upload is complete: a port, with the simplest thing behind it."""

from typing import Protocol

__all__ = ["Kept", "MemorySpool", "Spool"]


class Kept(Protocol):
    """Some bytes that a spool keeps."""

    def read(self) -> memoryview:
        """The very bytes that were given, valid until the spool is used again.

        Raises:
            StorageError: they cannot be read back unchanged.
        """
        ...

    def discard(self) -> None:
        """Let go of them; harmless when repeated."""
        ...


class Spool(Protocol):
    """Keeps the parts of incomplete uploads, in memory or elsewhere."""

    def keep(self, data: memoryview) -> Kept:
        """Take bytes that nobody will change.

        Raises:
            StorageError: they could not be kept; nothing was taken.
        """
        ...


class MemorySpool:
    """Keeps everything in memory, without a limit and without a copy."""

    def keep(self, data: memoryview) -> Kept:
        """Hold on to the buffer."""
        return _Held(data)


class _Held:
    __slots__ = ("_data",)

    def __init__(self, data: memoryview) -> None:
        self._data = data

    def read(self) -> memoryview:
        return self._data

    def discard(self) -> None:
        self._data = memoryview(b"")
