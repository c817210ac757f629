"""Measure what private releases are worth beside peers, and hold it to the numbers it must reach: `make bench-privacy`.

Writes build/bench/privacy.json, privacy.md and pictures, prints the tables, and ends with status 1 when a number is
missed or a row failed. A row that was measured with this very code, data and settings is kept in
build/bench/privacy-rows and not measured again, so a run that was stopped goes on. Peers' rows follow from their own
code alone.
"""

import argparse
import hashlib
import json
import pathlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from generator.datasets import DATASETS, find_folder
from generator.figures import Measured
from generator.rows import Row
from generator.running import measure_rows
from harness.cache import code_digest
from harness.command import Benchmark, run
from harness.peer_environment import PACKAGES
from privacy.numbers import verdicts
from privacy.peers import public_domain
from privacy.pictures import draw
from privacy.report import describe
from privacy.rows import peer_rows, private_rows, quick_rows
from run_generator import measured_code

__all__ = ["main", "peer_code"]

BENCH = pathlib.Path(__file__).parent


def our_code() -> str:
    """A digest over the code that our figures are of, and the code that measures it."""
    shown = {"numbers.py", "peers.py", "pictures.py", "report.py", "rows.py"}
    own = [path for path in sorted((BENCH / "privacy").glob("*.py")) if path.name not in shown]
    own += [path for path in (BENCH / "peers" / "opacus_step.py",) if path.is_file()]
    return hashlib.sha256((measured_code() + code_digest(own)).encode()).hexdigest()


def fits_code() -> str:
    """A digest over what the figures of other fits follow from: of ours, whose rounds they share, and their own."""
    return hashlib.sha256((our_code() + code_digest([BENCH / "privacy" / "fits"])).encode()).hexdigest()


def peer_code(data: pathlib.Path) -> str:
    """A digest over what peers' figures follow from: their packages, our script, the judge, and what is public."""
    measuring = ["quality.py", "generator/judging.py", "privacy/peers.py", "peers/dpmm_tables.py"]
    adult = DATASETS["adult"]
    public = json.dumps(public_domain(data / adult.file, adult.target)) if (data / adult.file).is_file() else ""
    text = code_digest(BENCH / name for name in measuring) + "\n".join(PACKAGES["dpmm"]) + public
    return hashlib.sha256(text.encode()).hexdigest()


def main() -> None:
    """Measure, judge, write, print."""
    run(
        Benchmark(
            name="privacy",
            about=__doc__.split("\n")[0],
            # Ours first: a run that is stopped in the peers' has its own numbers.
            rows=lambda quick: quick_rows() if quick else [*private_rows(), *peer_rows()],
            peer=lambda row: "dpmm" if row.kind == "dpmm" else None,
            measure=_measure,
            verdicts=verdicts,
            describe=describe,
            draw=draw,
        )
    )


def _measure(given: argparse.Namespace, rows: Sequence[Row]) -> Measured:
    peers = partial(peer_code, find_folder(given.data))
    codes: Mapping[str, Callable[[], str]] = {"fit": fits_code, "dpmm": peers}
    return measure_rows("privacy", given, rows, lambda row: codes.get(row.kind, our_code))


if __name__ == "__main__":
    main()
