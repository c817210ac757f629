"""Measure audits beside peers, and hold them to the numbers they must reach: `make bench-audit`.

Writes build/bench/audit.json and audit.md, prints the tables, and ends with status 1 when a number is missed or a row
failed. A row that was measured with this very code, data and settings is kept in build/bench/audit-rows and not
measured again, so a run that was stopped goes on. Peers' rows follow from their own code and our tables alone.
"""

import hashlib
import pathlib

from audit.numbers import verdicts
from audit.report import describe
from audit.rows import PEERS, audit_rows, peer_rows, quick_rows
from generator.rows import Row
from generator.running import measure_rows
from harness.cache import code_digest
from harness.command import Benchmark, run
from harness.peer_environment import PACKAGES

__all__ = ["main", "our_code", "peer_code"]

ROOT = pathlib.Path(__file__).parents[2]
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


def _peer(row: Row) -> str | None:
    peer: str | None = row.settings.get("peer")
    return peer


def main() -> None:
    """Measure, judge, write, print."""
    run(
        Benchmark(
            name="audit",
            about=__doc__.split("\n")[0],
            rows=lambda quick: quick_rows() if quick else [*audit_rows(), *peer_rows()],
            peer=_peer,
            measure=lambda given, rows: measure_rows(
                "audit", given, rows, lambda row: peer_code if _peer(row) else our_code
            ),
            verdicts=verdicts,
            describe=describe,
            data="folder with adult.csv",
        )
    )


if __name__ == "__main__":
    main()
