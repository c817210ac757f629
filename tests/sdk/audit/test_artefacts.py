"""Artefacts: each that is planted in a release is found and named, and a release without any is clean."""

import base64
import gzip
import io
import json
import pickle
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headwater.audit.artefacts import Artefacts, scan
from headwater.audit.foreign_bytes import foreign
from headwater.audit.rare_texts import RareTexts, rare_texts
from headwater.errors import InputError
from headwater.evidence.candidate import Candidate
from headwater.evidence.settings import AuditSettings
from headwater.schema.table import Table
from headwater.schema.writing import write_csv
from support.releases import make_consortium, make_table, publish

_NONE = np.zeros(0, np.int64)
_SECRET = "Zebulon Quux-Farthing"


@pytest.fixture(scope="module")
def table() -> Table:
    return make_table(rows=400)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory, table: Table) -> Path:
    return publish(tmp_path_factory.mktemp("releases"), make_consortium(), table).folder


@pytest.fixture
def folder(tmp_path: Path, release: Path) -> Path:
    return Path(shutil.copytree(release, tmp_path / "release"))


def _texts() -> RareTexts:
    return RareTexts([_SECRET, "MRN-0042-77"])


def test_a_release_as_it_is_written_is_clean(release: Path, table: Table) -> None:
    assert scan(release, table.schema, _texts()) == ()
    (measure,) = Artefacts(Candidate(table), AuditSettings(), release, _texts()).read(_NONE)
    assert (measure.value, measure.null, measure.law) == (0.0, 0.0, "none")
    assert measure.trials == sum(path.is_file() for path in release.rglob("*"))


def test_a_file_of_rows_alone_is_clean_as_csv_and_as_parquet(tmp_path: Path, table: Table) -> None:
    write_csv(table, tmp_path / "rows.csv")
    pq.write_table(table.to_arrow(), tmp_path / "rows.parquet")
    for name in ("rows.csv", "rows.parquet"):
        assert scan(tmp_path / name, table.schema) == ()


def _rows_alone(folder: Path, table: Table, ending: str, extra: str = "") -> Path:
    """Rows as tabbed or compressed text, the header with a further column where one is asked for."""
    write_csv(table, folder / "plain.csv")
    lines = (folder / "plain.csv").read_text(encoding="utf-8").splitlines()
    lines = [lines[0] + f",{extra}", *(line + ",1" for line in lines[1:])] if extra else lines
    text = "\n".join(lines) + "\n"
    content = (text.replace(",", "\t") if ".tsv" in ending else text).encode()
    file = folder / f"rows{ending}"
    file.write_bytes(gzip.compress(content) if ending.endswith(".gz") else content)
    return file


@pytest.mark.parametrize("ending", [".csv.gz", ".tsv", ".tsv.gz"])
def test_compressed_and_tabbed_rows_are_looked_at_as_their_text(tmp_path: Path, table: Table, ending: str) -> None:
    assert scan(_rows_alone(tmp_path, table, ending), table.schema) == ()
    found = scan(_rows_alone(tmp_path, table, ending, "record"), table.schema)
    assert [finding.what for finding in found] == ["a column that the schema does not know, 'record'"]


def test_what_is_compressed_ends_with_its_rows(tmp_path: Path, table: Table) -> None:
    file = _rows_alone(tmp_path, table, ".csv.gz")
    whole = file.read_bytes()
    for content in (whole + b"more", whole[:-20], b"no gzip"):
        file.write_bytes(content)
        assert [finding.what for finding in scan(file, table.schema)] == ["bytes that are no gzip, or bytes behind it"]


def test_a_release_holds_no_compressed_rows(tmp_path: Path, table: Table) -> None:
    (tmp_path / "release").mkdir()
    file = _rows_alone(tmp_path, table, ".csv.gz")
    (tmp_path / "release" / file.name).write_bytes(file.read_bytes())
    assert any("unexpected kind" in finding.what for finding in scan(tmp_path / "release", table.schema))


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("rows.csv", "1,2")
    return buffer.getvalue()


def _tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("rows.csv"))
    return buffer.getvalue()


def _with(path: str, content: bytes) -> Callable[[Path], None]:
    def plant(folder: Path) -> None:
        (folder / path).write_bytes(content)

    return plant


