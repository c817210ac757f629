"""Processes that draw rows on request, one at a time: ours into Parquet, CTGAN's `sample` into memory."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.peer_environment import peer_python

__all__ = ["Drawer", "our_drawer", "peer_drawer", "running"]

_BENCH = pathlib.Path(__file__).parents[1]
_EPOCHS, _SEED = 1, 1


class Drawer:
    """A process that answers each number of rows with a line of figures.

    Attributes:
        about: what it said of itself: "kind" and "columns".
    """

    def __init__(self, process: "subprocess.Popen[str]", log: pathlib.Path) -> None:
        """Wait until it is ready.

        Raises:
            ValueError: it ended; its last words say why.
        """
        self._process, self._log = process, log
        self.about = self._answer()

    def draw(self, rows: int) -> Mapping[str, Any]:
        """Draw so many rows: "rows", "cpu_seconds", "wall_seconds", and "bytes" of a file.

        Raises:
            ValueError: it ended, or drew another number.
        """
        # One that is gone already is told by its answer.
        with contextlib.suppress(BrokenPipeError):
            print(rows, file=self._process.stdin, flush=True)
        figures = self._answer()
        if figures["rows"] != rows:
            raise ValueError(f"{self._log.stem} drew {figures['rows']:,} rows, not {rows:,}")
        return figures

    def _answer(self) -> Mapping[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            last = (self._log.read_text(encoding="utf-8").strip().splitlines() or ["it said nothing"])[-1]
            raise ValueError(f"{self._log.stem} ended: {last}")
        figures: Mapping[str, Any] = json.loads(line)
        return figures


def our_drawer(bundle: pathlib.Path) -> Sequence[str]:
    """The command that draws from a bundle's folder."""
    return [sys.executable, "-m", "catalogue.row_writer", str(bundle)]


def peer_drawer(train: pathlib.Path) -> Sequence[str]:
    """The command that fits CTGAN to a CSV and draws; one epoch, as its speed hangs on its size alone.

    Raises:
        SystemExit: there is no environment for it.
    """
    script = _BENCH / "peers" / "ctgan_sampling.py"
    return [str(peer_python("ctgan")), str(script), str(train), str(_EPOCHS), str(_SEED)]


@contextlib.contextmanager
def running(command: Sequence[str], log: pathlib.Path) -> Iterator[Drawer]:
    """Start a drawer, and end it afterwards; what it complains of is written to `log`.

    Raises:
        ValueError: it does not get ready.
    """
    paths = os.pathsep.join(filter(None, (str(_BENCH), os.environ.get("PYTHONPATH"))))
    with log.open("w", encoding="utf-8") as told:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=told,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths},
        )
    with process:
        try:
            yield Drawer(process, log)
        finally:
            process.kill()
