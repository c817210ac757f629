"""Change one setting at a time and see what it was worth: `make bench-ablation`.

Writes build/bench/ablation.json and ablation.md and prints the tables. Every row is a simulation on the judge's
training rows alone, of which a fifth is held out again and judges: who chooses settings by these tables has not looked
at a test row. Rows that were measured with this code, data and settings are kept, as by run_generator.py.
"""

import argparse
import json
import pathlib

import quality
from generator.ablation import TABLES, ablation_rows
from generator.ablation_report import describe_ablation
from generator.datasets import DATASETS, find_folder
from generator.running import Runner
from harness.documents import PAGE, write_block
from harness.machine import machine
from run_generator import measured_code

__all__ = ["cut_training_rows"]


def cut_training_rows(data: pathlib.Path, folder: pathlib.Path) -> None:
    """Write the judge's training rows of each table, as tables of their own.

    Args:
        data: folder of the tables; what is not there is left out.
        folder: to write to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in TABLES:
        file = DATASETS[name].file
        if (data / file).is_file():
            train, _ = quality.split(quality.read(data / file))
            train.to_csv(folder / file, index=False)


def main() -> None:
    """Cut, measure, write, print."""
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument(
        "--data", type=pathlib.Path, help="folder with the tables; shared/data beside this by default"
    )
    arguments.add_argument("--only", nargs="*", help="begins of rows' names, such as magic-adversarial; all by default")
    arguments.add_argument("--again", action="store_true", help="measure rows that are there already")
    arguments.add_argument("--write-docs", action="store_true", help="put the tables into docs/benchmarks.md")
    arguments.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build/bench"))
    given = arguments.parse_args()
    rows = [row for row in ablation_rows() if not given.only or row.name.startswith(tuple(given.only))]
    if not rows:
        arguments.error(f"--only {' '.join(given.only)}: no row's name begins so")
    out = given.out.resolve()
    cut_training_rows(find_folder(given.data), out / "ablation-data")
    measured = Runner(out / "ablation-data", out, measured_code(), again=given.again).measure(rows)
    document = {"machine": machine(), "rows": measured}
    (out / "ablation.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    text = describe_ablation(document)
    (out / "ablation.md").write_text(text + "\n", encoding="utf-8")
    print(text)
    if given.write_docs:
        write_block(PAGE, "ablation", "make bench-ablation", text)
    if any("failed" in figures for seeds in measured.values() for figures in seeds):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
