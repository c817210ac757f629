"""The researcher's commands, as processes: what they print, their exit status, one line of error."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.catalogue_server import RunningCatalogue, run_catalogue
from support.releases import publish


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCatalogue]:
    with run_catalogue(tmp_path_factory.mktemp("catalogue")) as running:
        publish(running.releases, running.consortium)
        yield running


def headwater(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "HEADWATER_HOME": str(home), "COLUMNS": "200", "NO_COLOR": "1"}
    program = [sys.executable, "-c", "from headwater.cli import main; main()"]
    return subprocess.run([*program, *arguments], capture_output=True, text=True, env=environment, check=False)


def add(home: Path, catalogue: RunningCatalogue, digest: str) -> subprocess.CompletedProcess[str]:
    return headwater(home, "catalogue", "add", catalogue.url, "--ca", str(catalogue.ca), "--charter", digest)


def test_two_minutes_of_a_researcher(tmp_path: Path, catalogue: RunningCatalogue) -> None:
    home, folder = tmp_path / "home", tmp_path / "visits"
    added = add(home, catalogue, catalogue.consortium.digest)
    assert added.returncode == 0, added.stderr
    assert "Three Hospitals" in added.stdout
    listed = headwater(home, "list")
    assert "visits" in listed.stdout
    assert "none" in listed.stdout
    shown = headwater(home, "show", "visits")
    assert "kept: its rows are all that is published of it" in " ".join(shown.stdout.split())
    assert "NOT DIFFERENTIALLY PRIVATE" in shown.stdout
    assert "The coordinator saw exact sums" in shown.stdout
    downloaded = headwater(home, "download", "visits", "--out", str(folder))
    assert downloaded.returncode == 0, downloaded.stderr
    verified = headwater(home, "verify", str(folder))
    assert verified.returncode == 0, verified.stderr
    assert "signed by the coordinator; no organisation has signed yet" in verified.stdout
    assert "NOT DIFFERENTIALLY PRIVATE" in verified.stdout
    (folder / "README.md").write_text("trust me")
    refused = headwater(home, "catalogue", "verify", str(folder))
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert refused.stderr.startswith("error: README.md is not the file that was signed")
    assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("list",), "headwater catalogue add"),
        (("download", "visits"), "headwater catalogue add"),
        (("verify", "nowhere"), "there is no folder nowhere"),
        (("catalogue", "add", "https://127.0.0.1:1", "--ca", "none.crt", "--charter", "0" * 64), "no file none.crt"),
    ],
)
def test_mistake_is_one_clear_line(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    failed = headwater(tmp_path, *arguments)
    assert failed.returncode == 1
    assert failed.stderr.startswith("error: ")
    assert words in failed.stderr
    assert failed.stderr.count("\n") == 1


def test_wrong_digest_is_one_clear_line(tmp_path: Path, catalogue: RunningCatalogue) -> None:
    failed = add(tmp_path, catalogue, "0" * 64)
    assert failed.returncode == 1
    assert "ask a member of the consortium" in failed.stderr
    assert failed.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["add", "list", "show", "download", "verify"])
def test_every_command_shows_an_example(tmp_path: Path, command: str) -> None:
    shown = headwater(tmp_path, "catalogue", command, "--help")
    assert shown.returncode == 0
    assert f"Example:  headwater catalogue {command}" in shown.stdout


def test_importing_the_package_loads_no_heavy_library(tmp_path: Path) -> None:
    heavy = "{'torch', 'flwr', 'grpc', 'httpx', 'pyarrow', 'matplotlib', 'fastapi'}"
    program = f"import sys, headwater; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
