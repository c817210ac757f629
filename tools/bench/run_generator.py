"""Measure what simulated consortia make, and hold it to the numbers it must reach: `make bench-generator`.

Writes build/bench/generator.json, generator.md and pictures, prints the tables, and ends with status 1 when a number
is missed or a row failed. A row that was measured with this very code, data and settings is kept in
build/bench/generator-rows and not measured again, so a run that was stopped goes on.
"""

import pathlib

from generator.numbers import verdicts
from generator.others import DIGITS, GROWTH
from generator.pictures import draw
from generator.report import describe
from generator.rows import full_rows, quick_rows
from generator.running import measure_rows
from harness.cache import code_digest
from harness.command import Benchmark, run

ROOT = pathlib.Path(__file__).parents[2]
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
    run(
        Benchmark(
            name="generator",
            about=__doc__.split("\n")[0],
            rows=lambda quick: quick_rows() if quick else full_rows(),
            peer=lambda row: "ctgan" if row.kind == "ctgan" else None,
            measure=lambda given, rows: measure_rows("generator", given, rows, lambda _: measured_code),
            verdicts=verdicts,
            describe=describe,
            draw=draw,
            peers="the peer",
            elsewhere=False,
        )
    )


if __name__ == "__main__":
    main()
