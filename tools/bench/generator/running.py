"""Rows measured in processes of their own, two beside each other, none twice."""

import argparse
import hashlib
import itertools
import json
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from generator.datasets import DATASETS, find_folder
from generator.figures import Measured
from generator.rows import KEPT, Row
from harness.cache import Rows

__all__ = ["Failed", "Runner", "measure_rows"]

_BENCH = pathlib.Path(__file__).parents[1]


class Failed(Exception):
    """A row's process ended without figures; its message says how."""


@dataclass(frozen=True)
class Runner:
    """Measures rows, or finds them measured.

    Attributes:
        data: the folder of the tables.
        out: the benchmark's folder.
        code: digest of the code that figures are of.
        again: whether to measure what is there already.
        at_once: processes beside each other.
        name: of the benchmark, which its files in `out` begin with.
        cache: folder of finished rows, where it is not one in `out`.
    """

    data: pathlib.Path
    out: pathlib.Path
    code: str
    again: bool = False
    at_once: int = 2
    name: str = "generator"
    cache: pathlib.Path | None = None

    def measure(self, rows: Sequence[Row]) -> Measured:
        """Measure rows in their order; what wants the cores alone waits until what shares them is done."""
        there = [row for row in rows if self._is_there(row)]
        begun = time.monotonic()
        work = [(row, seed) for row in there for seed in row.seeds]
        done: dict[tuple[str, int], Mapping[str, Any]] = {}
        for alone, block in itertools.groupby(work, lambda one: one[0].alone):
            part = list(block)
            with ThreadPoolExecutor(1 if alone else self.at_once) as pool:
                for (row, seed), figures in zip(part, pool.map(partial(self._one, begun), part), strict=True):
                    done[row.name, seed] = figures
        return {row.name: [done[row.name, seed] for seed in row.seeds] for row in there}

    def kept(self, name: str, seed: int) -> pathlib.Path:
        """Where a row keeps its generator; another folder for other code."""
        return self.out / f"{self.name}-models" / self.code[:12] / f"{name}-{seed}"

    def _is_there(self, row: Row) -> bool:
        if row.table is None or (self.data / DATASETS[row.table].file).is_file():
            return True
        print(f"{row.name}: {DATASETS[row.table].file} is not in {self.data}, left out", file=sys.stderr, flush=True)
        return False

    def _one(self, begun: float, which: tuple[Row, int]) -> Mapping[str, Any]:
        row, seed = which
        settings: dict[str, Any] = {**row.settings, "seed": seed}
        arguments = dict(settings)
        if row.table is not None:
            settings["table"] = arguments["table"] = row.table
            file = self.data / DATASETS[row.table].file
            arguments["file"] = str(file)
            # What is measured follows from the table's content, wherever it lies.
            settings["data"] = hashlib.sha256(file.read_bytes()).hexdigest()
        again = self.again
        if row.keeps:
            folder = self.kept(row.name, seed)
            arguments["keep"] = str(folder)
            again = again or not (folder / KEPT["model"]).is_file()
        if row.after is not None:
            arguments["model"] = str(self.kept(row.after, 1))
        kept = Rows(self.cache or self.out / f"{self.name}-rows", self.code, again=again)
        fresh: list[float] = []

        def measure() -> Mapping[str, Any]:
            started = time.monotonic()
            figures = self._process(row, seed, arguments)
            fresh.append(time.monotonic() - started)
            return figures

        try:
            figures: Mapping[str, Any] = kept.row(row.name, {"kind": row.kind, **settings}, measure)
        except Failed as failure:
            print(f"{row.name}, seed {seed}: FAILED, {failure}", file=sys.stderr, flush=True)
            return {"failed": str(failure)}
        took = f"{fresh[0]:.0f} s" if fresh else "measured before"
        print(f"[{time.monotonic() - begun:5.0f} s] {row.name}, seed {seed}: {took}", file=sys.stderr, flush=True)
        return figures

    def _process(self, row: Row, seed: int, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        logs = self.out / f"{self.name}-logs"
        logs.mkdir(parents=True, exist_ok=True)
        log = logs / f"{row.name}-{seed}.log"
        # One thread of each library: two rows share the cores, and a sum over threads is not the same each time. The
        # judge's trees take two, which must not spin while they wait for a core that the other row has.
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(_BENCH), os.environ.get("PYTHONPATH"))))
        command = [sys.executable, "-m", "generator.worker", row.kind, json.dumps(arguments)]
        with log.open("w", encoding="utf-8") as told:
            done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=told, text=True, env=environment)
        lines = done.stdout.strip().splitlines()
        if done.returncode or not lines:
            last = (log.read_text(encoding="utf-8").strip().splitlines() or ["it said nothing"])[-1]
            raise Failed(f"{last} (status {done.returncode}; all of it in {log})")
        figures: Mapping[str, Any] = json.loads(lines[-1])
        return figures


def measure_rows(
    name: str,
    given: argparse.Namespace,
    rows: Sequence[Row],
    code_of: Callable[[Row], Callable[[], str]],
) -> Measured:
    """Measure the rows of a benchmark's command, or find them measured.

    Args:
        name: of the benchmark.
        given: the options that `harness.command` reads.
        rows: to measure.
        code_of: a row → what digests the code that its figures follow from. Rows of one code are measured together,
            those of the first row's code first.
    """
    data, out = find_folder(given.data), given.out.resolve()
    cache = given.cache.resolve() if given.cache else None
    parts: dict[Callable[[], str], list[Row]] = {}
    for row in rows:
        parts.setdefault(code_of(row), []).append(row)
    measured: dict[str, Sequence[Mapping[str, Any]]] = {}
    for code, part in parts.items():
        runner = Runner(data, out, code(), again=given.again, at_once=given.at_once, name=name, cache=cache)
        measured |= runner.measure(part)
    return measured
