"""Where releases come from, as an interface: HTTPS for researchers, gRPC for organisations, one way to verify both."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from headwater.agreement.charter import Charter
from headwater.agreement.succession import CharterHistory
from headwater.errors import TransportError
from headwater.release import FileEntry, SignedManifest

__all__ = ["Arriving", "BrokenLine", "Fetcher"]


class BrokenLine(TransportError):
    """The connection broke; what came so far is good, and another attempt goes on from there."""


@dataclass(frozen=True, slots=True)
class Arriving:
    """Bytes of a file as they come; none is believed before the whole file's SHA-256 is right.

    Attributes:
        start: offset in the file of the first byte: the one that was asked for, or 0 where the whole file comes.
        pieces: each as it comes, good until the one after the next is asked for; iterating raises `BrokenLine` where
            the connection breaks.
    """

    start: int
    pieces: Iterable[bytes | memoryview]


class Fetcher(Protocol):
    """A connection to whoever has releases; `CatalogueClient` and the organisations' gRPC client are two."""

    @property
    def streams(self) -> int:
        """How many files or parts of files may be open at the same time; 1 or more."""
        ...

    def manifest(self, name: str, version: int, charter: Charter | CharterHistory) -> tuple[SignedManifest, bytes]:
        """The signed manifest of one version, verified under a charter or a version of its history, and its bytes.

        Raises:
            InputError: there is no such version.
            ReleaseRefused: it is not signed by the charter's coordinator, or is another dataset's.
            TransportError: nobody answered.
        """
        ...

    def attestation(self, name: str, version: int) -> bytes:
        """attestation.json of one version, not verified yet.

        Raises:
            InputError: there is none.
            TransportError: nobody answered.
        """
        ...

    def open_file(
        self, name: str, version: int, entry: FileEntry, start: int = 0, stop: int | None = None
    ) -> AbstractContextManager[Arriving]:
        """Part of a file, from byte `start` to before `stop` (None: its end); the reader counts and hashes.

        Args:
            name: of the dataset.
            version: of the dataset.
            entry: from a verified manifest.
            start: below `entry.size_bytes`, or 0.
            stop: above `start`.

        Raises:
            InputError: the file is not there, or another token is asked for.
            PeerError: the answer is another part than was asked for.
            BrokenLine: the connection broke, on opening or while reading.
            TransportError: the other side failed at it; trying again now does not help.
        """
        ...
