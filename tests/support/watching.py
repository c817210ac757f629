"""A watcher of a simulation that remembers."""

from collections.abc import Mapping, Sequence

from headwater_server.simulation.driving import Silent

__all__ = ["Recorder"]


class Recorder(Silent):
    """Keeps the names of steps that began and ended."""

    def __init__(self) -> None:
        """Start with none."""
        self.began: list[str] = []
        self.ended: list[str] = []

    def begins(self, what: str) -> None:
        """Keep it."""
        self.began.append(what)

    def ends(self, what: str, seconds: float, records: Sequence[Mapping[str, object]]) -> None:
        """Keep it."""
        self.ended.append(what)
