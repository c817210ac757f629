"""Measure secure aggregation and hold it to the numbers it must reach: `make bench-secagg`.

Writes build/bench/secagg.json and secagg.svg, prints tables, and ends with status 1 when a number is missed. A row
that was measured with this very code and these settings is kept in build/bench/secagg-rows and not measured again.
"""

import argparse
import json
import pathlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

import secagg_rounds
from harness.cache import Rows, code_digest
from harness.machine import machine
from harness.verdicts import failed, verdict_documents
from secagg.ceilings import measure_ceilings
from secagg.costs import cells, dropout_cells, measure_cell
from secagg.growth import measure_growth
from secagg.plot import draw
from secagg.report import describe, verdicts

ROOT = pathlib.Path(__file__).parents[2]
SECTIONS = "abcde"
TITLES = {"a": "costs", "b": "loopback", "c": "ceilings", "d": "growth", "e": "dropouts"}


def measured_code() -> str:
    """A digest over the code that the figures are of, the code that measures it, and the peer's version."""
    bench = ROOT / "tools" / "bench"
    peer = bench / "peers" / "flower_secagg.py"
    roots = [ROOT / "sdk/headwater/secagg", ROOT / "sdk/headwater/recipe", peer, bench / "secagg_rounds.py"]
    wire = [ROOT / "server/headwater_server/services", ROOT / "client/headwater_client/transport"]
    # How figures are judged and shown changes none of them.
    shown = {"figures.py", "plot.py", "report.py"}
    measuring = [path for path in sorted((bench / "secagg").glob("*.py")) if path.name not in shown]
    return code_digest([*roots, *wire, *measuring, ROOT / "constraints.txt"])


def plan(letter: str, *, quick: bool) -> list[tuple[dict[str, Any], Callable[[], Any]]]:
    """The rows of one section: settings, and what measures them."""
    if letter in "ae":
        listed = cells(quick=quick) if letter == "a" else dropout_cells(quick=quick)
        return [(asdict(cell), partial(measure_cell, cell)) for cell in listed]
    if letter == "b":
        settings = {"rounds": 10 if quick else 40, "members": 10, "length": 10**5}
        return [(settings, partial(secagg_rounds.measure, **settings))]
    if letter == "c":
        sizes = {"masks": 10, "length": 10**6 if quick else 10**7, "repeats": 7}
        return [(sizes, partial(measure_ceilings, **sizes))]
    grown = [(10, 10**4), (50, 10**4)] if quick else [(n, size) for size in (10**4, 10**6) for n in (10, 50, 200, 1000)]
    return [({"count": count, "length": length}, partial(measure_growth, count, length)) for count, length in grown]


def measure(letters: str, rows: Rows, *, quick: bool) -> dict[str, list[Mapping[str, Any]]]:
    """Measure the sections, row by row, saying which one is under way."""
    sections: dict[str, list[Mapping[str, Any]]] = {}
    for letter in letters:
        sections[letter] = []
        for settings, work in plan(letter, quick=quick):
            told = ", ".join(f"{name} {value}" for name, value in settings.items() if value not in (0, False))
            print(f"({letter}) {TITLES[letter]}: {told}", file=sys.stderr, flush=True)
            sections[letter].append({"settings": settings, "row": rows.row(TITLES[letter], settings, work)})
    return sections


def main() -> None:
    """Measure, print, write, and judge."""
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--only", default=",".join(SECTIONS), help="sections, such as a,c")
    arguments.add_argument("--quick", action="store_true", help="small sizes alone; judges what they measure")
    arguments.add_argument("--again", action="store_true", help="measure rows that are there already")
    arguments.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build/bench"))
    given = arguments.parse_args()
    letters = "".join(sorted(set(given.only.replace(",", "").replace(" ", ""))))
    if not letters or not set(letters) <= set(SECTIONS):
        arguments.error(f"--only takes letters of {', '.join(SECTIONS)}, '{given.only}' was given")
    rows = Rows(given.out / "secagg-rows", measured_code(), again=given.again)
    sections = measure(letters, rows, quick=given.quick)
    judged = verdicts(sections)
    where = f"{machine()}; CPU seconds, medians of one run."
    document = {"machine": where, "sections": sections, "verdicts": verdict_documents(judged)}
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "secagg.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    draw(sections, given.out / "secagg.svg")
    print(describe(sections, where))
    if failed(judged):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
