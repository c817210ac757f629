"""Very many rows in files: the same by every engine, gone on with after a failure, never half a file."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

from headwater.errors import InputError, StorageError
from headwater.generator.bundle import Bundle
from headwater.generator.table_generator import TableGenerator
from headwater.release.hashing import hash_file
from headwater.release.sample_statement import SampleRequest
from headwater_server.sampling import shards as shards_module
from headwater_server.sampling.shard_folder import SHARD_LIST, ShardList
from headwater_server.sampling.sharding import draw_shards
from headwater_server.sampling.shards import ShardOrder, draw_shard, plan_shards
from support.sampled_release import small_bundle


@pytest.fixture(scope="module")
def held() -> Bundle:
    return small_bundle()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, held: Bundle) -> Path:
    folder = tmp_path_factory.mktemp("bundle") / "generator"
    held.save(folder)
    return folder


def order(held: Bundle, rows: int = 40_000, **asked: object) -> ShardOrder:
    request = SampleRequest.model_validate({"rows": rows, "seed": 9} | asked)
    return ShardOrder(generator=held.digest, request=request, shard_rows=16_384)


@pytest.mark.parametrize(
    ("rows", "shard_rows", "block_rows", "starts"),
    [
        (1, 8192, 8192, [0]),
        (16_384, 8192, 8192, [0, 8192]),
        (16_385, 8192, 8192, [0, 8192, 16_384]),
        # Views of three make blocks of 8,190 rows; files begin where blocks do.
        (20_000, 8192, 8190, [0, 16_380]),
        (100, 1, 8192, [0]),
    ],
)
def test_files_begin_where_blocks_do(rows: int, shard_rows: int, block_rows: int, starts: list[int]) -> None:
    shards = plan_shards(rows, shard_rows, block_rows)
    assert [shard.start for shard in shards] == starts
    assert sum(shard.rows for shard in shards) == rows


def test_a_hundred_million_rows_are_planned_at_once() -> None:
    shards = plan_shards(10**8, shards_module.SHARD_ROWS, 8192)
    assert len(shards) == 96
    assert shards[-1].start + shards[-1].rows == 10**8


@pytest.mark.parametrize(
    "asked", [{}, {"where": {"outcome": "ill"}}, {"balanced": "outcome"}, {"views": 3}], ids=lambda asked: str(asked)
)
def test_files_together_are_the_rows_of_one_reader(
    bundle: Path, held: Bundle, tmp_path: Path, asked: dict[str, object]
) -> None:
    wanted = SampleRequest.model_validate({"rows": 25_000, "seed": 9} | asked)
    listed = draw_shards(
        bundle, ShardOrder(generator=held.digest, request=wanted, shard_rows=16_384), tmp_path / "rows"
    )
    assert [shard.path for shard in listed.shards] == ["part-00000.parquet", "part-00001.parquet"]
    generator = TableGenerator(held.sampler, held.encoding, device="cpu")
    expected = generator.sample(25_000, seed=9, **asked)  # type: ignore[arg-type]
    files = [tmp_path / "rows" / shard.path for shard in listed.shards]
    assert pa.concat_tables([pq.read_table(file) for file in files]).equals(expected)
    assert ShardList.from_bytes((tmp_path / "rows" / SHARD_LIST).read_bytes()) == listed
    for shard, file in zip(listed.shards, files, strict=True):
        assert hash_file(file) == (shard.size_bytes, shard.sha256)
    # Nothing that a reader of the folder would stumble over.
    assert {file.name for file in (tmp_path / "rows").iterdir()} == {SHARD_LIST, *(file.name for file in files)}
    assert pyarrow.dataset.dataset(files).count_rows() == 25_000


def test_what_was_begun_is_gone_on_with(
    bundle: Path, held: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = draw_shards(bundle, order(held), tmp_path / "whole")
    folder = tmp_path / "rows"
    drawn: list[int] = []

    def failing(*given: object) -> object:
        shard = given[2]
        assert isinstance(shard, shards_module.Shard)
        if shard.number == 1 and not drawn[1:]:
            drawn.append(-1)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        drawn.append(shard.number)
        return draw_shard(*given)  # type: ignore[arg-type]

    monkeypatch.setattr("headwater_server.sampling.sharding.draw_shard", failing)
    with pytest.raises(StorageError, match="not whole: the disk is full; mend that and run the command again"):
        draw_shards(bundle, order(held), folder)
    assert not (folder / SHARD_LIST).exists()
    told: list[int] = []
    assert draw_shards(bundle, order(held), folder, on_rows=told.append) == whole
    assert drawn == [0, -1, 1, 2]
    assert told == [16_384, 32_768, 40_000]
    # Whole, it is only read; a changed file is drawn again.
    (folder / "part-00002.parquet").write_bytes(b"changed")
    assert draw_shards(bundle, order(held), folder) == whole
    assert drawn[4:] == [2]


def test_another_order_does_not_mix_with_it(bundle: Path, held: Bundle, tmp_path: Path) -> None:
    draw_shards(bundle, order(held, rows=10), tmp_path / "rows")
    with pytest.raises(InputError, match="another generator, request or seed"):
        draw_shards(bundle, order(held, rows=11), tmp_path / "rows")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("x")
    with pytest.raises(InputError, match="something else than shards"):
        draw_shards(bundle, order(held, rows=10), tmp_path / "other")


def test_full_disk_leaves_no_part_of_a_file(
    bundle: Path, held: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = order(held, rows=10)

    class Full:
        def __init__(self, path: Path, *_: object, **__: object) -> None:
            path.write_bytes(b"half")

        def write_table(self, *_: object, **__: object) -> None:
            raise OSError(errno.ENOSPC, "full")

        def close(self) -> None:
            raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(pq, "ParquetWriter", Full)
    with pytest.raises(OSError, match="full"):
        draw_shard(bundle, said, plan_shards(10, 8192, 8192)[0], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_too_many_files_are_refused(held: Bundle) -> None:
    with pytest.raises(ValueError, match="more than 100,000 files"):
        order(held, rows=10**10)


@pytest.mark.slow
def test_ray_draws_the_same_bytes_and_ends(bundle: Path, held: Bundle, tmp_path: Path) -> None:
    """The command as a person gives it: Ray warns of itself, and what it leaves open only a process's end closes."""
    asked = ["--rows", "40000", "--seed", "9", "--shard-rows", "16384", "--where", "outcome=ill"]
    command = [sys.executable, "-m", "headwater_server.cli", "sample", str(bundle), *asked, "--engine"]
    kept = os.environ | {"RAY_ADDRESS": "10.0.0.1:6379", "PYTHONPATH": os.pathsep.join(sys.path)}
    ray = subprocess.run(
        [*command, "ray", "--workers", "2", "--out", str(tmp_path / "ray")],
        env=kept,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert ray.returncode == 0, ray.stderr
    assert "40,000 rows in 3 files" in ray.stdout
    assert ray.stderr == ""
    here = draw_shards(bundle, order(held, where={"outcome": ["ill"]}), tmp_path / "here")
    assert ShardList.from_bytes((tmp_path / "ray" / SHARD_LIST).read_bytes()) == here
    # Nothing of Ray runs on.
    running = subprocess.run(["pgrep", "-f", str(tmp_path)], capture_output=True, text=True, check=False)
    assert running.stdout == ""
