"""A release folder: written whole, verified offline, refused for any change."""

import errno
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from headwater.agreement.signing import public_key_hex
from headwater.errors import InputError, ReleaseRefused
from headwater.release import verify_release
from headwater.release.layout import MANIFEST
from headwater.schema import Schema
from support.releases import Consortium, make_consortium, make_table, publish

WORDS = ("README.md", "SHA256SUMS", "manifest.json", "schema.toml")


@pytest.fixture(scope="module")
def consortium() -> Consortium:
    return make_consortium()


@pytest.fixture
def folder(tmp_path: Path, consortium: Consortium) -> Path:
    return publish(tmp_path / "releases", consortium).folder


def test_release_verifies_under_its_charter(folder: Path, consortium: Consortium) -> None:
    verification = verify_release(folder, consortium.charter.charter)
    assert verification.manifest.rows == 500
    assert verification.charter_digest == consortium.digest
    assert verification.signatures == "signed by the coordinator; no organisation has signed yet"
    assert "NOT DIFFERENTIALLY PRIVATE" in verification.headline


def test_release_verifies_under_the_bare_coordinator_key(folder: Path, consortium: Consortium) -> None:
    assert verify_release(folder, public_key_hex(consortium.coordinator_key)).charter_digest is None


def test_checksums_satisfy_sha256sum(folder: Path) -> None:
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    assert "manifest.json: OK" in checked.stdout


def test_data_is_typed_and_compressed_in_row_groups(tmp_path: Path, consortium: Consortium) -> None:
    table = make_table(rows=70_000)
    folder = publish(tmp_path, consortium, table).folder
    with pq.ParquetFile(folder / "data.parquet") as file:
        groups = [file.metadata.row_group(index) for index in range(file.metadata.num_row_groups)]
        assert [group.num_rows for group in groups] == [65_536, 4_464]
        assert groups[0].column(0).compression == "ZSTD"
        assert groups[0].column(0).is_stats_set
        types = [str(field.type) for field in file.schema_arrow]
        assert file.read().equals(table.to_arrow())
    assert types == ["int64", "double", "string", "string", "date32[day]"]


def test_schema_in_the_folder_is_the_tables(folder: Path) -> None:
    assert Schema.from_toml((folder / "schema.toml").read_text()) == make_table().schema


def test_without_dp_nothing_but_rows_and_words_is_published(folder: Path) -> None:
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    plots = {path for path in present if path.startswith("plots/")}
    assert present - plots == {
        *WORDS,
        "croissant.json",
        "data.csv.gz",
        "data.parquet",
        "data.parquet.blocks.json",
        "statistics.json",
    }
    assert len(plots) == 6
    assert "plots/pairs.svg" in plots
    assert all(path.endswith(".svg") for path in plots)
    assert b"seed" not in (folder / MANIFEST).read_bytes()


def flip_last_byte(folder: Path) -> None:
    path = folder / "data.parquet"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))


def truncate(folder: Path) -> None:
    path = folder / "README.md"
    path.write_bytes(path.read_bytes()[:-1])


def claim_more_rows(folder: Path) -> None:
    path = folder / MANIFEST
    path.write_bytes(path.read_bytes().replace(b'"rows":500', b'"rows":501'))


def respell_manifest(folder: Path) -> None:
    path = folder / MANIFEST
    path.write_bytes(path.read_bytes() + b"\n")


def swap_sums(folder: Path) -> None:
    path = folder / "SHA256SUMS"
    path.write_bytes(path.read_bytes().replace(b"0", b"1"))


def link_out(folder: Path) -> None:
    path = folder / "README.md"
    copy = folder.parent / "copy.md"
    path.rename(copy)
    path.symlink_to(copy)


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "one bit of the data": (flip_last_byte, "data.parquet is not the file that was signed"),
    "a shorter card": (truncate, "README.md is not the file that was signed"),
    "a missing plot": (lambda folder: (folder / "plots" / "001-age.svg").unlink(), "001-age.svg is missing"),
    "a file that nobody signed": (lambda folder: (folder / "load.py").write_text("x"), "load.py .* is not part"),
    "a hidden file in plots": (lambda folder: (folder / "plots" / ".x").write_text("x"), "plots/.x .* is not part"),
    "a link in place of a file": (link_out, "is a link"),
    "more rows in the manifest": (claim_more_rows, "signature on manifest.json is wrong"),
    "another spelling of the manifest": (respell_manifest, "not in canonical form"),
    "no manifest": (lambda folder: (folder / MANIFEST).unlink(), "holds no manifest.json"),
    "garbage as manifest": (lambda folder: (folder / MANIFEST).write_bytes(b"\xff\x00"), "cannot be believed"),
    "other checksums": (swap_sums, "SHA256SUMS does not say"),
}


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_changed_folder_is_refused(folder: Path, consortium: Consortium, change: str) -> None:
    act, reason = CHANGES[change]
    act(folder)
    with pytest.raises(ReleaseRefused, match=reason):
        verify_release(folder, consortium.charter.charter)


def test_advice_for_a_damaged_folder_can_be_followed(folder: Path, consortium: Consortium) -> None:
    truncate(folder)
    # A download to this very folder would be refused, for the folder is not empty.
    with pytest.raises(ReleaseRefused, match=r"; download the dataset again, to another folder$"):
        verify_release(folder, consortium.charter.charter)


def test_release_under_another_charter_with_the_same_key_is_refused(folder: Path, consortium: Consortium) -> None:
    other = consortium.charter.charter.model_copy(update={"consortium": "Four Hospitals"})
    with pytest.raises(ReleaseRefused, match="made under charter"):
        verify_release(folder, other)


def test_release_of_another_consortium_is_refused(folder: Path) -> None:
    with pytest.raises(ReleaseRefused, match="signed by key"):
        verify_release(folder, make_consortium().charter.charter)


def test_folder_that_is_not_there_is_named(tmp_path: Path, consortium: Consortium) -> None:
    with pytest.raises(InputError, match="there is no folder"):
        verify_release(tmp_path / "nowhere", consortium.charter.charter)


def test_second_release_of_a_name_is_the_next_version(tmp_path: Path, consortium: Consortium) -> None:
    first, second = (publish(tmp_path, consortium) for _ in range(2))
    assert (first.version, second.version) == (1, 2)
    verify_release(first.folder, consortium.charter.charter)
    verify_release(second.folder, consortium.charter.charter)


def test_published_version_is_never_written_over(tmp_path: Path, consortium: Consortium) -> None:
    (tmp_path / "visits" / "1").mkdir(parents=True)
    published = publish(tmp_path, consortium)
    assert published.version == 2
    assert list((tmp_path / "visits" / "1").iterdir()) == []


def test_disk_that_fills_leaves_nothing(
    tmp_path: Path, consortium: Consortium, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        publish(tmp_path, consortium)
    assert list((tmp_path / "visits").iterdir()) == []


@pytest.mark.parametrize("name", ["", "..", "Adult", "a/b", "a b", "-a", "a" * 65, "a\n"])
def test_name_that_is_none_is_refused(tmp_path: Path, consortium: Consortium, name: str) -> None:
    with pytest.raises(InputError, match="cannot name a dataset"):
        publish(tmp_path, consortium, name=name)
    assert list(tmp_path.iterdir()) == []


def test_empty_table_is_refused(tmp_path: Path, consortium: Consortium) -> None:
    empty = make_table().take(np.array([], dtype=np.int64))
    with pytest.raises(InputError, match="no rows"):
        publish(tmp_path, consortium, empty)
    assert not list(tmp_path.rglob("manifest.json"))
