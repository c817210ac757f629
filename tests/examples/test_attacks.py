"""The example that attacks two protocols: it runs as it stands, and fails when one outcome is another."""

import importlib.util
import io
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from rich.console import Console

FOLDER = Path(__file__).parents[2] / "examples" / "attacks"


def test_every_attack_opens_flowers_clients_and_none_opens_headwaters() -> None:
    command = [sys.executable, str(FOLDER / "run.py"), "--seed", "3", "--space-bits", "12"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "COLUMNS": "160"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("OPENED: ") == 7
    assert done.stdout.count("NOT OPENED: ") == 1
    assert done.stdout.count("REFUSED: ") == 5, "four refusals, and the word's meaning above the table"
    assert "not as expected" not in done.stdout


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The program as a module."""
    monkeypatch.syspath_prepend(FOLDER)
    spec = importlib.util.spec_from_file_location("attacks_run", FOLDER / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("flower", "headwater"), [(False, False), (True, True), (False, True)])
def test_another_outcome_is_named_and_fails(program: ModuleType, flower: bool, headwater: bool) -> None:
    outcome = sys.modules["outcome"]
    row = outcome.Comparison("a request", outcome.Outcome(flower, "x"), outcome.Outcome(headwater, "y"))
    console = Console(file=io.StringIO(), width=120)
    assert program.show([row], console) == 1
    assert "not as expected: a request" in console.file.getvalue()  # type: ignore[attr-defined]
    good = outcome.Comparison("a request", outcome.Outcome(True, "x"), outcome.Outcome(False, "y"))
    assert program.show([good], console) == 0
