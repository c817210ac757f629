"""The folder of releases: what changed in it is seen at the next look."""

import os
import shutil
from pathlib import Path

import pytest

from headwater.release.layout import MANIFEST
from headwater.release.manifest import SignedManifest
from headwater.release.verification import read_manifest
from headwater_server.catalogue import FolderReleaseIndex
from support.releases import Consortium, make_consortium, publish

LONG_AGO = 10**9


@pytest.fixture(scope="module")
def consortium() -> Consortium:
    return make_consortium()


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, consortium: Consortium) -> Path:
    return publish(tmp_path_factory.mktemp("once"), consortium).folder


def _put(root: Path, first: Path, consortium: Consortium, name: str, version: int) -> Path:
    """The release again, as another."""
    folder = root / name / str(version)
    shutil.copytree(first, folder)
    manifest = read_manifest((folder / MANIFEST).read_bytes()).manifest
    other = manifest.model_copy(update={"name": name, "version": version})
    (folder / MANIFEST).write_bytes(SignedManifest.sign(other, consortium.coordinator_key).to_bytes())
    return folder


def _age(root: Path, name: str) -> None:
    """As if nothing had changed for long, so that what is found is kept."""
    os.utime(root / name, (LONG_AGO, LONG_AGO))


def test_a_new_version_and_a_new_dataset_are_seen_at_once(tmp_path: Path, first: Path, consortium: Consortium) -> None:
    index = FolderReleaseIndex(tmp_path)
    _put(tmp_path, first, consortium, "visits", 1)
    _age(tmp_path, "visits")
    assert [entry.manifest.version for entry in index.versions("visits")] == [1]
    assert [entry.manifest.version for entry in index.versions("visits")] == [1]
    _put(tmp_path, first, consortium, "visits", 2)
    _put(tmp_path, first, consortium, "stays", 1)
    assert [entry.manifest.version for entry in index.versions("visits")] == [2, 1]
    assert {entry.manifest.name for entry in index.latest()} == {"visits", "stays"}


def test_what_changed_just_now_is_listed_again(tmp_path: Path, first: Path, consortium: Consortium) -> None:
    index = FolderReleaseIndex(tmp_path)
    _put(tmp_path, first, consortium, "visits", 1)
    stamp = (tmp_path / "visits").stat()
    assert len(index.versions("visits")) == 1
    _put(tmp_path, first, consortium, "visits", 2)
    # Two changes within one tick of the clock leave one stamp.
    os.utime(tmp_path / "visits", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert len(index.versions("visits")) == 2


def test_a_version_that_went_is_gone(tmp_path: Path, first: Path, consortium: Consortium) -> None:
    index = FolderReleaseIndex(tmp_path)
    folder = _put(tmp_path, first, consortium, "visits", 1)
    _age(tmp_path, "visits")
    assert len(index.versions("visits")) == 1
    shutil.rmtree(folder)
    _age(tmp_path, "visits")
    assert index.versions("visits") == []
    shutil.rmtree(tmp_path / "visits")
    assert index.versions("visits") == []
    assert index.latest() == []
