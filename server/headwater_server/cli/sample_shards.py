"""`sample --engine`: very many rows as a folder of Parquet files."""

from pathlib import Path
from typing import TYPE_CHECKING

from headwater.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from headwater.generator.table_generator import RowRequest
    from headwater_server.sampling.sharding import Engine

__all__ = ["check_shard_options", "write_shards"]


def check_shard_options(out: Path, *, start: int, replace: bool) -> None:
    """Refuse options that a folder of files cannot follow.

    Raises:
        InputError: they are for a single file.
    """
    if start:
        raise InputError("--start is for a single file; a folder goes on where its files end when it is run again")
    if replace:
        raise InputError("--replace is for a single file; remove the folder, or name another with --out")
    if out.suffix in {".parquet", ".csv", ".gz"} or out.is_file():
        raise InputError(f"--engine writes a folder, and {out} names a file; name a folder with --out")


def write_shards(
    console: "Console",
    source: str,
    home: Path,
    request: "RowRequest",
    rows: int,
    seed: int,
    out: Path,
    engine: "Engine",
    workers: int,
    shard_rows: int,
) -> None:
    """Draw the folder and say what is in it.

    Raises:
        InputError: as `draw_shards`.
        StorageError: as `draw_shards`.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from headwater.canonical import sha256_hex
    from headwater.file_size import size_in_words
    from headwater.release.sample_statement import SampleRequest
    from headwater.schema.condition_json import condition_as_json
    from headwater_server.sampling.sharding import draw_shards
    from headwater_server.sampling.shards import ShardOrder
    from headwater_server.sampling.source import find_bundle_folder

    asked = SampleRequest.model_validate(
        {
            "rows": rows,
            "where": {} if request.where is None else condition_as_json(request.where),
            "balanced": {
                name: None if part is None else {str(value or ""): share for value, share in part.items()}
                for name, part in request.balanced.items()
            },
            "views": request.views,
            "view_std": request.view_std,
            "seed": seed,
        }
    )
    folder, _ = find_bundle_folder(source, home)
    order = ShardOrder(
        generator=sha256_hex((folder / "bundle.json").read_bytes()), request=asked, shard_rows=shard_rows
    )
    columns = (TextColumn("drawing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("drawing", total=rows)
        listed = draw_shards(
            folder,
            order,
            out,
            engine=engine,
            workers=workers,
            on_rows=lambda done: progress.update(task, completed=done),
        )
    size = sum(shard.size_bytes for shard in listed.shards)
    console.print(f"{listed.rows:,} rows in {len(listed.shards)} files, {size_in_words(size)}", highlight=False)
