"""Measure the catalogue beside nginx, curl and CTGAN, and hold it to the numbers to reach: `make bench-catalogue`.

Writes build/bench/catalogue.json and catalogue.md, prints the tables, and ends with status 1 when a number is missed
or a row failed. Needs wrk, curl and nginx. Every run measures afresh: only what was measured in one run can be
compared.
"""

from catalogue.measuring import measure
from catalogue.numbers import verdicts
from catalogue.pictures import draw
from catalogue.report import describe
from catalogue.rows import Row, catalogue_rows, quick_rows
from harness.command import Benchmark, run

__all__ = ["main"]


def _peer(row: Row) -> str | None:
    return row.peer


def main() -> None:
    """Measure, judge, write, print."""
    run(
        Benchmark(
            name="catalogue",
            about=__doc__.split("\n")[0],
            rows=lambda quick: quick_rows() if quick else catalogue_rows(),
            peer=_peer,
            measure=lambda given, rows: measure(given.data, rows),
            verdicts=verdicts,
            describe=describe,
            draw=draw,
            data="folder with adult.csv",
            peers="the largest of them",
            elsewhere=False,
        )
    )


if __name__ == "__main__":
    main()
