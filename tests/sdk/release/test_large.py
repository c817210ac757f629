"""Very many rows in a release: several files, each listed and held to the manifest, read by other tools as one."""

import json
from pathlib import Path

import mlcroissant
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
import yaml
from pydantic import ValidationError

from headwater.audit.artefacts import scan
from headwater.errors import InputError, ReleaseRefused
from headwater.release import ReleaseExtras, verify_release
from headwater.release.contents import check_contents
from headwater.release.large import LARGE_FILES, check_shard_paths, shard_path
from headwater.release.manifest import Configuration, Manifest
from headwater.release.rows import write_rows
from headwater.release.verification import read_manifest
from headwater.release.withdrawal import stays_when_withdrawn
from support.audited_release import Pending, pending_release, sign_release
from support.releases import Consortium, make_consortium, make_table

TABLE = make_table()
ROWS = 1_250
PARTS = (0, 500, 1_000, ROWS)


@pytest.fixture(scope="module")
def consortium() -> Consortium:
    return make_consortium()


def many() -> pa.Table:
    arrow = TABLE.to_arrow()
    return pa.concat_tables([arrow, arrow, arrow.slice(0, ROWS - 2 * TABLE.rows)]).combine_chunks()


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    folder = tmp_path / "shards"
    folder.mkdir()
    rows = many()
    for number, start in enumerate(PARTS[:-1]):
        write_rows(rows.slice(start, PARTS[number + 1] - start), folder / f"part-{number:05d}.parquet")
    (folder / "shards.json").write_text('{"seed": 9}')
    return folder


def configuration(rows: int = ROWS) -> Configuration:
    entry = {"name": "large", "path": shard_path(0), "rows": rows, "description": "Very many rows."}
    return Configuration.model_validate(entry)


def released(folder: Path, consortium: Consortium, shards: Path, rows: int = ROWS) -> Pending:
    extras = ReleaseExtras(((configuration(rows), shards),), terms="on request")
    pending = pending_release(folder, consortium, extras=extras)
    sign_release(pending, consortium)
    return pending


@pytest.fixture
def folder(tmp_path: Path, consortium: Consortium, shards: Path) -> Path:
    released(tmp_path / "release", consortium, shards)
    return tmp_path / "release"


def held(folder: Path) -> Manifest:
    return read_manifest((folder / "manifest.json").read_bytes()).manifest


def test_every_file_is_listed_with_its_blocks_and_none_is_copied(
    folder: Path, shards: Path, consortium: Consortium
) -> None:
    manifest = verify_release(folder, consortium.charter.charter).manifest
    paths = [shard_path(number) for number in range(3)]
    listed = [entry.path for entry in manifest.files if entry.path.startswith("large/")]
    assert listed == sorted([*paths, *(f"{path}.blocks.json" for path in paths)])
    assert [(folder / path).stat().st_ino for path in paths] == [
        (shards / Path(path).name).stat().st_ino for path in paths
    ]
    # The list of shards tells the seed.
    assert not (folder / "large" / "shards.json").exists()
    assert pa.concat_tables([pq.read_table(folder / path) for path in paths]).equals(many())
    assert not scan(folder, TABLE.schema)


# Of Croissant's reader's own libraries.
@pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The inplace keyword:DeprecationWarning")
def test_card_and_croissant_name_all_files(folder: Path) -> None:
    header = yaml.safe_load((folder / "README.md").read_text().split("---\n")[1])
    assert {"config_name": "large", "data_files": LARGE_FILES} in header["configs"]
    assert pyarrow.dataset.dataset(sorted(folder.glob(LARGE_FILES))).count_rows() == ROWS
    records = list(mlcroissant.Dataset(folder / "croissant.json").records("large"))
    assert len(records) == ROWS
    assert records[0]["large/age"] == many()["age"][0].as_py()


def test_a_file_that_was_changed_or_is_missing_is_told(folder: Path, consortium: Consortium) -> None:
    path = folder / shard_path(1)
    before = path.read_bytes()
    path.unlink()
    with pytest.raises(ReleaseRefused, match=r"part-00001\.parquet is missing"):
        verify_release(folder, consortium.charter.charter)
    path.write_bytes(before[:-1] + b"\x00")
    with pytest.raises(ReleaseRefused, match=r"part-00001\.parquet is not the file that was signed"):
        verify_release(folder, consortium.charter.charter)


def test_rows_and_columns_of_all_files_are_held_to_the_manifest(folder: Path) -> None:
    manifest = held(folder)
    first, last = folder / shard_path(0), folder / shard_path(2)
    write_rows(pq.read_table(last).slice(1), last)
    with pytest.raises(ReleaseRefused, match="large/ has 1,249 rows, the manifest says 1,250"):
        check_contents(folder, manifest, TABLE.schema)
    # What is not there is not counted; what is there has the columns of the rows.
    check_contents(folder, manifest, TABLE.schema, [shard_path(1)])
    write_rows(pq.read_table(first).rename_columns(["years", *TABLE.schema.names[1:]]), first)
    with pytest.raises(ReleaseRefused, match=r"part-00000\.parquet has other columns"):
        check_contents(folder, manifest, TABLE.schema, [shard_path(1)])


