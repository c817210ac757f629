"""Options of every command that draws rows from a generator, the same for researchers and the coordinator."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Balanced", "Out", "Replace", "Rows", "Seed", "Start", "ViewStd", "Views", "Where"]

Out = Annotated[Path | None, typer.Option(help="File to write: .parquet, .csv or .csv.gz. Not needed with --dry-run.")]
Rows = Annotated[int, typer.Option(help="How many rows; with --views, rows and not groups.", min=1)]
Where = Annotated[list[str] | None, typer.Option(metavar="COLUMN=VALUE", help="What every row shall have; see above.")]
Balanced = Annotated[
    list[str] | None, typer.Option(metavar="COLUMN", help="A column whose values get equal, or given, shares.")
]
Views = Annotated[int, typer.Option(help="Rows in each group of neighbouring latents; 1 for plain rows.", min=1)]
ViewStd = Annotated[float, typer.Option(help="How far a view lies from its group's first row.", min=0)]
Seed = Annotated[int, typer.Option(help="Equal seeds give equal rows on one machine.", min=0, max=2**53 - 1)]
Start = Annotated[int, typer.Option(help="Position of the first row in the seed's sequence.", min=0)]
Replace = Annotated[bool, typer.Option("--replace", help="Write over a file that is there.")]
