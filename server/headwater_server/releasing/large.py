"""Very many rows of a release: drawn into the run's folder with a seed that nobody outside can know."""

import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

from headwater.errors import InputError, StorageError
from headwater.release.large import LARGE, shard_path
from headwater.release.manifest import Configuration
from headwater.release.sample_statement import SampleRequest
from headwater_server.sampling.shard_folder import order_in
from headwater_server.sampling.sharding import Engine, draw_shards
from headwater_server.sampling.shards import ShardOrder
from headwater_server.settings import CoordinatorHome

__all__ = ["draw_large", "large_folder", "remove_large"]


def large_folder(home: CoordinatorHome, run_id: str) -> Path:
    """Where very many rows of a run are drawn until a release holds them."""
    return home.runs / run_id / LARGE


def draw_large(
    home: CoordinatorHome,
    run_id: str,
    bundle: Path,
    digest: str,
    rows: int,
    shard_rows: int,
    *,
    engine: Engine,
    workers: int,
    on_rows: Callable[[int], None],
) -> tuple[Configuration, Path]:
    """Draw what is missing of very many rows; memory is that of one row group a worker.

    Args:
        home: of the coordinator.
        run_id: of the run.
        bundle: folder of its generator.
        digest: of the generator.
        rows: in all.
        shard_rows: of each file.
        engine: "local" or "ray"; both give the same rows.
        workers: processes of Ray.
        on_rows: told how many rows there are so far.

    Returns:
        The entry of the manifest, and the folder of the files.

    Raises:
        InputError: other rows were begun before, or Ray is not installed.
        StorageError: the disk is full or a worker failed; again, it goes on with the files that are there.

    Guarantee: the seed stays in the run's folder, so under a budget the rows are post-processing. It is kept there for
    an attempt that was cut off, and goes with the folder when a release holds the files.
    """
    folder = large_folder(home, run_id)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        begun = order_in(folder)
    except OSError as error:
        raise StorageError(f"{folder} cannot be written: {error.strerror}; make room") from error
    # Nobody can know the seed before: under a budget whatever is drawn is post-processing.
    seed = secrets.randbits(53) if begun is None else begun.request.seed
    order = ShardOrder(generator=digest, request=SampleRequest(rows=rows, seed=seed), shard_rows=shard_rows)
    if begun is not None and begun != order:
        raise InputError(
            f"{folder} holds {begun.request.rows:,} rows in files of {begun.shard_rows:,} that another attempt began; "
            "say the same numbers to go on with them, or remove the folder"
        )
    listed = draw_shards(bundle, order, folder, engine=engine, workers=workers, on_rows=on_rows)
    said = (
        f"Very many rows of the same generator, drawn like those of data.parquet and attacked by nobody: "
        f"{len(listed.shards)} files of {listed.shards[0].rows:,} rows or fewer."
    )
    entry = {"name": LARGE, "path": shard_path(0), "rows": listed.rows, "description": said}
    return Configuration.model_validate(entry), folder


def remove_large(home: CoordinatorHome, run_id: str) -> None:
    """Remove the files' first names and their seed; a release has them under their second names."""
    shutil.rmtree(large_folder(home, run_id), ignore_errors=True)