def _ending(path: str, content: bytes) -> Callable[[Path], None]:
    def plant(folder: Path) -> None:
        file = folder / path
        file.write_bytes(file.read_bytes() + content)

    return plant


def _parquet(change: Callable[[pa.Table], pa.Table]) -> Callable[[Path], None]:
    def plant(folder: Path) -> None:
        file = folder / "data.parquet"
        pq.write_table(change(pq.read_table(file)), file)

    return plant


def _as_frame(arrow: pa.Table) -> pa.Table:
    frame = arrow.to_pandas().sample(frac=0.5, random_state=1)
    return pa.Table.from_pandas(frame)


def _free_text(arrow: pa.Table) -> pa.Table:
    place = arrow.schema.get_field_index("ward")
    words = arrow.column(place).to_pylist()
    words[3] = f"{_SECRET} was seen by his doctor on the second of May and sent home with a cough"
    return arrow.set_column(place, "ward", pa.array(words))


def _unused_category(arrow: pa.Table) -> pa.Table:
    place = arrow.schema.get_field_index("ward")
    encoded = arrow.column(place).combine_chunks().dictionary_encode()
    longer = pa.concat_arrays([encoded.dictionary, pa.array([_SECRET])])
    return arrow.set_column(place, "ward", pa.DictionaryArray.from_arrays(encoded.indices, longer))


def _field_metadata(arrow: pa.Table) -> pa.Table:
    fields = [field.with_metadata({"source": "/home/ada/rows.csv"}) for field in arrow.schema]
    return arrow.cast(pa.schema(fields))


def _linked(folder: Path) -> None:
    (folder / "rows.csv").symlink_to(folder / "README.md")


def _payload(document: object) -> bytes:
    payload = base64.b64encode(json.dumps(document).encode()).decode()
    return json.dumps({"payloadType": "application/vnd.in-toto+json", "payload": payload}).encode()


_OBJECT = {"rows": list(range(50)), "path": Path}


@pytest.mark.parametrize(
    ("plant", "file", "words"),
    [
        (_with("model.pkl", pickle.dumps(_OBJECT)), "model.pkl", "a pickle"),
        (_with("model.pkl", pickle.dumps([1, 2, 3], protocol=0)), "model.pkl", "a pickle"),
        (_with("model.pkl", pickle.dumps([1, 2, 3], protocol=2)), "model.pkl", "a pickle"),
        (_with("notes.md", pickle.dumps(_OBJECT, protocol=3)), "notes.md", "a pickle"),
        (_ending("data.parquet", pickle.dumps(_OBJECT, protocol=2)), "data.parquet", "a pickle"),
        (_ending("data.parquet", pickle.dumps(list(range(99)))), "data.parquet", "a pickle"),
        (_ending("data.parquet", _zip()), "data.parquet", "a zip archive"),
        (_with("rows.zip", _zip()), "rows.zip", "a zip archive"),
        (_with("rows.json", _tar()), "rows.json", "a tar archive"),
        (_with("rows.feather", b"ARROW1\0\0"), "rows.feather", "unexpected kind"),
        (_with("rows.npy", b"\x93NUMPY\x01\x00"), "rows.npy", "a NumPy array"),
        (_with("core", b"\x7fELF"), "core", "a program"),
        (_with(".DS_Store", b"Bud1"), ".DS_Store", "a hidden file"),
        (_with("plots/more.svg", b"\x00\x01\x02\xff"), "plots/more.svg", "no text"),
        (_with("audit.json", b"{'a': 1"), "audit.json", "no JSON"),
        (_with("audit.json", b'{"run": {"seed": 7}}'), "audit.json", "a seed"),
        (_with("audit.json", b'{"run": {"private_key": "00ff"}}'), "audit.json", "a secret"),
        (_with("attestation.json", _payload({"rng_state": 5, "fill": "x" * 600})), "attestation.json", "a seed"),
        (_with("attestation.json", _payload("\x00" * 600)[:-9] + b'AAAA"}'), "attestation.json", "as text"),
        (_ending("README.md", b"\nrandom_state = 42\n"), "README.md", "a seed"),
        (_ending("README.md", b"\n-----BEGIN PRIVATE KEY-----\n"), "README.md", "a private key"),
        (_ending("README.md", b"\nAKIAABCDEFGHIJKLMNOP\n"), "README.md", "an access key"),
        (_ending("README.md", b"\nmade from /home/ada/rows.csv\n"), "README.md", "a path"),
        (_ending("README.md", b"\nmade from C:\\Users\\ada\n"), "README.md", "a path"),
        (_ending("schema.toml", b"\n# " + base64.b64encode(bytes(range(256)) * 3)), "schema.toml", "as text"),
        (_ending("README.md", b"\nthanks to ZEBULON quux farthing\n"), "README.md", "a rare text"),
        (_with("plots/mrn_0042_77.svg", b"<svg/>"), "plots/mrn_0042_77.svg", "its name"),
        (_with("data.csv", b",age\n0,5\n"), "data.csv", "without a name"),
        (_with("data.csv", b"age,surname\n5,x\n"), "data.csv", "does not know, 'surname'"),
        (_with("data.csv", b"ward\nmoon\n"), "data.csv", "does not list"),
        (_with("generator.safetensors", b"12345678"), "generator.safetensors", "no model"),
        (_with("more.parquet", b"PAR1PAR1"), "more.parquet", "cannot be read"),
        (_linked, "rows.csv", "a link"),
        (_parquet(_as_frame), "data.parquet", "a data frame's description"),
        (_parquet(_as_frame), "data.parquet", "a data frame's index"),
        (_parquet(lambda rows: rows.replace_schema_metadata({"note": "x"})), "data.parquet", "an entry in the file's"),
        (_parquet(lambda rows: rows.replace_schema_metadata({"note": "x"})), "data.parquet", "key 'note'; write it"),
        (_parquet(lambda rows: rows.replace_schema_metadata({_SECRET: "x"})), "data.parquet", "no plain word"),
        (_parquet(_field_metadata), "data.parquet", "a path of a machine in the metadata of column 'age'"),
        (_parquet(_free_text), "data.parquet", "free text in column 'ward'"),
        (_parquet(_unused_category), "data.parquet", "texts in column 'ward'"),
    ],
)
def test_each_planted_artefact_is_found_where_it_was_planted(
    folder: Path, table: Table, plant: Callable[[Path], None], file: str, words: str
) -> None:
    plant(folder)
    findings = scan(folder, table.schema, _texts())
    assert [finding for finding in findings if finding.file == file and words in finding.what], findings
    assert {finding.file for finding in findings} == {file}
    assert all("zebulon" not in finding.in_words().lower() for finding in findings)


