"""Write four files of a real table that show what an audit says: training rows, holdout, a copier, a fresh sample.

Usage: python tools/make_copier.py --data adult.csv --out DIR [--target income] [--law LAW] [--share 0.05] [--rows N]

Then `headwater audit` with DIR/train.csv, DIR/holdout.csv, DIR/schema.toml, and as --synthetic DIR/copier.csv
fails and names copying; with DIR/fresh.csv it passes, which by default are real rows that stand in neither part. What
--law mixture draws is no sample of the same law but a generator's table, and is judged as such. Usefulness is judged by
the target: the one that is given, that of a table the benchmarks know, or else the last column if it is categorical.
"""

import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "bench"))

from audit.tables import LAWS, make
from audit.targets import target_of
from headwater.errors import HeadwaterError


def main() -> None:
    """Make the tables, write them, say what they hold."""
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--data", type=pathlib.Path, required=True, help="the real table: CSV, CSV.gz or Parquet")
    arguments.add_argument("--out", type=pathlib.Path, required=True, help="folder to write")
    arguments.add_argument("--target", help="column that models predict; see above for what it is without")
    arguments.add_argument(
        "--law",
        choices=LAWS,
        default="rows",
        help="rows: real rows of neither part, of half the size; mixture: fresh rows of a generator fitted to train; "
        "drawn: all rows drawn anew from one mixture",
    )
    arguments.add_argument("--share", type=float, default=0.05, help="of the copier's rows that are copies; 0.05")
    arguments.add_argument("--rows", type=int, default=0, help="of copier and sample; as many as train by default")
    arguments.add_argument("--seed", type=int, default=0, help="of all chance; 0 by default")
    given = arguments.parse_args()
    if not 0 < given.share <= 1:
        arguments.error(f"--share {given.share:g}: take a share above 0 and up to 1")
    try:
        target, why = target_of(given.data, given.target)
        made = make(given.data, target, law=given.law, share=given.share, rows=given.rows, seed=given.seed)
    except HeadwaterError as error:
        raise SystemExit(f"error: {error}") from None
    made.write(given.out)
    print(f"target: {target}, {why}" if target else f"no target: {why}; usefulness will be not applicable")
    copies = round(given.share * made.copier.rows)
    print(f"{given.out}: {made.train.rows:,} training and {made.holdout.rows:,} holdout rows; copier.csv of")
    print(f"{made.copier.rows:,} rows, {copies:,} of them training rows; fresh.csv of {made.fresh.rows:,}; schema.toml")


if __name__ == "__main__":
    main()
