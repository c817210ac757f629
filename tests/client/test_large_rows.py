"""Very many rows of a release at an organisation: all of them held to the manifest, one file at a time on its disk."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headwater.canonical import sha256_hex
from headwater.errors import PeerError, ReleaseRefused
from headwater.release.blocks import BLOCKS_SUFFIX, BlockDigests
from headwater.release.hashing import hash_file
from headwater.release.large import shard_path
from headwater.release.rows import write_rows
from headwater.release.verification import read_manifest
from headwater_client import Organisation
from headwater_client.large_rows import check_large, fetch_large
from headwater_client.transport.releases import ReleasesClient
from headwater_server.releasing.extras import ExtrasRequest
from support.honest_audit import use_audit
from support.review_world import World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patched:
        use_audit(patched)
        made = World(tmp_path_factory.mktemp("many"), private=True, terms="on request")
        made.record = made.wait(extras=ExtrasRequest(large_rows=20_000, shard_rows=8192))
    yield made
    made.coordinator.close()


def test_every_file_is_looked_at_once_and_the_first_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[str] = []
    fetch = ReleasesClient.fetch

    def noted(self: ReleasesClient, release: str, path: str, target: Path, size: int, sha256: str) -> None:
        assert not [each for each in target.parent.glob("part-*.parquet") if each.name != "part-00000.parquet"]
        fetched.append(path)
        fetch(self, release, path, target, size, sha256)

    monkeypatch.setattr(ReleasesClient, "fetch", noted)
    with Organisation.open(world.homes["org-1"]) as organisation:
        release = organisation.review_release(world.record.release_digest).release
        assert {shard_path(number) for number in range(3)} <= set(fetched)
        assert [path.name for path in (release.folder / "large").glob("*.parquet")] == ["part-00000.parquet"]
        fetched.clear()
        organisation.review_release(world.record.release_digest)
        assert fetched == []
    note = release.folder.parent / "release.large.json"
    before = note.read_bytes()
    for old, new, problem in (
        (b'"rows":3616', b'"rows":3617', "large/ has 20,001 rows, the manifest says 20,000"),
        (b'"columns":"', b'"columns":"patient: ', r"part-00001\.parquet has other columns"),
    ):
        assert old in before
        note.write_bytes(before.replace(old, new))
        with pytest.raises(ReleaseRefused, match=problem):
            check_large(release.folder, release.manifest)
    note.write_bytes(before)


def test_files_that_are_not_as_signed_are_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    place = world.home.pending / world.record.release_digest / shard_path(1)
    sound = place.read_bytes()
    place.write_bytes(bytes([sound[0]]) + sound[1:-1] + b"\x00")
    try:
        with (
            Organisation.open(world.homes["org-2"]) as organisation,
            pytest.raises(PeerError, match=r"sent another large/part-00001\.parquet than the signed manifest lists"),
        ):
            organisation.review_release(world.record.release_digest)
    finally:
        place.write_bytes(sound)


class Disk:
    """A coordinator whose files are on this disk, as it signed them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fetch(self, _release: str, path: str, target: Path, _size: int, _sha256: str) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.folder / path, target)


def test_what_the_coordinator_signed_wrongly_is_refused(world: World, tmp_path: Path) -> None:
    published = tmp_path / "published"
    shutil.copytree(world.home.pending / world.record.release_digest, published)
    manifest = read_manifest((published / "manifest.json").read_bytes()).manifest
    path = published / shard_path(2)
    write_rows(pq.read_table(path).replace_schema_metadata({"host": "ward-7"}), path)
    assert hash_file(path)[0] > 0
    with pytest.raises(ReleaseRefused, match=r"part-00002\.parquet: an entry in the file's metadata"):
        fetch_large(Disk(published), manifest, world.plan.schema_, tmp_path / "own")  # type: ignore[arg-type]
    assert not list((tmp_path / "own").rglob("part-00002.parquet"))
    shutil.copyfile(world.home.pending / world.record.release_digest / shard_path(2), path)
    table = pq.read_table(path)
    place = next(i for i, field in enumerate(table.schema) if pa.types.is_floating(field.type))
    field = table.schema.field(place)
    write_rows(table.set_column(place, field, pa.array([1e9] * table.num_rows, field.type)), path)
    listed = BlockDigests.of(path, shard_path(2)).to_bytes()
    (published / f"{shard_path(2)}{BLOCKS_SUFFIX}").write_bytes(listed)
    size, digest = hash_file(path)
    changed = {shard_path(2): (size, digest), f"{shard_path(2)}{BLOCKS_SUFFIX}": (len(listed), sha256_hex(listed))}
    files = tuple(
        each.model_copy(update=dict(zip(("size_bytes", "sha256"), changed[each.path], strict=True)))
        if each.path in changed
        else each
        for each in manifest.files
    )
    manifest = manifest.model_copy(update={"files": files})
    with pytest.raises(ReleaseRefused, match=r"part-00002\.parquet has values in column"):
        fetch_large(Disk(published), manifest, world.plan.schema_, tmp_path / "own")  # type: ignore[arg-type]
