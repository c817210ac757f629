"""Compare settings of a mixture on validation rows: the judge's training rows, split again by the judge.

    python tools/bench/choose_mixture.py --table magic.csv --set recipe.mixture.shrinkage=25

The first row has the defaults; each `--set` makes one more, `--set A=1,B=2` sets two at once (a comma inside brackets
belongs to the value). The judge's test rows are never read beyond the split that leaves them out.
"""

import argparse
import json
import math
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

import quality
from generator.datasets import DATASETS, find_folder

TARGETS = {dataset.file: dataset.target for dataset in DATASETS.values()}
FIGURES = ("tstr_gbm_auc", "trtr_gbm_auc", "tstr_lr_auc", "tvd1", "tvd2", "c2st_auc")


def run(table: pathlib.Path, target: str, seed: int, settings: list[str], out: pathlib.Path) -> dict[str, float]:
    """Simulate by the product's own command on training rows alone; the judge's figures and the attack's AUC.

    Returns:
        By figure; "attack" is no number where no organisation has a validation row.
    """
    command = [sys.executable, "-m", "headwater_server.cli", "simulate", "--data", str(table), "--target", target]
    command += ["--organisations", "5", "--recipe", "mixture", "--seed", str(seed), "--out", str(out)]
    for setting in settings:
        command += ["--set", setting]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    judged = quality.judge(quality.read(table), quality.read(out / "synthetic.csv"), target)
    attack = json.loads((out / "result.json").read_text(encoding="utf-8"))["attack"]
    return {figure: judged[figure] for figure in FIGURES} | {"attack": math.nan if attack is None else attack}


def main() -> None:
    """Print one row for the defaults and one for each setting."""
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--data", type=pathlib.Path, help="folder with the tables")
    arguments.add_argument("--table", choices=list(TARGETS), required=True)
    arguments.add_argument("--seeds", type=int, default=1)
    arguments.add_argument(
        "--set", action="append", default=[], help="NAME=VALUE, as of headwater-coordinator simulate"
    )
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        train, _ = quality.split(quality.read(find_folder(given.data) / given.table))
        table = folder / given.table.split(".")[0]
        table = table.with_suffix(".csv")
        train.to_csv(table, index=False)
        columns = (*FIGURES, "attack")
        print("| settings | " + " | ".join(columns) + " |\n" + "| --- " * (len(columns) + 1) + "|")
        for wanted in ["", *given.set]:
            settings = re.split(r",(?![^\[]*\])", wanted) if wanted else []
            runs = [
                run(table, TARGETS[given.table], seed, settings, folder / f"seed{seed}") for seed in range(given.seeds)
            ]
            means = [statistics.fmean(result[column] for result in runs) for column in columns]
            print(f"| {wanted or 'defaults'} | " + " | ".join(f"{mean:.4f}" for mean in means) + " |", flush=True)


if __name__ == "__main__":
    main()
