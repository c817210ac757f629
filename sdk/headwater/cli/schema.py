"""`headwater schema`: draft the contract between organisations, and check a table against it."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from headwater.errors import InputError

__all__ = ["register"]

_CONFIRM = (
    "Drafted from rows that may be private: nothing here is public until a person has made it so.",
    "For each column confirm or correct",
    "  lower, upper    what the column may hold anywhere, not the least and largest of these rows",
    "  categories      all that may occur anywhere; drop what could point to one person",
    "  missing         whether a value may be missing",
    "  decimals        digits after the point, no more than the column's values are written with anywhere",
    '  special_values  numbers with a meaning of their own, like -1 for "not asked"',
    "  sensitive       whether it must not be learned about a person",
    "then delete its `unconfirmed` line. A run can be proposed when none is left.",
    "",
)

_group = typer.Typer(
    no_args_is_help=True,
    help="Draft a schema from a table, or check a table against one.",
    epilog="Example:  headwater schema draft patients.csv --target readmitted > schema.toml",
)


def register(app: typer.Typer) -> None:
    """Mount `schema` on the researcher's command."""
    app.add_typer(_group, name="schema")


@_group.command(epilog="Example:  headwater schema draft patients.csv --target readmitted > schema.toml")
def draft(
    table: Annotated[Path, typer.Argument(help="CSV, CSV.gz or Parquet.")],
    target: Annotated[str | None, typer.Option(help="The column that a model will be asked to predict.")] = None,
    name: Annotated[str | None, typer.Option(help="What to call the table; by default the file's name.")] = None,
) -> None:
    """Print a schema guessed from a table, as TOML.

    Everything guessed is listed in `unconfirmed`, column by column. Bounds and categories are public: correct them to
    what the column may hold anywhere, not to what these rows happen to hold, then delete each `unconfirmed` line.
    Guesses warn in demo and simulate, and no run can be proposed with one left. Columns that hold nothing, or that
    rather name records than describe them, are left out and named at the top. Cells that are no numbers among numbers
    are shown on standard error, with their lines; the schema names the lines alone.
    """
    from headwater.schema.draft import draft_with_odd_cells
    from headwater.schema.image import image_sources
    from headwater.schema.reading import read_arrow
    from headwater.schema.row_lines import lines_of_rows

    arrow = read_arrow(table)
    guessed = draft_with_odd_cells(arrow, target, name or table.name.split(".")[0] or "table")
    schema, odd_cells = guessed.schema, guessed.odd_cells
    lines_of = lines_of_rows(table, (row for odd in odd_cells for row in odd.rows))
    for odd in odd_cells:
        typer.echo(f"warning: {odd.in_words(lines_of)}", err=True)
    pixels = {source for image in schema.images for source in image_sources(arrow, image)}
    left_out = [column for column in arrow.column_names if column not in schema.names and column not in pixels]
    # The schema goes to other organisations: what a cell holds does not.
    warned = (odd.in_words(lines_of, quoting=False) for odd in odd_cells)
    lines = [*_CONFIRM, *(_left_out(column) for column in left_out), *warned]
    typer.echo("\n".join(f"# {line}".rstrip() for line in lines))
    typer.echo(schema.to_toml(), nl=False)


def _left_out(column: str) -> str:
    # As a TOML text: a line break in a name must not end the comment.
    return f"Left out: column {json.dumps(column, ensure_ascii=False)}, which holds nothing or rather names records."


@_group.command(epilog="Example:  headwater schema check schema.toml patients.parquet")
def check(
    schema: Annotated[Path, typer.Argument(help="The schema, TOML.")],
    table: Annotated[Path, typer.Argument(help="CSV, CSV.gz or Parquet.")],
) -> None:
    """List everything in which a table departs from a schema, by column, with counts.

    "refused" keeps the table from taking part, and says where the first such rows stand; "changed" is clipped, rounded
    or mapped; "ignored" is not in the schema. No value of the table is ever printed. Exit status 1 if anything is
    refused.
    """
    from headwater.schema import Schema
    from headwater.schema.conform import check as find
    from headwater.schema.reading import read_arrow
    from headwater.schema.row_lines import lines_of_rows
    from headwater.text_file import read_text

    contract = Schema.from_toml(read_text(schema, "name the schema first, then the table"))
    arrow = read_arrow(table)
    problems = find(arrow, contract)
    console = Console()
    if contract.unconfirmed:
        console.print(f"[yellow]{len(contract.unconfirmed)} guesses in the schema are not confirmed yet.[/yellow]")
    if not problems:
        console.print(Text(f"{table.name}: {arrow.num_rows:,} rows hold to schema {contract.name!r}."))
        return
    grid = Grid("column", "rows", "verdict", "what", title=Text(f"{table.name} against schema {contract.name!r}"))
    refusals = [problem for problem in problems if problem.severity == "refused"]
    lines_of = lines_of_rows(table, (row for problem in refusals for row in problem.rows))
    colours = {"refused": "red", "changed": "yellow", "ignored": "dim"}
    for problem in problems:
        rows = f"{problem.count:,}" if problem.count else "–"
        verdict = Text(problem.severity, style=colours[problem.severity])
        # Text, so that brackets in a column's name are not read as markup.
        what = problem.with_places(lines_of) if problem.severity == "refused" else problem.what
        grid.add_row(Text(problem.column or "(table)"), rows, verdict, Text(what))
    console.print(grid)
    if refusals:
        counted = "1 problem that keeps" if len(refusals) == 1 else f"{len(refusals)} problems that keep"
        raise InputError(f"{table.name} has {counted} it from taking part; mend the table or the schema")
