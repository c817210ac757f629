"""Blobs are whole or not there."""

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.canonical import sha256_hex
from headwater.errors import StorageError
from headwater_server.storage import BlobStore


@given(data=st.binary(max_size=200))
def test_a_blob_comes_back_by_its_digest(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    store = BlobStore(tmp_path_factory.mktemp("blobs"))
    digest = store.put(data)
    assert digest == sha256_hex(data)
    assert store.get(digest) == data


def test_the_same_blob_again_is_stored_once(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    assert store.put(b"sum") == store.put(b"sum")
    assert [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()] == [b"sum"]


def test_an_altered_blob_is_refused(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    digest = store.put(b"sum")
    (path,) = (path for path in tmp_path.rglob("*") if path.is_file())
    path.write_bytes(b"SUM")
    with pytest.raises(StorageError, match="altered"):
        store.get(digest)


def test_a_missing_blob_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no blob"):
        BlobStore(tmp_path).get("00" * 32)


@pytest.mark.parametrize("digest", ["", "00", "../" * 20 + "etc", "AB" * 32, "00" * 32 + "\n"])
def test_what_is_no_digest_names_no_file(tmp_path: Path, digest: str) -> None:
    with pytest.raises(StorageError, match="64 hexadecimal"):
        BlobStore(tmp_path).get(digest)


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    store = BlobStore(tmp_path)
    with pytest.raises(StorageError, match="No space left on device; make room"):
        store.put(b"sum")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    monkeypatch.undo()
    assert store.get(store.put(b"sum")) == b"sum"
