"""A bar for the step that a command is at, and a line for each that ended."""

import contextlib
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

__all__ = ["StepBar"]


class StepBar:
    """Shows one step at a time on a terminal; in a file or pipe only the lines of steps that ended stand."""

    def __init__(self, console: Console) -> None:
        """Write to this console."""
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        """Show the bar, empty."""
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away, however the command ended."""
        self._progress.stop()

    def begin(self, label: str) -> None:
        """A step begins; how long it takes is not known yet."""
        self._task = self._progress.add_task(label, total=None)

    @contextlib.contextmanager
    def step(self, label: str) -> Iterator[None]:
        """A step from its beginning to its end, whose line says what it was and how long it took; none on an error."""
        self.begin(label)
        started = time.monotonic()
        try:
            yield
        except BaseException:
            self.end()
            raise
        self.end(f"{label}: {time.monotonic() - started:.1f} s")

    def advance(self, done: int, steps: int) -> None:
        """The step has done so many of its parts."""
        if self._task is not None:
            self._progress.update(self._task, completed=done, total=steps)

    def end(self, line: str = "") -> None:
        """Replace the bar by a line, or by nothing where there is none to say."""
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None
        if line:
            # A file has no width: a line that breaks in the middle of a sentence is for nobody.
            self._progress.console.print(line, highlight=False, markup=False, soft_wrap=True)
