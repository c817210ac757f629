"""What a researcher's commands say of a private dataset, with the accountant installed and without."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.catalogue_server import RunningCatalogue, run_catalogue
from support.claims import make_claim
from support.releases import publish

WITHOUT_ACCOUNTANT = "import sys; sys.modules['dp_accounting'] = None; "


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCatalogue]:
    with run_catalogue(tmp_path_factory.mktemp("catalogue")) as running:
        publish(running.releases, running.consortium, privacy=make_claim())
        yield running


@pytest.fixture(scope="module")
def home(catalogue: RunningCatalogue, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    added = headwater(
        home, "catalogue", "add", catalogue.url, "--ca", str(catalogue.ca), "--charter", catalogue.consortium.digest
    )
    assert added.returncode == 0, added.stderr
    return home


def headwater(home: Path, *arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "HEADWATER_HOME": str(home), "COLUMNS": "200", "NO_COLOR": "1"}
    program = [sys.executable, "-c", f"{before}from headwater.cli import main; main()"]
    return subprocess.run([*program, *arguments], capture_output=True, text=True, env=environment, check=False)


def test_list_and_show_say_what_is_promised_and_what_is_not(home: Path) -> None:
    listed = headwater(home, "list")
    assert "ε = 0.9995 at δ = 1e-06 per record" in listed.stdout
    assert "NOT DIFFERENTIALLY PRIVATE" not in listed.stdout
    shown = headwater(home, "show", "visits")
    for words in ("Differentially private: ε = 0.9995", "What was public", "Groups of people", "noisy sums"):
        assert words in shown.stdout


def test_verify_replays_epsilon_and_says_what_it_does_not_cover(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "visits"
    downloaded = headwater(home, "download", "visits", "--out", str(folder))
    assert downloaded.returncode == 0, downloaded.stderr
    assert "0.9995 by privacy loss distributions" in downloaded.stdout
    verified = headwater(home, "verify", str(folder))
    for words in (
        "Differentially private: ε = 0.9995 at δ = 1e-06 for one record, added or removed.",
        "ε replayed from 3 signed events",
        "Not checked here",
        "What was public",
        "Other runs and releases on the same rows",
    ):
        assert words in verified.stdout
    bare = headwater(home, "verify", str(folder), before=WITHOUT_ACCOUNTANT)
    assert bare.returncode == 0, bare.stderr
    assert "ε NOT REPLAYED EXACTLY" in bare.stdout
    assert "pip install headwater[privacy]" in " ".join(bare.stdout.split())
