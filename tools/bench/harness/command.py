"""The frame of a benchmark of rows: those that are asked for are measured, judged, written down and printed."""

import argparse
import json
import pathlib
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from harness.documents import PAGE, write_block
from harness.machine import machine
from harness.peer_environment import make_environment
from harness.verdicts import Verdict, failed, verdict_documents

__all__ = ["Benchmark", "Figures", "Named", "run"]

Figures = Mapping[str, Sequence[Mapping[str, Any]]]
"""Row → its figures, one for each seed; `{"failed": why}` for a seed that came to nothing."""


class Named(Protocol):
    """What a benchmark measures: a row with a name, by which `--only` picks it."""

    @property
    def name(self) -> str:
        """Unique among the rows."""


RowT = TypeVar("RowT", bound=Named)


def _no_pictures(measured: Figures, folder: pathlib.Path) -> Iterable[pathlib.Path]:
    return ()


@dataclass(frozen=True)
class Benchmark(Generic[RowT]):
    """What tells one benchmark from another.

    Attributes:
        name: its files begin with it, `make bench-NAME` runs it, and its block of `PAGE` is called so.
        about: one sentence for `--help`.
        rows: every row in the order of measuring; `True`: those of `--quick` alone.
        peer: whose environment a row needs; None for a row that needs none.
        measure: takes the options and rows, returns their figures.
        verdicts: holds figures to the numbers that they must reach.
        describe: the document as Markdown.
        draw: writes pictures into a folder and returns their files.
        data: what `--data` names, in words.
        peers: what `--quick` leaves out, in words.
        elsewhere: whether there are `--cache` and `--at-once`.
    """

    name: str
    about: str
    rows: Callable[[bool], Sequence[RowT]]
    peer: Callable[[RowT], str | None]
    measure: Callable[[argparse.Namespace, Sequence[RowT]], Figures]
    verdicts: Callable[[Figures], Sequence[Verdict]]
    describe: Callable[[Mapping[str, Any]], str]
    draw: Callable[[Figures, pathlib.Path], Iterable[pathlib.Path]] = _no_pictures
    data: str = "folder with the tables"
    peers: str = "peers"
    elsewhere: bool = True


def run(benchmark: Benchmark[RowT]) -> None:
    """Read the command line, measure, judge, write, print.

    Raises:
        SystemExit: status 1, a number is missed or a row failed; status 2, a wrong command line.
    """
    arguments = _arguments(benchmark)
    given = arguments.parse_args()
    rows = benchmark.rows(given.quick)
    if given.only:
        rows = [row for row in rows if row.name.startswith(tuple(given.only))]
        if not rows:
            arguments.error(f"--only {' '.join(given.only)}: no row's name begins so")
    rows = _with_environments(benchmark, rows)
    begun = time.monotonic()
    measured = benchmark.measure(given, rows)
    judged = benchmark.verdicts(measured)
    document: Mapping[str, Any] = {
        "machine": machine(),
        "wall_seconds": round(time.monotonic() - begun),
        "rows": measured,
        "verdicts": verdict_documents(judged),
    }
    name, out = benchmark.name, given.out
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    text = benchmark.describe(document)
    (out / f"{name}.md").write_text(text + "\n", encoding="utf-8")
    pictures = benchmark.draw(measured, out)
    print(text)
    if given.write_docs:
        write_block(PAGE, name, f"make bench-{name}", text, pictures)
    broken = [row for row, seeds in measured.items() if any("failed" in figures for figures in seeds)]
    if broken:
        print(f"error: rows failed: {', '.join(broken)}", file=sys.stderr)
    if broken or failed(judged):
        raise SystemExit(1)


def _arguments(benchmark: Benchmark[RowT]) -> argparse.ArgumentParser:
    arguments, kept = argparse.ArgumentParser(description=benchmark.about), f"OUT/{benchmark.name}-rows"
    arguments.add_argument("--data", type=pathlib.Path, help=f"{benchmark.data}; shared/data beside this by default")
    arguments.add_argument(
        "--quick", action="store_true", help=f"one seed of what is soon done, without {benchmark.peers}"
    )
    arguments.add_argument("--only", nargs="*", help="begins of rows' names; all by default")
    arguments.add_argument("--again", action="store_true", help="measure rows that are there already")
    arguments.add_argument("--write-docs", action="store_true", help="put the tables into docs/benchmarks.md")
    arguments.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build/bench"))
    if benchmark.elsewhere:
        arguments.add_argument("--cache", type=pathlib.Path, help=f"folder of finished rows; {kept} by default")
        arguments.add_argument("--at-once", type=int, default=2, help="rows measured beside each other; 2 by default")
    else:
        arguments.set_defaults(cache=None, at_once=2)
    return arguments


def _with_environments(benchmark: Benchmark[RowT], rows: Sequence[RowT]) -> Sequence[RowT]:
    """The rows whose peers have environments; says which peers have none, and why."""
    for peer in dict.fromkeys(benchmark.peer(row) for row in rows):
        if peer is not None and (why := make_environment(peer)):
            print(f"{peer}: left out, {why}", file=sys.stderr, flush=True)
            rows = [row for row in rows if benchmark.peer(row) != peer]
    return rows
