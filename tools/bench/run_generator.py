"""Measure what simulated consortia make, and hold it to the numbers it must reach: `make bench-generator`.

Writes build/bench/generator.json, generator.md and pictures, prints the tables, and ends with status 1 when a number
is missed or a row failed. A row that was measured with this very code, data and settings is kept in
build/bench/generator-rows and not measured again, so a run that was stopped goes on.
"""

import argparse
import json
import pathlib
import sys
import time
from collections.abc import Mapping
from typing import Any

from generator.datasets import find_folder
from generator.numbers import verdicts
from generator.others import DIGITS, GROWTH
from generator.pictures import draw
from generator.report import describe
from generator.rows import full_rows, quick_rows
from generator.running import Runner
from harness.cache import code_digest
from harness.documents import write_block
from harness.machine import machine
from harness.peer_environment import make_environment
from harness.verdicts import failed, verdict_documents

ROOT = pathlib.Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "benchmarks.md"
# How figures are judged, shown and gathered changes none of them.
SHOWN = {
    "ablation.py",
    "ablation_report.py",
    "numbers.py",
    "pictures.py",
    "report.py",
    "rows.py",
    "running.py",
}


def measured_code() -> str:
    """A digest over the code that figures are of, and the code that measures it."""
    bench, sdk = ROOT / "tools" / "bench", ROOT / "sdk" / "headwater"
    rooms = ("contribution", "encoding", "evaluation", "generator", "images", "mixture", "privacy", "recipe", "schema")
    measuring = [path for path in sorted((bench / "generator").glob("*.py")) if path.name not in SHOWN]
    # Beside the rooms: what a plan says unasked, the ring that sums are taken in, who holds which rows.
    files = [sdk / name for name in ("agreement/plan.py", "secagg/crypto/ring.py", "canonical.py", "model_header.py")]
    server = ROOT / "server" / "headwater_server"
    told = [server / "runs" / name for name in ("released.py", "round_words.py")]
    held = [server / name for name in ("shared_table.py", "drafting.py", "demo/alone.py")]
    simulation = [server / "simulation", *held, *told]
    return code_digest(
        [
            *(sdk / room for room in rooms),
            *files,
            *simulation,
            *measuring,
            bench / "quality.py",
            bench / "peers" / "ctgan_costs.py",
            *(file for file in (DIGITS, GROWTH) if file.is_file()),
            ROOT / "constraints.txt",
        ]
    )


def main() -> None:
    """Measure, judge, write, print."""
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument(
        "--data", type=pathlib.Path, help="folder with the tables; shared/data beside this by default"
    )
    arguments.add_argument("--quick", action="store_true", help="one seed of what is soon done, without the peer")
    arguments.add_argument("--only", nargs="*", help="begins of rows' names; all by default")
    arguments.add_argument("--again", action="store_true", help="measure rows that are there already")
    arguments.add_argument("--write-docs", action="store_true", help="put the tables into docs/benchmarks.md")
    arguments.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build/bench"))
    given = arguments.parse_args()
    rows = quick_rows() if given.quick else full_rows()
    if given.only:
        rows = [row for row in rows if row.name.startswith(tuple(given.only))]
        if not rows:
            arguments.error(f"--only {' '.join(given.only)}: no row's name begins so")
    if any(row.kind == "ctgan" for row in rows) and (why := make_environment("ctgan")):
        print(f"ctgan: left out, {why}", file=sys.stderr, flush=True)
        rows = [row for row in rows if row.kind != "ctgan"]
    begun = time.monotonic()
    measured = Runner(find_folder(given.data), given.out.resolve(), measured_code(), again=given.again).measure(rows)
    judged = verdicts(measured)
    document: Mapping[str, Any] = {
        "machine": machine(),
        "wall_seconds": round(time.monotonic() - begun),
        "rows": measured,
        "verdicts": verdict_documents(judged),
    }
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "generator.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    text = describe(document)
    (given.out / "generator.md").write_text(text + "\n", encoding="utf-8")
    pictures = draw(measured, given.out)
    print(text)
    if given.write_docs:
        write_block(DOCUMENT, "generator", "make bench-generator", text, pictures)
    broken = [name for name, seeds in measured.items() if any("failed" in figures for figures in seeds)]
    if broken:
        print(f"error: rows failed: {', '.join(broken)}", file=sys.stderr)
    if broken or failed(judged):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
