"""One audit of one table, as a person makes it at the command line: its verdict and what it cost."""

import gc
import pathlib
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

from audit.tables import Law, make
from generator.datasets import DATASETS
from harness.memory import Memory, peak_bytes
from headwater.cli.audit_files import read_files
from headwater.cli.auditing import audit_files, report_of
from headwater.evidence.settings import AuditSettings
from headwater.release.policy import load_policy

__all__ = ["measure"]

_NAMED = ("linkability", "copies.near", "membership.nearest", "membership.domias-1", "inference")


def measure(
    *,
    file: str,
    table: str,
    law: Law,
    what: str,
    share: float,
    rows: int,
    told: Mapping[str, Sequence[str]],
    seed: int,
    policy: str = "standard",
) -> dict[str, Any]:
    """Make the tables, write them, audit the files.

    Args:
        file: the real table.
        table: its name in `DATASETS`.
        law: where rows that nobody copied come from.
        what: "copier" or "fresh".
        share: of the copier's rows that are copies.
        rows: of the synthetic table; 0 for as many as train has.
        told: groups, secrets and tasks.
        seed: of tables and audit.
        policy: that decides.

    Returns:
        `verdict`; `failed` as 0 or 1, `passed`, `copying` (whether the gate of copies failed); CPU and wall seconds
        from reading the files to the finished report; `peak`, bytes; `checks`, CPU seconds by check; some figures.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        make(pathlib.Path(file), DATASETS[table].target, law=law, share=share, rows=rows, seed=seed).write(folder)
        gc.collect()
        Memory().reset()
        began, clock = time.process_time(), time.monotonic()
        paths = [folder / f"{part}.csv" for part in ("train", "holdout", what)]
        settings = AuditSettings.model_validate(dict(told))
        files = read_files(paths[0], paths[1], paths[2], folder / "schema.toml", settings.tasks)
        outcome = audit_files(files, paths[2], settings, load_policy(policy), seed, lambda progress: None)
        page = report_of(outcome, (paths[0].name, paths[1].name, paths[2].name))
        decision = outcome.decision
    results = {result.gate: result.outcome for result in decision.gates}
    figures = {
        measure.name: measure.value
        for measure in outcome.evidence.measures
        if measure.check in _NAMED and measure.value is not None
    }
    return {
        "verdict": decision.verdict,
        "bad": [f"{gate}: {found}" for gate, found in results.items() if found not in ("pass", "not applicable")],
        "failed_it": float(decision.verdict == "fail"),
        "passed_it": float(decision.verdict in ("pass", "pass with warnings")),
        "copying": float(results.get("G6") == "fail"),
        "cpu_seconds": time.process_time() - began,
        "wall_seconds": time.monotonic() - clock,
        "peak": peak_bytes(),
        "page_bytes": len(page.encode()),
        "checks": dict(outcome.audited.seconds),
        "figures": figures,
    }
