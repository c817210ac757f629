"""Measure audits beside peers, and hold them to the numbers they must reach: `make bench-audit`.

Writes build/bench/audit.json and audit.md, prints the tables, and ends with status 1 when a number is missed or a row
failed. A row that was measured with this very code, data and settings is kept in build/bench/audit-rows and not
measured again, so a run that was stopped goes on. Peers' rows follow from their own code and our tables alone.
"""

import argparse
import hashlib
import json
import pathlib
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from audit.numbers import verdicts
from audit.report import describe
from audit.rows import PEERS, audit_rows, peer_rows, quick_rows
from generator.datasets import find_folder
from generator.figures import Measured
from generator.rows import Row
from generator.running import Runner
from harness.cache import code_digest
from harness.documents import write_block
from harness.machine import machine
from harness.peer_environment import PACKAGES, make_environment
from harness.verdicts import failed, verdict_documents
from run_generator import DOCUMENT, ROOT

__all__ = ["main", "our_code", "peer_code"]

BENCH = ROOT / "tools" / "bench"
_AUDIT = ("audit", "evaluation", "evidence", "release", "schema", "cli")


def our_code() -> str:
    """A digest over the code that our figures are of, and the code that measures it."""
    own = [ROOT / "sdk" / "headwater" / room for room in _AUDIT]
    measuring = [BENCH / "audit" / name for name in ("measuring.py", "tables.py")]
    policies = sorted((ROOT / "sdk" / "headwater" / "release" / "policy").glob("*.toml"))
    return hashlib.sha256((code_digest([*own, *measuring]) + code_digest(policies)).encode()).hexdigest()


def peer_code() -> str:
    """A digest over what peers' figures follow from: their packages, our scripts, the tables, the halves."""
    measuring = [BENCH / "audit" / name for name in ("peers.py", "tables.py")]
    measuring += [BENCH / "peers" / name for name in ("sdmetrics_dcr.py", "anonymeter_linkability.py")]
    measuring.append(ROOT / "sdk" / "headwater" / "audit" / "linkability.py")
    packages = "\n".join(package for peer in PEERS for package in PACKAGES[peer])
    return hashlib.sha256((code_digest(measuring) + packages).encode()).hexdigest()


def main() -> None:
    """Measure, judge, write, print."""
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument(
        "--data", type=pathlib.Path, help="folder with adult.csv; shared/data beside this by default"
    )
    arguments.add_argument("--quick", action="store_true", help="one seed of what is soon done, without peers")
    arguments.add_argument("--only", nargs="*", help="begins of rows' names; all by default")
    arguments.add_argument("--again", action="store_true", help="measure rows that are there already")
    arguments.add_argument("--write-docs", action="store_true", help="put the tables into docs/benchmarks.md")
    arguments.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build/bench"))
    arguments.add_argument("--cache", type=pathlib.Path, help="folder of finished rows; OUT/audit-rows by default")
    arguments.add_argument("--at-once", type=int, default=2, help="rows measured beside each other; 2 by default")
    given = arguments.parse_args()
    rows, peers = (quick_rows(), []) if given.quick else (audit_rows(), peer_rows())
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
    (given.out / "audit.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    text = describe(document)
    (given.out / "audit.md").write_text(text + "\n", encoding="utf-8")
    print(text)
    if given.write_docs:
        write_block(DOCUMENT, "audit", "make bench-audit", text)
    broken = [name for name, seeds in measured.items() if any("failed" in figures for figures in seeds)]
    if broken:
        print(f"error: rows failed: {', '.join(broken)}", file=sys.stderr)
    if broken or failed(judged):
        raise SystemExit(1)


def _measure(given: argparse.Namespace, rows: Sequence[Row], peers: Sequence[Row]) -> Measured:
    data, out = find_folder(given.data), given.out.resolve()
    cache = given.cache.resolve() if given.cache else None
    for peer in PEERS:
        if any(row.settings["peer"] == peer for row in peers) and (why := make_environment(peer)):
            print(f"{peer}: left out, {why}", file=sys.stderr, flush=True)
            peers = [row for row in peers if row.settings["peer"] != peer]

    def run(code: str, part: Sequence[Row]) -> Measured:
        runner = Runner(data, out, code, again=given.again, at_once=given.at_once, name="audit", cache=cache)
        return runner.measure(part)

    return {**(run(our_code(), rows) if rows else {}), **(run(peer_code(), peers) if peers else {})}


if __name__ == "__main__":
    main()
