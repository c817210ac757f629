"""Very many rows by `headwater-coordinator sample --engine`: seconds, memory and bytes, and what follows for 10^8."""

import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from catalogue.rows import WORKERS
from generator.figures import Measured
from harness.memory import family_bytes

__all__ = ["TARGET", "Line", "Run", "draw_shards", "line_of", "memory_growth", "runs_of"]

TARGET = 10**8
_SHARD_ROWS = 262_144
_LOOK_SECONDS = 0.25


@dataclass(frozen=True)
class Run:
    """What one command took.

    Attributes:
        rows: drawn.
        seconds: wall, from its start to its end.
        peak: bytes that it and all that it started held at most, looked at four times a second.
        size: bytes of the Parquet files.
    """

    rows: int
    seconds: float
    peak: int
    size: int


@dataclass(frozen=True)
class Line:
    """Seconds against rows.

    Attributes:
        start: seconds before the first row.
        rate: rows a second from there on.
    """

    start: float
    rate: float

    def seconds(self, rows: float) -> float:
        """Of so many rows."""
        return self.start + rows / self.rate


def draw_shards(bundle: pathlib.Path, rows: int, workers: int) -> Mapping[str, Any]:
    """Run the command once in a process of its own; its files are removed.

    Args:
        bundle: folder of the generator.
        rows: to draw, in files of 262,144.
        workers: processes of Ray; 0 for the engine that is the process itself.

    Raises:
        ValueError: it failed.
    """
    engine = ["--engine", "ray", "--workers", str(workers)] if workers else ["--engine", "local"]
    with tempfile.TemporaryDirectory(prefix="headwater-rows-") as name:
        folder, log = pathlib.Path(name, "rows"), pathlib.Path(name, "log")
        command = [sys.executable, "-m", "headwater_server.cli", "sample", str(bundle), "--out", str(folder)]
        command += ["--rows", str(rows), "--shard-rows", str(_SHARD_ROWS), *engine]
        begun, peak = time.perf_counter(), 0
        with log.open("wb") as told, subprocess.Popen(command, stdout=told, stderr=told) as process:
            while process.poll() is None:
                peak = max(peak, family_bytes(process.pid))
                time.sleep(_LOOK_SECONDS)
        seconds = time.perf_counter() - begun
        if process.returncode:
            last = (log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["it said nothing"])[-1]
            raise ValueError(f"{' '.join(command[2:4])} ended with {process.returncode}: {last}")
        size = sum(file.stat().st_size for file in folder.glob("*.parquet"))
    return {"rows": rows, "seconds": seconds, "peak": peak, "size": size}


def runs_of(measured: Measured) -> Mapping[str, Sequence[Run]]:
    """Engine, as rows are named → what was measured of it, fewest rows first; without what failed."""
    found: dict[str, list[Run]] = {}
    for engine in WORKERS:
        takes = [take for row, takes in measured.items() if row.startswith(f"shards-{engine}-") for take in takes]
        runs = [Run(**take) for take in takes if "failed" not in take]
        if runs:
            found[engine] = sorted(runs, key=lambda run: run.rows)
    return found


def line_of(runs: Sequence[Run]) -> Line | None:
    """The line through seconds against rows, least squares; None for fewer than two sizes, or one that falls."""
    if len({run.rows for run in runs}) < 2:
        return None
    slope, start = np.polyfit([run.rows for run in runs], [run.seconds for run in runs], 1)
    return Line(float(start), float(1 / slope)) if slope > 0 else None


def memory_growth(measured: Measured) -> float | None:
    """Peak memory at the most rows as a share of that at the size before, of the engine where it grows most."""
    grown = [runs[-1].peak / runs[-2].peak for runs in runs_of(measured).values() if len(runs) > 1]
    return max(grown) if grown else None
