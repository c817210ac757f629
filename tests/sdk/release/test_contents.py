"""What lies beside the audited rows is held to them, whoever signed it."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from headwater.canonical import sha256_hex
from headwater.errors import ReleaseRefused
from headwater.release import verify_release
from headwater.release.blocks import BLOCKS_SUFFIX, BlockDigests
from headwater.release.layout import CARD, CHECKSUMS, CROISSANT, CSV, DATA, MANIFEST, STATISTICS, checksums
from headwater.release.manifest import Manifest, SignedManifest
from headwater.release.rows import candidate_bytes
from headwater.release.statistics import statistics_of
from headwater.release.verification import read_manifest
from support.releases import Consortium, make_consortium, make_table, publish

OTHER = make_table(seed=8)


@pytest.fixture(scope="module")
def consortium() -> Consortium:
    return make_consortium()


@pytest.fixture
def folder(tmp_path: Path, consortium: Consortium) -> Path:
    return publish(tmp_path, consortium).folder


def sign_anew(folder: Path, consortium: Consortium, **changes: object) -> None:
    """As a coordinator does that means to deceive: the files as they are now, under its own true signature."""
    manifest = read_manifest((folder / MANIFEST).read_bytes()).manifest
    files = tuple(
        entry.model_copy(
            update={
                "sha256": sha256_hex((folder / entry.path).read_bytes()),
                "size_bytes": (folder / entry.path).stat().st_size,
            }
        )
        for entry in manifest.files
    )
    lying = Manifest.model_validate(manifest.model_dump() | {"files": [each.model_dump() for each in files]} | changes)
    signed = SignedManifest.sign(lying, consortium.coordinator_key).to_bytes()
    (folder / MANIFEST).write_bytes(signed)
    (folder / CHECKSUMS).write_bytes(checksums(files, signed))


def other_csv(folder: Path) -> None:
    lines = gzip.decompress((folder / CSV).read_bytes()).splitlines(keepends=True)
    (folder / CSV).write_bytes(gzip.compress(b"".join([lines[0], *reversed(lines[1:])]), mtime=0))


def other_statistics(folder: Path) -> None:
    (folder / STATISTICS).write_bytes(statistics_of(OTHER.to_arrow(), OTHER.schema).to_bytes())


def other_card(folder: Path) -> None:
    with (folder / CARD).open("a") as card:
        card.write("\nWard 7 had 12 more of them.\n")


def other_croissant(folder: Path) -> None:
    said = json.loads((folder / CROISSANT).read_bytes())
    (folder / CROISSANT).write_text(json.dumps(said | {"keywords": ["ward 7"]}, indent=2))


def hidden_bytes(folder: Path) -> None:
    content = (folder / DATA).read_bytes()
    begin = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    (folder / DATA).write_bytes(content[:begin] + b"ward 7 had 12 more" + content[begin:])
    (folder / f"{DATA}{BLOCKS_SUFFIX}").write_bytes(BlockDigests.of(folder / DATA, DATA).to_bytes())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (hidden_bytes, r"data\.parquet has 18 bytes between its columns that no part of it names"),
        (other_card, r"README\.md says something else than follows from"),
        (other_croissant, r"croissant\.json says something else than follows from"),
        (other_csv, r"data\.csv\.gz does not hold the rows of data\.parquet"),
        (other_statistics, r"statistics\.json does not follow from data\.parquet, at "),
    ],
)
def test_other_rows_beside_the_audited_ones_are_refused_though_they_are_signed(
    folder: Path, consortium: Consortium, change: Callable[[Path], None], reason: str
) -> None:
    change(folder)
    sign_anew(folder, consortium)
    with pytest.raises(ReleaseRefused, match=reason):
        verify_release(folder, consortium.charter.charter)


def test_another_number_of_rows_than_the_manifest_says_is_refused(folder: Path, consortium: Consortium) -> None:
    sign_anew(folder, consortium, rows=501)
    with pytest.raises(ReleaseRefused, match=r"data\.parquet has 500 rows, the manifest says 501"):
        verify_release(folder, consortium.charter.charter)


def test_what_a_reader_did_not_fetch_is_not_asked_for(folder: Path, consortium: Consortium) -> None:
    (folder / CSV).unlink()
    (folder / STATISTICS).unlink()
    verified = verify_release(folder, consortium.charter.charter, absent=(CSV, STATISTICS))
    assert verified.manifest.rows == 500
    assert sha256_hex(candidate_bytes(make_table())) == sha256_hex((folder / DATA).read_bytes())
