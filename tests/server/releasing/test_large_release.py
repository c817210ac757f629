"""Very many rows in a release: asked for, drawn, gone on with after a failure, published, and taken back."""

import errno
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

from headwater.canonical import sha256_hex
from headwater.errors import InputError, ReleaseRefused, StorageError
from headwater.release import verify_release
from headwater.release.large import LARGE_FILES, shard_path
from headwater_server.releasing.large import draw_large, large_folder, remove_large
from headwater_server.releasing.withdrawing import withdraw
from headwater_server.sampling import shards as shards_module
from headwater_server.sampling.shard_folder import order_in
from headwater_server.sampling.shards import draw_shard
from headwater_server.sampling.source import bundle_folder
from support.honest_audit import use_audit
from support.outlines import outlines
from support.released_run import BUDGET, attempt, finished, release, waiting
from support.run_world import RUN, RunWorld

MANY = ("--large-rows", "20000", "--shard-rows", "8192")


@pytest.fixture(autouse=True, scope="module")
def _honest() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched, outlines():
        use_audit(patched)
        yield


@pytest.fixture(scope="module")
def generous(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunWorld]:
    world = finished(tmp_path_factory.mktemp("generous"), BUDGET, terms="on request")
    yield world
    world.storage.close()


def test_what_was_begun_is_gone_on_with_and_goes_when_withdrawn(
    generous: RunWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*given: object) -> object:
        shard = given[2]
        assert isinstance(shard, shards_module.Shard)
        if shard.number == 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return draw_shard(*given)  # type: ignore[arg-type]

    begun = large_folder(generous.home, RUN)
    with monkeypatch.context() as full:
        full.setattr("headwater_server.sampling.sharding.draw_shard", failing)
        with pytest.raises(StorageError, match="the disk is full; mend that and run the command again"):
            waiting(generous, *MANY)
    order = order_in(begun)
    assert order is not None
    assert (order.request.rows, begun.stat().st_mode & 0o777) == (20_000, 0o700)
    assert not list(generous.home.pending.glob("[!.]*"))
    first = (begun / "part-00000.parquet").read_bytes()
    with pytest.raises(InputError, match="holds 20,000 rows in files of 8,192 that another attempt began"):
        attempt(generous, "--large-rows", "20001", "--shard-rows", "8192")
    _, folder = release(generous, *MANY)
    manifest = verify_release(folder, generous.charter).manifest
    (large,) = manifest.configurations
    assert (large.name, large.path, large.rows) == ("large", shard_path(0), 20_000)
    assert "3 files of 8,192 rows or fewer" in large.description
    assert (folder / shard_path(0)).read_bytes() == first
    files = sorted(folder.glob(LARGE_FILES))
    assert [pq.read_metadata(file).num_rows for file in files] == [8192, 8192, 3616]
    assert pyarrow.dataset.dataset(files).schema.names == pq.read_schema(folder / "data.parquet").names
    # The seed is nowhere in what is published, and goes with the files' first names.
    assert {path.name for path in (folder / "large").iterdir()} == {
        name for file in files for name in (file.name, f"{file.name}.blocks.json")
    }
    seed = str(order.request.seed).encode()
    assert not any(seed in path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert not begun.exists()
    withdraw(
        generous.home,
        generous.storage,
        "visits",
        manifest.version,
        "The rows were drawn by mistake.",
        generous.consortium.coordinator_key,
        datetime.now(UTC),
    )
    assert not (folder / "large").exists()


def test_every_release_has_a_seed_of_its_own(generous: RunWorld) -> None:
    bundle = bundle_folder(generous.home, RUN)
    digest = sha256_hex((bundle / "bundle.json").read_bytes())
    tables = []
    for _ in range(2):
        _, folder = draw_large(
            generous.home, RUN, bundle, digest, 100, 8192, engine="local", workers=1, on_rows=lambda _rows: None
        )
        tables.append(pq.read_table(folder / "part-00000.parquet"))
        remove_large(generous.home, RUN)
    # Nobody can know it from another release.
    assert not tables[0].equals(tables[1])


def test_nobody_gets_very_many_rows_of_a_kept_generator(generous: RunWorld, tmp_path: Path) -> None:
    attempts = len(generous.storage.attempts(RUN))
    with pytest.raises(ReleaseRefused, match="very many rows are more rows of a generator that is kept"):
        attempt(generous, "--generator", "kept", *MANY)
    # Before an attempt is logged.
    assert len(generous.storage.attempts(RUN)) == attempts
    exact = finished(tmp_path / "exact", None)
    with pytest.raises(ReleaseRefused, match="more rows of a generator that is kept"):
        attempt(exact, *MANY)
    exact.storage.close()
    with pytest.raises(InputError, match="would be more than 4,096 files; say a larger --shard-rows"):
        attempt(generous, "--large-rows", "100000000", "--shard-rows", "1")
