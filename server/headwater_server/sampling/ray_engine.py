"""Shards drawn by Ray Data, in several processes of this machine."""

import contextlib
import importlib.util
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from headwater.errors import HeadwaterError, InputError, StorageError
from headwater_server.sampling.shards import Shard, ShardOrder, draw_shard, failure_of

__all__ = ["drawn_on_ray", "ray_here"]

OBJECT_STORE_BYTES = 100 * 2**20
"""Shared memory of Ray. Rows never go through it: each worker writes its own files and answers with their digests."""

_QUIET = {
    # No report of use leaves the machine, nothing is looked up, no colour codes or bars are written.
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_TQDM": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    # One thread of arithmetic a worker.
    "OMP_NUM_THREADS": "1",
}


@contextlib.contextmanager
def ray_here(workers: int) -> Iterator[None]:
    """Ray on this machine's loopback alone, without telemetry or dashboard, in a folder of its own that is removed.

    Args:
        workers: processes that work at the same time.

    Raises:
        InputError: Ray is not installed, or runs in this process already.
        StorageError: it did not start.
    """
    if importlib.util.find_spec("ray") is None:
        raise InputError("drawing on Ray needs Ray; install headwater[simulation], or say --engine local")
    os.environ.update(_QUIET)
    import ray

    if ray.is_initialized():
        raise InputError("Ray runs in this process already; draw in another")
    before = logging.root.manager.disable
    # Ray tells of every dataset and gives advice; the command tells its own progress.
    logging.disable(logging.WARNING)
    # A short path: Ray makes sockets below it, whose names may have 107 bytes.
    with tempfile.TemporaryDirectory(prefix="hw-ray-", dir="/tmp") as folder:
        try:
            with _standard_error_to(Path(folder) / "ray.err"):
                _start(ray, workers, folder)
                try:
                    yield
                finally:
                    ray.shutdown()
        finally:
            logging.disable(before)


@contextlib.contextmanager
def _standard_error_to(file: Path) -> Iterator[None]:
    """Send what libraries in C++ write of themselves to a file: Ray's own lines help nobody who draws rows."""
    kept = os.dup(2)
    target = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(target, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(target)


def _start(ray: Any, workers: int, folder: str) -> None:
    try:
        ray.init(
            # Never a cluster that the environment names: what is drawn stays on this machine.
            address="local",
            num_cpus=workers,
            num_gpus=0,
            include_dashboard=False,
            object_store_memory=OBJECT_STORE_BYTES,
            log_to_driver=False,
            configure_logging=False,
            _node_ip_address="127.0.0.1",
            _temp_dir=folder,
        )
    except Exception as error:
        raise StorageError(f"Ray did not start ({type(error).__name__}); say --engine local") from error


def drawn_on_ray(
    bundle: Path, order: ShardOrder, shards: Sequence[Shard], folder: Path, workers: int
) -> Iterator[Mapping[str, object]]:
    """Draw shards with Ray Data, one a worker at a time; each is told as soon as it is finished.

    Args:
        bundle: folder of the generator.
        order: of all shards.
        shards: to draw, at least one.
        folder: where to.
        workers: processes.

    Yields:
        A `DrawnShard` as values, or {"failed": why}, in whichever order they come.

    Raises:
        InputError: Ray is not installed.
        StorageError: Ray did not start, or lost its workers.
    """
    with ray_here(workers):
        from ray import data

        context = data.DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        # Small enough to travel with each item: a worker that is started anew needs nothing from Ray's store.
        beside = {"bundle": str(bundle.resolve()), "order": order.to_bytes(), "folder": str(folder.resolve())}
        items = [beside | {"number": shard.number, "start": shard.start, "rows": shard.rows} for shard in shards]
        pool = data.ActorPoolStrategy(size=min(workers, len(items)))
        told = data.from_items(items, override_num_blocks=len(items)).map(_Drawer, num_cpus=1, compute=pool)
        try:
            for row in told.iter_rows():
                yield {name: value for name, value in row.items() if value is not None}
        except HeadwaterError:
            raise
        except Exception as error:
            raise StorageError(
                f"Ray lost its work ({type(error).__name__}); run the command again, which goes on with the files that "
                "are there, or say --engine local"
            ) from error


class _Drawer:
    """What a worker of Ray is: a process that keeps the generator between shards."""

    def __call__(self, item: Mapping[str, Any]) -> dict[str, Any]:
        shard = Shard(int(item["number"]), int(item["start"]), int(item["rows"]))
        # All answers have the same columns, as rows of a table have.
        told: dict[str, Any] = dict.fromkeys(("path", "start", "rows", "size_bytes", "sha256", "failed"))
        try:
            order = ShardOrder.from_bytes(item["order"])
            return told | draw_shard(Path(item["bundle"]), order, shard, Path(item["folder"])).model_dump()
        except (HeadwaterError, OSError, MemoryError) as error:
            return told | dict(failure_of(error))
