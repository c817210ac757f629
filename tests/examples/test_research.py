"""The researcher's examples run as they stand, against a real catalogue over TLS."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from headwater.catalogue import add_catalogue
from headwater.schema.writing import write_csv
from support.catalogue_server import RunningCatalogue, run_catalogue
from support.releases import make_table, publish
from support.specification import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCatalogue]:
    with run_catalogue(tmp_path_factory.mktemp("catalogue")) as running:
        publish(running.releases, running.consortium, make_table(600))
        yield running


@pytest.fixture
def home(catalogue: RunningCatalogue, tmp_path: Path) -> Path:
    add_catalogue(tmp_path / "home", catalogue.url, catalogue.ca.read_text(), catalogue.consortium.digest)
    return tmp_path / "home"


def run(home: Path, name: str, *arguments: str, status: int = 0) -> str:
    command = [sys.executable, str(ROOT / "examples" / "research" / name), *arguments]
    ended = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "HEADWATER_HOME": str(home)}
    )
    assert ended.returncode == status, ended.stderr
    return ended.stdout if status == 0 else ended.stdout + ended.stderr


def test_a_model_is_trained_on_verified_rows_and_told_what_it_was_tested_on(home: Path, tmp_path: Path) -> None:
    write_csv(make_table(100, seed=8).to_arrow(), tmp_path / "real.csv")
    assert "held-out SYNTHETIC rows" in run(home, "train_a_model.py", "visits", "--target", "ward")
    said = run(home, "train_a_model.py", "visits", "--target", "ward", "--test", str(tmp_path / "real.csv"))
    assert "Tested on 100 real rows" in said
    assert "accuracy" in said


def test_duckdb_and_polars_agree(home: Path) -> None:
    said = run(home, "duckdb_and_polars.py", "visits", "--group", "ward", "--value", "age")
    first, second = said.split("polars")
    counts = [[line.split()[-2] for line in part.splitlines() if line.startswith("   ")] for part in (first, second)]
    assert counts[0] == counts[1]
    assert sum(map(int, counts[0])) == 600


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("train_a_model.py", "nothing", "--target", "ward"), "no known catalogue has a dataset 'nothing'"),
        (("duckdb_and_polars.py", "nothing", "--group", "ward", "--value", "age"), "has a dataset 'nothing'"),
        (("duckdb_and_polars.py", "visits", "--group", "age", "--value", "ward"), "name a column of numbers"),
    ],
)
def test_what_is_not_there_is_one_line(home: Path, arguments: tuple[str, ...], line: str) -> None:
    said = run(home, *arguments, status=2)
    assert line in said
    assert "Traceback" not in said


def test_a_folder_is_verified_step_by_step_and_a_changed_one_is_not(
    catalogue: RunningCatalogue, home: Path, tmp_path: Path
) -> None:
    folder = catalogue.releases / "visits" / "1"
    said = run(home, "verify_offline.py", str(folder))
    assert "is signed by the coordinator's key" in said
    assert "CHANGED" not in said
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    with (copy / "README.md").open("a") as file:
        file.write("x")
    refused = run(home, "verify_offline.py", str(copy), status=1)
    assert "CHANGED" in refused
    assert "NOT VERIFIED: README.md is not the file that was signed" in refused


@pytest.mark.parametrize(
    "name", ["contrastive_views.py", "duckdb_and_polars.py", "train_a_model.py", "verify_offline.py"]
)
def test_every_example_says_what_it_does(home: Path, name: str) -> None:
    assert "usage:" in run(home, name, "--help")
