"""CTGAN beside ours, from an environment of its own."""

import json
import pathlib
import subprocess
import tempfile
from typing import Any

import quality
from harness.peer_environment import peer_python

__all__ = ["measure_ctgan"]

_SCRIPT = pathlib.Path(__file__).parents[1] / "peers" / "ctgan_costs.py"


def measure_ctgan(*, file: str, table: str, epochs: int, seed: int) -> dict[str, Any]:
    """What CTGAN costs on the judge's training rows.

    Raises:
        SystemExit: its environment was not made; the message says why.
    """
    del table
    python = peer_python("ctgan")
    train, _ = quality.split(quality.read(pathlib.Path(file)))
    with tempfile.TemporaryDirectory() as folder:
        rows = pathlib.Path(folder) / "train.csv"
        train.to_csv(rows, index=False)
        command = [str(python), str(_SCRIPT), str(rows), str(epochs), str(seed)]
        told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, Any] = json.loads(told.stdout.splitlines()[-1])
    return figures