def test_what_is_not_as_its_entry_says_is_not_written(tmp_path: Path, consortium: Consortium, shards: Path) -> None:
    with pytest.raises(InputError, match="large/ has 1,250 rows, the manifest says 1,251"):
        released(tmp_path / "release", consortium, shards, ROWS + 1)
    (shards / "part-00001.parquet").rename(shards / "part-00003.parquet")
    with pytest.raises(InputError, match="without gaps"):
        released(tmp_path / "release", consortium, shards)
    (shards / "part-00003.parquet").unlink()
    (shards / "part-00001.parquet").symlink_to(shards / "part-00000.parquet")
    with pytest.raises(InputError, match=r"part-00001\.parquet in shards is no plain file"):
        released(tmp_path / "release", consortium, shards)
    table = pq.read_table(shards / "part-00000.parquet")
    extras = ReleaseExtras(((configuration(), table),), terms="on request")
    with pytest.raises(InputError, match="given as the folder of its files"):
        pending_release(tmp_path / "release", consortium, extras=extras)
    assert not (tmp_path / "release").exists()


def test_manifest_holds_files_to_be_without_gaps(folder: Path) -> None:
    content = json.loads(held(folder).to_bytes())

    def without(*paths: str) -> object:
        return content | {"files": [each for each in content["files"] if each["path"] not in paths]}

    for paths, problem in (
        (
            (shard_path(1), f"{shard_path(1)}.blocks.json"),
            r"part-00001\.parquet is missing: files of rows are numbered",
        ),
        ((f"{shard_path(2)}.blocks.json",), r"part-00002\.parquet\.blocks\.json is missing or has no place"),
    ):
        with pytest.raises(ValidationError, match=problem):
            Manifest.model_validate(without(*paths))
    with pytest.raises(ValidationError, match="exactly where there is a configuration"):
        Manifest.model_validate(content | {"configurations": []})
    with pytest.raises(ValidationError, match="begins in large/part-00000"):
        Manifest.model_validate(content | {"configurations": [content["configurations"][0] | {"path": shard_path(1)}]})
    with pytest.raises(ValueError, match=r"shards\.json is missing or has no place"):
        check_shard_paths([shard_path(0), f"{shard_path(0)}.blocks.json", "large/shards.json"])
    with pytest.raises(ValueError, match="holds 0 files"):
        check_shard_paths(["large/shards.json"])


def test_more_rows_of_a_kept_generator_are_refused(tmp_path: Path, consortium: Consortium, shards: Path) -> None:
    with pytest.raises(ReleaseRefused, match="more rows of a generator that is kept"):
        pending_release(tmp_path / "release", consortium, extras=ReleaseExtras(((configuration(), shards),)))


def test_of_later_files_metadata_and_columns_are_looked_at(folder: Path) -> None:
    path = folder / shard_path(2)
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({"host": "ward-7.example.org"}), path)
    found = [finding.in_words() for finding in scan(folder, TABLE.schema)]
    assert any(line.startswith(f"{shard_path(2)}: an entry in the file's metadata") for line in found)
    write_rows(table.append_column("patient", pa.array(range(table.num_rows))), path)
    (finding,) = scan(folder, TABLE.schema)
    assert finding.in_words() == f"{shard_path(2)}: a column that the schema does not know, 'patient'"
    path.write_bytes(b"\x7fELF" + path.read_bytes())
    assert any("bytes before or after" in finding.what for finding in scan(folder, TABLE.schema))


def beyond(table: pa.Table) -> pa.Table:
    ages = pa.array([*table["age"].to_pylist()[:-1], 4711])
    return table.set_column(0, table.schema.field(0), ages.cast(table.schema.field(0).type))


def test_every_row_of_every_file_is_held_to_the_schema(folder: Path) -> None:
    path = folder / shard_path(2)
    table = pq.read_table(path)
    assert table.column_names[0] == "age"
    write_rows(beyond(table), path)
    with pytest.raises(ReleaseRefused, match=r"part-00002\.parquet has values in column 'age' that the schema"):
        check_contents(folder, held(folder), TABLE.schema)
    # Files that were read when they came are held to their digests.
    check_contents(folder, held(folder), TABLE.schema, cells=False)
    place, word = next((i, f) for i, f in enumerate(table.schema) if pa.types.is_string(f.type))
    texts = pa.array(["someone@ward-7.example.org", *table[word.name].to_pylist()[1:]])
    write_rows(table.set_column(place, word, texts), path)
    (finding,) = scan(folder, TABLE.schema)
    assert finding.file == shard_path(2)
    assert "that the schema does not list" in finding.what
    with pytest.raises(ReleaseRefused, match="that the schema does not allow"):
        check_contents(folder, held(folder), TABLE.schema)


def test_rows_out_of_bounds_are_not_written(tmp_path: Path, consortium: Consortium, shards: Path) -> None:
    path = shards / "part-00001.parquet"
    write_rows(beyond(pq.read_table(path)), path)
    with pytest.raises(ReleaseRefused, match=r"large/part-00001\.parquet has values in column 'age'"):
        released(tmp_path / "release", consortium, shards)
    assert not (tmp_path / "release").exists()


def test_nothing_of_it_stays_when_withdrawn() -> None:
    assert not stays_when_withdrawn(shard_path(0))
    assert not stays_when_withdrawn(f"{shard_path(0)}.blocks.json")
