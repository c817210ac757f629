"""Draw all shards of an order, here or on Ray, and list them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from headwater.errors import HeadwaterError, StorageError
from headwater_server.sampling.shard_folder import ShardFolder, ShardList
from headwater_server.sampling.shards import (
    DrawnShard,
    Shard,
    ShardOrder,
    block_rows_of,
    draw_shard,
    failure_of,
    plan_shards,
)

__all__ = ["ENGINES", "Engine", "draw_shards"]

Engine = Literal["local", "ray"]
ENGINES: tuple[Engine, ...] = ("local", "ray")


def draw_shards(
    bundle: Path,
    order: ShardOrder,
    folder: Path,
    *,
    engine: Engine = "local",
    workers: int = 1,
    on_rows: Callable[[int], None] = lambda _rows: None,
) -> ShardList:
    """Draw what is missing of a folder of shards.

    Args:
        bundle: folder of the generator.
        order: what to draw; equal orders give equal files with both engines and any number of workers.
        folder: where to; an earlier attempt at the same order is gone on with.
        engine: "local" draws one file after the other in this process, "ray" several at once in others.
        workers: processes of Ray.
        on_rows: told how many rows there are so far.

    Returns:
        The list that is in the folder as well.

    Raises:
        InputError: the request does not fit the generator, the folder holds something else, or Ray is not installed.
        StorageError: the disk is full or a worker failed; finished files are kept for another attempt.
    """
    shards = plan_shards(order.request.rows, order.shard_rows, block_rows_of(bundle, order))
    held = ShardFolder(folder, order)
    done = held.finished(shards)
    missing = [shard for shard in shards if shard.number not in done]
    rows = sum(drawn.rows for drawn in done.values())
    on_rows(rows)
    if engine == "ray" and missing:
        from headwater_server.sampling.ray_engine import drawn_on_ray

        answers = drawn_on_ray(bundle, order, missing, folder, workers)
    else:
        answers = _drawn_here(bundle, order, missing, folder)
    for answer in answers:
        if "failed" in answer:
            raise StorageError(
                f"{folder} is not whole: {answer['failed']}; mend that and run the command again, which goes on with "
                "the files that are there"
            )
        drawn = DrawnShard.model_validate(answer)
        held.add(drawn)
        done[int(drawn.path[5:10])] = drawn
        rows += drawn.rows
        on_rows(rows)
    return held.close([done[number] for number in sorted(done)])


def _drawn_here(
    bundle: Path, order: ShardOrder, shards: Sequence[Shard], folder: Path
) -> Iterator[Mapping[str, object]]:
    for shard in shards:
        try:
            yield draw_shard(bundle, order, shard, folder).model_dump()
        except HeadwaterError:
            raise
        except (OSError, MemoryError) as error:
            yield failure_of(error)
