"""Other people's readers over real TLS: each reads the rows from the address of the file, as its documentation says."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.catalogue_server import RunningCatalogue, run_catalogue
from support.releases import make_table, publish

FILE = "/api/v1/releases/visits/1/files/data.parquet"
ROWS = 5000

# Told the URL; prints rows and the sum of a column.
READERS = {
    "polars": """
import polars
ages = polars.scan_parquet(url).select("age").collect()["age"]
print(len(ages), int(ages.sum()))
""",
    "pandas": """
import pandas
ages = pandas.read_parquet(url, columns=["age"])["age"]
print(len(ages), int(ages.sum()))
""",
    "pyarrow": """
import fsspec, pyarrow.compute, pyarrow.parquet
with fsspec.open(url) as file:
    # One thread: others may outlive the interpreter with a file that is written in Python.
    ages = pyarrow.parquet.read_table(file, columns=["age"], use_threads=False, pre_buffer=False)["age"]
print(len(ages), int(pyarrow.compute.sum(ages).as_py()))
""",
    "datasets": """
import datasets
datasets.disable_progress_bars()
rows = datasets.load_dataset("parquet", data_files=url, split="train")
print(len(rows), sum(rows["age"]))
""",
}


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCatalogue]:
    with run_catalogue(tmp_path_factory.mktemp("catalogue")) as running:
        publish(running.releases, running.consortium, make_table(rows=ROWS))
        yield running


def _environment(catalogue: RunningCatalogue, home: Path) -> dict[str, str]:
    """Where each library looks for a certificate authority; nothing of this process's own settings about networks."""
    kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    ca = str(catalogue.ca)
    return kept | {
        "SSL_CERT_FILE": ca, "REQUESTS_CA_BUNDLE": ca, "CURL_CA_BUNDLE": ca, "HF_HOME": str(home), "HOME": str(home),
    }  # fmt: skip


@pytest.mark.parametrize("reader", sorted(READERS))
def test_a_reader_gets_the_rows(catalogue: RunningCatalogue, tmp_path: Path, reader: str) -> None:
    before = len(catalogue.requests)
    program = f"url = {catalogue.url + FILE!r}\n{READERS[reader]}"
    command = [sys.executable, "-W", "ignore", "-c", program]
    done = subprocess.run(
        command, env=_environment(catalogue, tmp_path), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    expected = int(make_table(rows=ROWS).columns["age"].sum())
    assert done.stdout.split() == [str(ROWS), str(expected)]
    if reader in ("polars", "pyarrow"):
        assert any("bytes=" in request for request in catalogue.requests[before:])


def test_duckdb_gets_the_rows_where_its_extension_is_here(catalogue: RunningCatalogue, tmp_path: Path) -> None:
    program = f"""
import duckdb
try:
    duckdb.execute("LOAD httpfs")
except duckdb.Error:
    print("none")
    raise SystemExit
duckdb.execute("SET ca_cert_file = '{catalogue.ca}'")
print(*duckdb.sql("SELECT count(*), sum(age)::BIGINT FROM '{catalogue.url + FILE}'").fetchone())
"""
    environment = _environment(catalogue, tmp_path) | {"HOME": os.environ.get("HOME", str(tmp_path))}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    if done.stdout.split() == ["none"]:
        pytest.skip("DuckDB's httpfs extension is not installed, and tests install nothing")
    expected = int(make_table(rows=ROWS).columns["age"].sum())
    assert done.stdout.split() == [str(ROWS), str(expected)]


def test_curl_goes_on_where_it_was_cut_off(catalogue: RunningCatalogue, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not here")
    whole = (catalogue.releases / "visits" / "1" / "data.parquet").read_bytes()
    part = tmp_path / "data.parquet"
    part.write_bytes(whole[:1000])
    command = ["curl", "--silent", "--show-error", "--fail", "--location", "--cacert", str(catalogue.ca)]
    command += ["--continue-at", "-", "--output", str(part), "--write-out", "%{json}"]
    url = f"{catalogue.url}/datasets/visits/latest/files/data.parquet"
    done = subprocess.run([*command, url], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["http_code"] == 206
    assert part.read_bytes() == whole
