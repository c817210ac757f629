"""What commands that draw rows say of them, and how they write them."""

from pathlib import Path
from typing import TYPE_CHECKING

from headwater.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from headwater.generator.table_generator import RowReader

__all__ = ["describe", "draw_to", "target_of"]


def target_of(out: Path | None, *, replace: bool) -> Path:
    """The file to write, refused before any row is drawn.

    Raises:
        InputError: none was named, or it cannot be written.
    """
    from headwater.generator.row_file import check_target

    if out is None:
        raise InputError("there is no file to write to; say --out FILE.parquet, or --dry-run")
    check_target(out, replace=replace)
    return out


def describe(reader: "RowReader") -> str:
    """How rows of a request are drawn, in one line; "" for plain rows and views."""
    about = "estimated " if reader.estimated else ""
    if reader.method in ("exact", "rejection"):
        how = "drawn as such" if reader.method == "exact" else "some rows are tried in vain"
        return f"the condition holds for {about}{reader.share:.3%} of its rows; {how}"
    if reader.method == "balanced":
        left = f"; {reader.left_out:.2%} of its rows are in classes left out" if reader.left_out > 5e-5 else ""
        return f"balanced, weights from {about or 'exact '}shares{left}"
    return ""


def draw_to(console: "Console", reader: "RowReader", rows: int, seed: int, start: int, out: Path) -> None:
    """Draw rows into a file, with a bar meanwhile and a line at the end.

    Raises:
        InputError: too few rows satisfy the condition.
        StorageError: the disk is full or fails; nothing stands under the file's name that did not before.
    """
    from rich.progress import Progress

    from headwater.generator.row_file import write_rows

    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("drawing", total=rows)
        written, size = write_rows(
            reader.first(rows, seed, start=start), out, lambda done: progress.update(task, completed=done)
        )
    console.print(f"{written:,} rows, {size:,} bytes, acceptance {reader.tally.acceptance:.1%}", highlight=False)
