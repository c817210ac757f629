"""Peers' opinions of the same tables, each from an environment of its own."""

import json
import pathlib
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from audit.tables import Law, make
from generator.datasets import DATASETS
from harness.peer_environment import peer_python
from headwater.audit.linkability import Linkability
from headwater.evidence.candidate import Candidate
from headwater.evidence.settings import AuditSettings
from headwater.schema import NumericColumn

__all__ = ["measure"]

_SCRIPTS = {"sdmetrics": "sdmetrics_dcr.py", "anonymeter": "anonymeter_linkability.py"}
_FOLDER = pathlib.Path(__file__).parents[1] / "peers"
_ATTACKS = 1000
_NEIGHBOURS = 1


def measure(
    *,
    file: str,
    table: str,
    law: Law,
    what: str,
    share: float,
    rows: int,
    told: Mapping[str, Sequence[str]],
    peer: str,
    seed: int,
) -> dict[str, Any]:
    """Make the tables that an audit of ours has for this seed, and ask a peer.

    Args:
        file, table, law, what, share, rows, told, seed: as `audit.measuring.measure` takes them.
        peer: "sdmetrics" or "anonymeter".

    Returns:
        What the peer's script prints.

    Raises:
        SystemExit: its environment was not made; the message says why.
    """
    python = peer_python(peer)
    made = make(pathlib.Path(file), DATASETS[table].target, law=law, share=share, rows=rows, seed=seed)
    synthetic = getattr(made, what)
    # The peer is given the halves that ours takes, so that both link the same columns.
    left, right = Linkability(Candidate(synthetic), AuditSettings()).halves
    numeric = [column.name for column in made.train.schema.columns if isinstance(column, NumericColumn)]
    asked = {"numeric": numeric, "left": left, "right": right, "attacks": _ATTACKS, "neighbours": _NEIGHBOURS}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        made.write(folder)
        (folder / "domain.json").write_text(json.dumps(asked), encoding="utf-8")
        files = [str(folder / file) for file in ("train.csv", "holdout.csv", f"{what}.csv", "domain.json")]
        command = [str(python), str(_FOLDER / _SCRIPTS[peer]), *files]
        told_us = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, Any] = json.loads(told_us.stdout.splitlines()[-1])
    return figures