def test_statistics_that_the_rows_do_not_bear_out_are_found(folder: Path, table: Table) -> None:
    file = folder / "data.parquet"
    arrow = table.to_arrow()
    oldest = int(arrow.column("age").to_numpy().max())
    pq.write_table(arrow, file, compression="none")
    assert scan(file, table.schema) == ()
    # The footer alone is changed: the largest age becomes one that no row has.
    content = bytearray(file.read_bytes())
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    at, changed = content.find(oldest.to_bytes(8, "little"), footer), 0
    while at > 0:
        content[at : at + 8] = (oldest + 1).to_bytes(8, "little")
        at, changed = content.find(oldest.to_bytes(8, "little"), at + 8), changed + 1
    assert changed
    file.write_bytes(content)
    assert [finding.what for finding in scan(file, table.schema)] == [
        "statistics of column 'age' that its rows do not bear out"
    ]


def test_the_audits_own_seed_is_public(folder: Path, table: Table) -> None:
    (folder / "audit.json").write_text('{"settings": {"seed": 3, "attacks": 1000}}')
    assert scan(folder, table.schema) == ()


def test_every_finding_counts(folder: Path, table: Table) -> None:
    _with("model.pkl", pickle.dumps(_OBJECT))(folder)
    (measure,) = Artefacts(Candidate(table), AuditSettings(), folder).read(_NONE)
    assert measure.value == 2.0
    assert len(measure.details) == 2
    assert "model.pkl: holds a pickle" in measure.details


