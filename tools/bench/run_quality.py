"""Simulate a consortium on real tables and judge what comes out: `make bench-quality DATA=FOLDER`.

Writes build/bench/quality.json and prints one row a table. Needs a folder with adult.csv, credit.csv, magic.csv or
diabetes130.csv.gz (UCI, CC BY 4.0); tables that are not there are named and left out.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import time

import quality
from generator.datasets import DATASETS, find_folder

TARGETS = {dataset.file: dataset.target for dataset in DATASETS.values()}
FIGURES = ("tstr_gbm_auc", "tstr_lr_auc", "tvd1", "tvd2", "c2st_auc", "trtr_gbm_auc", "trtr_lr_auc", "floor_tvd2")


def simulate(table: pathlib.Path, target: str, partition: str, recipe: str, out: pathlib.Path) -> None:
    """Run the product's own command."""
    program = pathlib.Path(sys.executable).parent / "headwater-coordinator"
    command = [str(program), "simulate", "--data", str(table), "--target", target, "--organisations", "5"]
    subprocess.run([*command, "--partition", partition, "--recipe", recipe, "--out", str(out)], check=True)


def main() -> None:
    """Judge every table that is there."""
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument(
        "--data", type=pathlib.Path, help="folder with the tables; shared/data beside this by default"
    )
    arguments.add_argument("--tables", nargs="*", default=list(TARGETS), help="file names; all by default")
    arguments.add_argument("--partition", default="iid")
    arguments.add_argument("--recipe", default="hybrid", help="as of headwater-coordinator simulate")
    given = arguments.parse_args()
    build = pathlib.Path("build/bench")
    build.mkdir(parents=True, exist_ok=True)
    results, folder = {}, find_folder(given.data)
    for name in given.tables:
        table = folder / name
        if not table.is_file():
            print(f"{name}: not in {folder}, left out")
            continue
        out = build / f"sim-{name.split('.')[0]}"
        started = time.perf_counter()
        simulate(table, TARGETS[name], given.partition, given.recipe, out)
        seconds = time.perf_counter() - started
        figures = quality.judge(quality.read(table), quality.read(out / "synthetic.csv"), TARGETS[name])
        results[name] = figures | {
            "simulate_seconds": round(seconds, 1),
            "partition": given.partition,
            "recipe": given.recipe,
        }
    (build / "quality.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print("| table | seconds | " + " | ".join(FIGURES) + " |")
    print("| --- " * (len(FIGURES) + 2) + "|")
    for name, figures in results.items():
        row = " | ".join(f"{figures[figure]:.3f}" for figure in FIGURES)
        print(f"| {name} | {figures['simulate_seconds']:.0f} | {row} |")


if __name__ == "__main__":
    main()
