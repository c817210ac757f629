"""Watchers of a simulation."""

from collections.abc import Mapping, Sequence

__all__ = ["Recorder", "Silent"]


class Silent:
    """Is told and says nothing."""

    def begins(self, what: str) -> None:
        """Ignore it."""

    def advances(self, done: int, steps: int) -> None:
        """Ignore it."""

    def ends(self, what: str, seconds: float, records: Sequence[Mapping[str, object]]) -> None:
        """Ignore it."""


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
