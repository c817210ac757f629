"""Digests of blocks: one list for a file, signed with the release, refused where it says something else."""

import hashlib
from pathlib import Path

import pytest
from pydantic import ValidationError

from headwater.canonical import sha256_hex
from headwater.errors import InputError, ReleaseRefused
from headwater.release import SignedManifest, verify_release
from headwater.release.blocks import BLOCKS_SUFFIX, BlockDigests, block_bytes_for, blocks_entry, read_blocks
from headwater.release.layout import CARD, CHECKSUMS, DATA, MANIFEST, checksums
from headwater.release.manifest import FileEntry
from support.releases import Consortium, make_consortium, make_table, publish


@pytest.fixture(scope="module")
def consortium() -> Consortium:
    return make_consortium()


def entry_of(data: bytes, path: str = DATA) -> FileEntry:
    return FileEntry(path=path, size_bytes=len(data), sha256=sha256_hex(data), media_type="application/json")


def sign_again(folder: Path, consortium: Consortium, content: bytes) -> None:
    """Put another list into a release, as a coordinator could who signs what is wrong."""
    listed = f"{DATA}{BLOCKS_SUFFIX}"
    (folder / listed).write_bytes(content)
    manifest = SignedManifest.from_bytes((folder / MANIFEST).read_bytes()).manifest
    files = tuple(entry_of(content, listed) if each.path == listed else each for each in manifest.files)
    signed = SignedManifest.sign(manifest.model_copy(update={"files": files}), consortium.coordinator_key)
    (folder / MANIFEST).write_bytes(signed.to_bytes())
    (folder / CHECKSUMS).write_bytes(checksums(files, signed.to_bytes()))


@pytest.mark.parametrize(
    ("size", "block"),
    [(1, 1 << 16), (1 << 30, 1 << 16), ((1 << 30) + 1, 1 << 17), (1 << 52, 1 << 26)],
)
def test_blocks_grow_with_the_file(size: int, block: int) -> None:
    assert block_bytes_for(size) == block


def test_every_block_has_its_own_digest(tmp_path: Path) -> None:
    content = bytes(range(256)) * 700
    (tmp_path / "x").write_bytes(content)
    blocks = BlockDigests.of(tmp_path / "x", DATA)
    pieces = [content[start : start + 65_536] for start in range(0, len(content), 65_536)]
    assert blocks.blocks == tuple(hashlib.sha256(piece).hexdigest() for piece in pieces)
    for index, piece in enumerate(pieces):
        blocks.check(index, piece)
    with pytest.raises(ReleaseRefused, match="at byte 65,536 is not what was signed"):
        blocks.check(1, pieces[1][:-1] + b"?")


def test_an_empty_file_has_no_blocks(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    with pytest.raises(InputError, match="is empty"):
        BlockDigests.of(tmp_path / "x", DATA)


@pytest.mark.parametrize("change", [{"block_bytes": 65_537}, {"size_bytes": 65_537}, {"blocks": ("0" * 64,) * 2}])
def test_a_list_must_fit_its_sizes(change: dict[str, object]) -> None:
    sound = {"path": DATA, "size_bytes": 10, "sha256": "0" * 64, "block_bytes": 65_536, "blocks": ("0" * 64,)}
    assert BlockDigests.model_validate(sound).size_bytes == 10
    with pytest.raises(ValidationError):
        BlockDigests.model_validate({**sound, **change})


def test_a_list_of_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"rows")
    listed = BlockDigests.of(tmp_path / "x", DATA).to_bytes()
    assert read_blocks(listed, entry_of(b"rows")).size_bytes == 4
    for other in (entry_of(b"rows", "views/data.parquet"), entry_of(b"else")):
        with pytest.raises(ReleaseRefused, match="is of another file"):
            read_blocks(listed, other)
    with pytest.raises(ReleaseRefused, match="cannot be used"):
        read_blocks(b"{}", entry_of(b"rows"))


def test_a_release_lists_the_blocks_of_its_rows(tmp_path: Path, consortium: Consortium) -> None:
    folder = publish(tmp_path, consortium, make_table(rows=60_000)).folder
    manifest = verify_release(folder, consortium.charter.charter).manifest
    listed, data = blocks_entry(manifest, DATA), manifest.file(DATA)
    if listed is None or data is None:
        pytest.fail("the release lacks its rows or the list of their blocks")
    blocks = read_blocks((folder / listed.path).read_bytes(), data)
    assert len(blocks.blocks) > 2
    assert blocks.sha256 == data.sha256


def test_a_list_that_was_signed_and_is_wrong_is_refused(tmp_path: Path, consortium: Consortium) -> None:
    folder = publish(tmp_path, consortium).folder
    blocks = BlockDigests.of(folder / DATA, DATA)
    sign_again(folder, consortium, blocks.model_copy(update={"blocks": ("0" * 64,)}).to_bytes())
    with pytest.raises(ReleaseRefused, match=r"does not say what data\.parquet holds"):
        verify_release(folder, consortium.charter.charter)
    sign_again(folder, consortium, b"{}")
    with pytest.raises(ReleaseRefused, match=r"list of blocks of data\.parquet cannot be used"):
        verify_release(folder, consortium.charter.charter)


def test_what_the_caller_lacks_or_hashed_is_not_read(tmp_path: Path, consortium: Consortium) -> None:
    folder = publish(tmp_path, consortium).folder
    charter = consortium.charter.charter
    (folder / DATA).unlink()
    with pytest.raises(ReleaseRefused, match=r"data\.parquet is missing"):
        verify_release(folder, charter)
    with pytest.raises(ReleaseRefused, match=r"data\.parquet is missing"):
        verify_release(folder, charter, hashed=[DATA])
    assert verify_release(folder, charter, absent=[DATA]).manifest.rows == 500
    (folder / DATA).write_bytes(b"rows")
    with pytest.raises(ReleaseRefused, match=r"data\.parquet in .* is not part of the release"):
        verify_release(folder, charter, absent=[DATA])
    (folder / DATA).unlink()
    (folder / CARD).write_bytes(b"hashed by the caller")
    with pytest.raises(ReleaseRefused, match=r"README\.md is not the file that was signed"):
        verify_release(folder, charter, absent=[DATA])
    assert verify_release(folder, charter, absent=[DATA], hashed=[CARD]).manifest.rows == 500
