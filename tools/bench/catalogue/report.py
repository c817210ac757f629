"""The figures of the catalogue as tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from catalogue.drawing_report import sampling, very_many
from catalogue.numbers import cell, median_of, there, verdicts
from generator.figures import Measured
from harness.tables import mebibytes, seconds, table, verdict_table

__all__ = ["describe"]

_PAGES = {
    "page-index": "list of 21 datasets, eight connections",
    "page-dataset": "one dataset, eight connections",
    "while-file": "list of datasets, one connection, while a reader takes the file as fast as it comes",
}
_SERVERS = {
    "ours": "the coordinator",
    "nginx": "nginx, buffers as they come",
    "tuned": "nginx, `ssl_buffer_size 64k`, `output_buffers 2 512k`",
}


def describe(document: Mapping[str, Any]) -> str:
    """All tables, one behind the other, as Markdown.

    Args:
        document: machine, rows.
    """
    measured: Measured = document["rows"]
    parts = [
        f"{document['machine']}. Medians of takes; the span in brackets.",
        _pages(measured),
        _files(measured),
        _readers(measured),
        sampling(measured),
        very_many(measured),
        "#### Numbers to reach\n\n" + verdict_table(verdicts(measured)),
    ]
    return "\n\n".join(part for part in parts if part)


def _pages(measured: Measured) -> str:
    lines: list[Sequence[str]] = []
    for row, words in _PAGES.items():
        if there(measured, row):
            cpu = median_of(measured, row, "cpu") if row.startswith("page") else None
            lines.append(
                (
                    words,
                    cell(measured, row, "rate"),
                    cell(measured, row, "median", 1e3, 1),
                    cell(measured, row, "slowest", 1e3, 1),
                    "–" if cpu is None else seconds(cpu),
                )
            )
    if not lines:
        return ""
    head = ("page", "requests per second", "median, ms", "99 of 100 within, ms", "coordinator's CPU each")
    return "#### Pages\n\n" + table(head, lines)


def _files(measured: Measured) -> str:
    if not there(measured, "file"):
        return ""
    size = median_of(measured, "file", "bytes") or 0.0
    lines = []
    for server, words in _SERVERS.items():
        wall = median_of(measured, "file", f"{server}_seconds") or float("nan")
        cpu = median_of(measured, "file", f"{server}_cpu") or float("nan")
        took = cell(measured, "file", f"{server}_seconds", 1.0, 2)
        lines.append((words, took, f"{size / wall / 1e6:,.0f}", seconds(cpu)))
    head = ("server", "wall seconds", "MB per second", "server's CPU")
    return f"#### A file of {size / 2**30:.3f} GiB by curl, TLS 1.3\n\n" + table(head, lines)


def _readers(measured: Measured) -> str:
    lines: list[Sequence[str]] = []
    if there(measured, "sdk"):
        ours, curl = (cell(measured, "sdk", f"{who}_seconds", 1.0, 2) for who in ("ours", "curl"))
        lines += [("SDK: download, digests, signatures; seconds", ours), ("curl to the same disk; seconds", curl)]
    if there(measured, "slow-readers"):
        readers = round(median_of(measured, "slow-readers", "readers") or 0)
        held = mebibytes(median_of(measured, "slow-readers", "held") or float("nan"))
        lines.append((f"coordinator's memory for {readers} readers who take nothing", held))
    return "#### Readers\n\n" + table(("what", "measured"), lines) if lines else ""
