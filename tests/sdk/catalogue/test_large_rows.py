"""Very many rows by their dataset's name: all files as one, in parts, or as a dataset that is not read."""

import ssl
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

import headwater
from headwater.catalogue import add_catalogue
from headwater.errors import InputError, ReleaseRefused
from headwater.release import ReleaseExtras
from headwater.release.large import shard_path
from headwater.release.manifest import Configuration
from headwater.release.rows import write_rows
from support.audited_release import pending_release, sign_release
from support.catalogue_server import RunningCatalogue, run_catalogue
from support.releases import make_table

PATHS = [shard_path(number) for number in range(3)]


def rows() -> pa.Table:
    arrow = make_table().to_arrow()
    return pa.concat_tables([arrow, arrow, arrow.slice(0, 250)])


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCatalogue]:
    folder = tmp_path_factory.mktemp("catalogue")
    (folder / "shards").mkdir()
    for number in range(3):
        write_rows(rows().slice(number * 500, 500), folder / "shards" / f"part-{number:05d}.parquet")
    entry = {"name": "large", "path": PATHS[0], "rows": 1_250, "description": "Very many rows."}
    extras = ReleaseExtras(((Configuration.model_validate(entry), folder / "shards"),), terms="on request")
    with run_catalogue(folder) as running:
        pending = pending_release(running.releases / "visits" / "1", running.consortium, extras=extras)
        sign_release(pending, running.consortium)
        yield running


@pytest.fixture
def home(tmp_path: Path, catalogue: RunningCatalogue, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    add_catalogue(home, catalogue.url, catalogue.ca.read_text(), catalogue.consortium.digest)
    monkeypatch.setenv("HEADWATER_HOME", str(home))
    catalogue.requests.clear()
    return home


def asked(catalogue: RunningCatalogue) -> int:
    return sum("/files/large/" in each for each in catalogue.requests)


def test_all_files_are_one_table(home: Path, catalogue: RunningCatalogue) -> None:
    headwater.load_dataset("visits")
    # Who wants the usual rows fetches nothing of the others.
    assert asked(catalogue) == 0
    table = headwater.load_dataset("visits", 1, config="large")
    assert table.equals(rows())
    before = len(catalogue.requests)
    old = headwater.load_dataset("visits", 1, config="large", columns=["age"], filters=[("age", ">", 60)])
    assert old.equals(rows().select(["age"]).filter(pc.field("age") > 60))
    # The second time nobody is asked.
    assert len(catalogue.requests) == before


def test_a_part_of_all_files_comes_by_verified_ranges(home: Path, catalogue: RunningCatalogue) -> None:
    ages = headwater.load_dataset("visits", config="large", columns=["age"], remote=True)
    assert ages.equals(rows().select(["age"]))
    kept = {path.name for path in (home / "cache").rglob("large/*")}
    assert kept == {f"{Path(path).name}.blocks.json" for path in PATHS}


def test_a_dataset_reads_only_what_is_scanned(home: Path, catalogue: RunningCatalogue) -> None:
    with headwater.catalogue(catalogue.url) as opened:
        dataset = opened.open_dataset("visits", config="large")
        assert opened.open_dataset("visits").count_rows() == 500
    assert dataset.count_rows() == 1_250
    batches = list(dataset.to_batches(columns=["age"], filter=pc.field("age") > 60, batch_size=100))
    assert max(batch.num_rows for batch in batches) <= 100
    held = pa.Table.from_batches(batches)["age"].to_pylist()
    assert held == [age for age in rows()["age"].to_pylist() if age > 60]
    assert headwater.load_dataset("visits", 1, config="large", as_="dataset").count_rows() == 1_250


def test_a_changed_file_is_refused(home: Path, catalogue: RunningCatalogue) -> None:
    path = catalogue.releases / "visits" / "1" / PATHS[2]
    sound = path.read_bytes()
    path.write_bytes(sound[:-1] + b"\x00")
    try:
        with pytest.raises(ReleaseRefused, match=r"part-00002\.parquet"):
            headwater.load_dataset("visits", config="large")
    finally:
        path.write_bytes(sound)
    # In the cache as well.
    headwater.load_dataset("visits", config="large")
    (kept,) = (home / "cache").rglob(PATHS[1])
    kept.write_bytes(sound)
    with pytest.raises(ReleaseRefused, match="holds a damaged copy"):
        headwater.load_dataset("visits", 1, config="large", as_="dataset")


def test_what_a_release_does_not_have_is_told(home: Path) -> None:
    with pytest.raises(InputError, match="has no configuration 'views'; it has default, large"):
        headwater.load_dataset("visits", config="views")


def test_the_page_links_every_file_and_names_the_command_for_more(catalogue: RunningCatalogue) -> None:
    context = ssl.create_default_context(cafile=str(catalogue.ca))
    with urllib.request.urlopen(f"{catalogue.url}/datasets/visits", context=context) as answer:
        page = answer.read().decode()
    assert "3 files, which belong together" in page
    for path in PATHS:
        assert page.count(f'<a href="/api/v1/releases/visits/1/files/{path}">{path}</a>') == 2, (
            "here and among all files"
        )
    assert "headwater sample visits --on-request --version 1 --rows 10000 --out rows.parquet" in page