def test_a_frame_as_pandas_writes_it_is_noted_and_no_finding(tmp_path: Path, table: Table) -> None:
    file = tmp_path / "rows.parquet"
    table.to_arrow().to_pandas().to_parquet(file)
    assert b"pandas" in pq.ParquetFile(file).metadata.metadata
    assert scan(file, table.schema) == ()
    (measure,) = Artefacts(Candidate(table), AuditSettings(), file).read(_NONE)
    assert measure.value == 0.0
    assert [words.partition(":")[0] for words in measure.details] == ["rows.parquet, harmless"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda frame: frame.rename_axis("patients of 2019"), "with an index;"),
        (lambda frame: frame.set_axis(range(7, len(frame) + 7)), "with an index;"),
        (lambda frame: frame.rename_axis("study 7", axis=1), "with a name of the columns' index;"),
        (
            lambda frame: frame.assign(ward=frame.ward.astype("category").cat.add_categories(list("abcdefgh"))),
            "columns",
        ),
    ],
)
def test_what_a_frame_says_of_other_rows_is_found(
    tmp_path: Path, table: Table, change: Callable[[pd.DataFrame], pd.DataFrame], words: str
) -> None:
    file = tmp_path / "rows.parquet"
    change(table.to_arrow().to_pandas()).to_parquet(file)
    found = [finding.what for finding in scan(file, table.schema)]
    assert any("key 'pandas'" in what and words in what for what in found), found
    assert not any("2019" in what or "study" in what for what in found)


def test_attributes_of_a_frame_are_found(tmp_path: Path, table: Table) -> None:
    frame = table.to_arrow().to_pandas()
    frame.attrs["source"] = _SECRET
    frame.to_parquet(tmp_path / "rows.parquet")
    found = [finding.what for finding in scan(tmp_path / "rows.parquet", table.schema)]
    assert any("with attributes" in what for what in found)
    assert not any(_SECRET in what for what in found)


def _arrows_schema(schema: pa.Schema, after: bytes = b"") -> str:
    return base64.b64encode(schema.serialize().to_pybytes() + after).decode()


@pytest.mark.parametrize(
    ("hide", "words"),
    [
        (lambda schema: _arrows_schema(schema), ""),
        (lambda schema: _arrows_schema(schema, bytes(8)), ""),
        (lambda schema: _arrows_schema(schema.with_metadata({"note": _SECRET})), "an entry that the file's metadata"),
        (lambda schema: _arrows_schema(schema.append(pa.field("zebulon", pa.string()))), "other columns"),
        (lambda schema: _arrows_schema(schema, _SECRET.encode()), "more than a schema"),
        (lambda schema: "not base64", "something else"),
    ],
)
def test_what_hides_in_arrows_own_schema_is_found(
    tmp_path: Path, table: Table, hide: Callable[[pa.Schema], str], words: str
) -> None:
    file, rows = tmp_path / "rows.parquet", table.to_arrow().replace_schema_metadata(None)
    with pq.ParquetWriter(file, rows.schema, store_schema=False) as writer:
        writer.write_table(rows)
        writer.add_key_value_metadata({"ARROW:schema": hide(rows.schema)})
    found = [finding.what for finding in scan(file, table.schema)]
    assert bool(found) == bool(words), found
    assert all(words in what or "cannot be read" in what for what in found)
    assert not any("zebulon" in what.lower() for what in found)


def test_random_bytes_are_no_pickle() -> None:
    random = np.random.default_rng(0)
    assert foreign(b"PAR1" + random.bytes(20_000_000) + b"PAR1") == ()


def test_without_files_it_is_not_applicable(table: Table) -> None:
    (measure,) = Artefacts(Candidate(table), AuditSettings()).read(_NONE)
    assert measure.status == "not applicable"


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path, table: Table) -> None:
    with pytest.raises(InputError, match="there is no folder or file gone"):
        scan(tmp_path / "gone", table.schema)


def test_rare_texts_are_those_that_few_rows_have_and_the_schema_does_not_list(table: Table) -> None:
    frame = pd.DataFrame(
        {
            "ward": ["surgery", "medicine", "intensive care", "oncology day clinic"] + ["surgery"] * 4,
            "name": [f"Person Number{place}" for place in range(8)],
            "code": ["12345678"] * 8,
            "city": ["Lagos"] * 8,
            "word": ["short", "tiny", *["word"] * 6],
            "remark": ["the surgery ward", *[""] * 7],
        }
    )
    texts = rare_texts(pa.Table.from_pandas(frame, preserve_index=False), table.schema)
    # Eight people, a ward that is not listed, and a remark of three words.
    assert len(texts) == 10
    assert texts.found_in("seen: person  number3, in ONCOLOGY day-clinic") == 2
    assert texts.found_in("surgery, intensive care, 12345678, Lagos, short") == 0
