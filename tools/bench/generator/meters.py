"""CPU seconds of a simulation by kind of step."""

import time
from collections.abc import Mapping, Sequence

from headwater_server.simulation.driving import Silent

__all__ = ["CpuWatch"]


class CpuWatch(Silent):
    """Watches a simulation as its narrator does, and adds up what each kind of step cost.

    All parties run in this process: the seconds are those of organisations and coordinator together, all threads.
    """

    def __init__(self) -> None:
        """Stand at zero."""
        self.seconds: dict[str, float] = {}
        self.steps: dict[str, int] = {}
        self._mark = 0.0

    def begins(self, what: str) -> None:
        """A step begins."""
        self._mark = time.process_time()

    def ends(self, what: str, seconds: float, records: Sequence[Mapping[str, object]]) -> None:
        """A step ended."""
        self.seconds[what] = self.seconds.get(what, 0.0) + time.process_time() - self._mark
        self.steps[what] = self.steps.get(what, 0) + 1
