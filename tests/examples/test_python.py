"""Examples in Python run as they stand."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from support.specification import ROOT

pytestmark = pytest.mark.slow


def run(name: str, *arguments: str) -> str:
    command = [sys.executable, str(ROOT / "examples" / name), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_simulation_in_one_process_prints_synthetic_rows() -> None:
    head, *rows = run("simulate_in_python.py").splitlines()
    assert head.split() == ["age", "ward", "back"]
    assert len(rows) == 10
    assert {row.split()[2] for row in rows} <= {"north", "south"}


def test_digits_are_drawn_judged_and_looked_at(tmp_path: Path) -> None:
    said = run("digits.py", str(tmp_path))
    assert "synthetic digits, made together" in said
    assert "copies 0" in said
    with (tmp_path / "synthetic.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["digit"] for row in rows} == {str(digit) for digit in range(10)}
    assert (tmp_path / "digits.svg").read_bytes().startswith(b"<svg")
