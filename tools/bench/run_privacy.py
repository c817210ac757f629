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
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from generator.datasets import DATASETS, find_folder
from generator.figures import Measured
from generator.rows import Row
from generator.running import Runner
from harness.cache import code_digest
from harness.documents import write_block
from harness.machine import machine
from harness.peer_environment import PACKAGES, make_environment
from harness.verdicts import failed, verdict_documents
from privacy.numbers import verdicts
from privacy.peers import public_domain
from privacy.pictures import draw
from privacy.report import describe
from privacy.rows import peer_rows, private_rows, quick_rows
from run_generator import DOCUMENT, ROOT, measured_code

__all__ = ["main", "peer_code"]

BENCH = ROOT / "tools" / "bench"


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
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument(
        "--data", type=pathlib.Path, help="folder with the tables; shared/data beside this by default"
    )
    arguments.add_argument("--quick", action="store_true", help="one seed of what is soon done, without peers")
    arguments.add_argument("--only", nargs="*", help="begins of rows' names; all by default")
    arguments.add_argument("--again", action="store_true", help="measure rows that are there already")
    arguments.add_argument("--write-docs", action="store_true", help="put the tables into docs/benchmarks.md")
    arguments.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build/bench"))
    arguments.add_argument("--cache", type=pathlib.Path, help="folder of finished rows; OUT/privacy-rows by default")
    arguments.add_argument("--at-once", type=int, default=2, help="rows measured beside each other; 2 by default")
    given = arguments.parse_args()
    rows, peers = (quick_rows(), []) if given.quick else (private_rows(), peer_rows())
    if given.only:
        rows, peers = ([row for row in part if row.name.startswith(tuple(given.only))] for part in (rows, peers))
        if not rows and not peers:
            arguments.error(f"--only {' '.join(given.only)}: no row's name begins so")
    begun = time.monotonic()
    measured = _measure(given, rows, peers)
    judged = verdicts(measured)
    document: Mapping[str, Any] = {
        "machine": machine(),
        "wall_seconds": round(time.monotonic() - begun),
        "rows": measured,
        "verdicts": verdict_documents(judged),
    }
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "privacy.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    text = describe(document)
    (given.out / "privacy.md").write_text(text + "\n", encoding="utf-8")
    pictures = draw(measured, given.out)
    print(text)
    if given.write_docs:
        write_block(DOCUMENT, "privacy", "make bench-privacy", text, pictures)
    broken = [name for name, seeds in measured.items() if any("failed" in figures for figures in seeds)]
    if broken:
        print(f"error: rows failed: {', '.join(broken)}", file=sys.stderr)
    if broken or failed(judged):
        raise SystemExit(1)


def _measure(given: argparse.Namespace, rows: Sequence[Row], peers: Sequence[Row]) -> Measured:
    data, out = find_folder(given.data), given.out.resolve()
    cache = given.cache.resolve() if given.cache else None
    if peers and (why := make_environment("dpmm")):
        print(f"dpmm: left out, {why}", file=sys.stderr, flush=True)
        peers = []

    def run(code: str, part: Sequence[Row]) -> Measured:
        runner = Runner(data, out, code, again=given.again, at_once=given.at_once, name="privacy", cache=cache)
        return runner.measure(part)

    # Ours first: a run that is stopped in the peers' has its own numbers.
    fits = [row for row in rows if row.kind == "fit"]
    ours = [row for row in rows if row.kind != "fit"]
    return {
        **(run(our_code(), ours) if ours else {}),
        **(run(fits_code(), fits) if fits else {}),
        **(run(peer_code(data), peers) if peers else {}),
    }


if __name__ == "__main__":
    main()
