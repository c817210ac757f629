"""Whether the p-values of attacks on honest tables are at most uniform: their shares below .05, .01 and .001.

Usage: python tools/bench/null_chances.py --tables 400 --rows 1000 [--check copies.rare …] [--synthetic fresh.csv
           --schema schema.toml --group sex --secret occupation]

Each table is honest: training rows, holdout and synthetic rows are as many fresh rows each of the tests' reference law,
or three parts of a table that is given, drawn by chance. A share above what it stands under by more than chance (the
last column, the probability of so many at that rate) is a fault of the check.

Measured at 1,000 rows: shares below .05, .01 and .001. Of 500 tables: copies.rare .022, .002, 0 (values), .01, .002,
0 (combinations); copies.near .006, 0, 0. Of 200: copies.partial 0, 0, 0.
Of 300: membership at most .067, .020, .003 over all attacks, groups and outliers; linkability .043, .010, 0; inference
.050, .017, 0. No share is above what chance alone shows: the least probable of these 22 has probability .08.
"""

import argparse
import pathlib
import sys
import time
from collections import defaultdict

import numpy as np

from headwater.audit.checks import all_checks
from headwater.audit.controls import chance
from headwater.audit.expectations import begins
from headwater.audit.running import run_checks
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import AuditRows
from headwater.evidence.intervals import binomial_at_least
from headwater.evidence.settings import AuditSettings
from headwater.schema import Schema
from headwater.schema.conform import conform
from headwater.schema.reading import read_arrow

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tests"))

from support.reference_generators import SETTINGS, law

LEVELS = (0.05, 0.01, 0.001)
CHECKS = ("membership", "linkability", "inference", "copies")


def main() -> None:
    """Attack honest tables, print shares of small p-values by check and subject."""
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--tables", type=int, default=400, help="how many; 400 by default")
    arguments.add_argument("--first", type=int, default=1, help="seed of the first; 1 by default")
    arguments.add_argument("--rows", type=int, default=1000, help="of each of the three parts; 1000 by default")
    arguments.add_argument("--check", action="append", default=[], help="only checks whose names begin so")
    arguments.add_argument("--synthetic", type=pathlib.Path, help="rows of one law, at least three parts of them")
    arguments.add_argument("--schema", type=pathlib.Path, help="its schema, TOML")
    for option in ("group", "secret"):
        arguments.add_argument(f"--{option}", action="append", default=[], help="as headwater audit takes it")
    given = arguments.parse_args()
    wanted = tuple(given.check) or CHECKS
    settings, whole = SETTINGS, None
    if given.synthetic and given.schema:
        settings = AuditSettings(groups=tuple(given.group), secrets=tuple(given.secret))
        whole, _ = conform(read_arrow(given.synthetic), Schema.from_toml(given.schema.read_text(encoding="utf-8")))
    chances: dict[str, list[float]] = defaultdict(list)
    began = time.process_time()
    for seed in range(given.first, given.first + given.tables):
        random = np.random.default_rng([seed, 7])
        if whole is None:
            train, holdout, synthetic = (law(given.rows, random) for _ in range(3))
        else:
            order = random.permutation(whole.rows)
            train, holdout, synthetic = (whole.take(order[at * given.rows :][: given.rows]) for at in range(3))
        checks = [
            check
            for check in all_checks(Candidate(synthetic), settings)
            if any(begins(check.name, name) for name in wanted)
        ]
        for measure in run_checks(checks, AuditRows(train, holdout), seed, time.process_time).measures:
            if (p := chance(measure)) is not None:
                chances[measure.name].append(p)
    print("| figure | tables | " + " | ".join(f"below {level:g}" for level in LEVELS) + " | chance of the worst |")
    print("| --- " * (len(LEVELS) + 3) + "|")
    for name, found in chances.items():
        below = [sum(p < level for p in found) for level in LEVELS]
        worst = min(binomial_at_least(times, len(found), level) for times, level in zip(below, LEVELS, strict=True))
        shares = " | ".join(f"{times / len(found):.4f}" for times in below)
        print(f"| {name} | {len(found)} | {shares} | {worst:.3g} |")
    print(f"{(time.process_time() - began) / given.tables:.2f} CPU seconds a table")


if __name__ == "__main__":
    main()
