"""The figures of drawing rows as tables: on one core beside CTGAN, and very many of them."""

from collections.abc import Sequence

from catalogue.numbers import cell, ratio_of_medians, there
from catalogue.pictures import ENGINES, SHARDS
from catalogue.shards import TARGET, Run, line_of, runs_of
from generator.figures import Measured
from harness.tables import mebibytes, table

__all__ = ["sampling", "very_many"]

_GENERATORS = {
    "sampling-mixture": "mixture, rows written as Parquet",
    "sampling-hybrid": "refined hybrid, rows written as Parquet",
}


def sampling(measured: Measured) -> str:
    """Rows a second of each generator, beside CTGAN's between them; "" where none was measured."""
    rows = [row for row in _GENERATORS if there(measured, row)]
    if not rows:
        return ""
    lines: list[Sequence[str]] = []
    for row in rows:
        times = ratio_of_medians(measured, row, "cpu_rate", "peer_cpu_rate")
        rates = (cell(measured, row, f"{which}_rate") for which in ("cpu", "wall"))
        lines.append((_GENERATORS[row], *rates, "–" if times is None else f"{times:.1f}"))
        peer = (cell(measured, row, f"peer_{which}_rate") for which in ("cpu", "wall"))
        lines.append(("CTGAN's `sample` beside it, nothing written", *peer, "1"))
    take = next(take for take in measured[rows[0]] if "failed" not in take)
    head = ("what is drawn", "rows a CPU second", "rows a second", "times CTGAN")
    return f"#### {take['rows']:,} rows of {take['table']} on one core\n\n" + table(head, lines)


def very_many(measured: Measured) -> str:
    """Seconds, memory and bytes of each size and engine, what follows for 10^8 rows, and the picture."""
    found = runs_of(measured)
    if not found:
        return ""
    lines = [_line(ENGINES[engine], run) for engine, runs in found.items() for run in runs]
    head = ("engine", "rows", "seconds", "peak memory of all processes", "bytes a row")
    said = [text for engine, runs in found.items() if (text := _beyond(ENGINES[engine], runs))]
    parts = ["#### Very many rows\n\n" + table(head, lines)]
    if said:
        parts += ["\n".join(said), f"![Seconds and memory against rows]({SHARDS})"]
    return "\n\n".join(parts)


def _line(engine: str, run: Run) -> Sequence[str]:
    return engine, f"{run.rows:,}", f"{run.seconds:,.1f}", mebibytes(run.peak), f"{run.size / run.rows:.1f}"


def _beyond(engine: str, runs: Sequence[Run]) -> str:
    line = line_of(runs)
    if line is None:
        return ""
    size = runs[-1].size / runs[-1].rows * TARGET / 2**30
    return (
        f"- {engine}: {max(line.start, 0):.1f} s before the first row, {line.rate:,.0f} rows a second from there on. "
        f"10^8 rows by this line, not measured: {line.seconds(TARGET) / 60:,.1f} minutes, {size:.2f} GiB of files."
    )
