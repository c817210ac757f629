"""`headwater-org check` and `headwater-org serve`: what touches the rows."""

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table as Grid

from headwater.errors import InputError
from headwater_client.cli.options import Home
from headwater_client.cli.text import shown

__all__ = ["register"]

_Data = Annotated[Path, typer.Option("--data", help="Your rows: CSV, CSV.gz or Parquet.")]
_COLOURS = {"refused": "red", "changed": "yellow", "ignored": "dim"}


def register(app: typer.Typer) -> None:
    """Mount the commands."""
    app.command(epilog="Example:  headwater-org check --data patients.parquet --run 4be1c09a --home hospital")(check)
    app.command(epilog="Example:  headwater-org serve --data patients.parquet --home hospital")(serve)


def check(
    data: _Data,
    home: Home = Path("organisation"),
    schema: Annotated[Path | None, typer.Option(help="A schema file, instead of a run's.")] = None,
    run: Annotated[str | None, typer.Option(help="The run whose schema counts; by default the newest.")] = None,
    entity: Annotated[
        str | None,
        typer.Option(help="Column that names whose each row is, as for serve: count persons and their records, here."),
    ] = None,
) -> None:
    """List everything in which your rows depart from the schema, column by column, before anything leaves.

    "refused" keeps the table from taking part; "changed" is clipped, rounded or mapped to another category;
    "ignored" is not in the schema. Only counts and places are shown, never a value. With --schema neither an enrolment
    nor the coordinator is needed. Exit status 1 if anything is refused.
    """
    from headwater.schema import Schema
    from headwater.schema.conform import check as find
    from headwater.schema.row_lines import lines_of_rows
    from headwater.text_file import read_text
    from headwater_client.connectors import open_source
    from headwater_client.organisation import Organisation

    if schema is not None:
        contract = Schema.from_toml(read_text(schema, "give a schema file, or --run"))
        problems = find(open_source(data).read(contract), contract)
    else:
        with Organisation.open(home) as organisation:
            problems = organisation.check(data, run=run)
    console = Console(highlight=False)
    if entity is not None:
        console.print(_persons_in_words(data, entity), markup=False, soft_wrap=True)
    if not problems:
        console.print(f"{data.name} holds to the schema.", markup=False)
        return
    grid = Grid("column", "rows", "verdict", "what", title=f"{data.name} against the schema")
    refusals = [problem for problem in problems if problem.severity == "refused"]
    lines_of = lines_of_rows(data, (row for problem in refusals for row in problem.rows))
    for problem in problems:
        colour = _COLOURS[problem.severity]
        count = f"{problem.count:,}" if problem.count else "–"
        verdict = f"[{colour}]{problem.severity}[/{colour}]"
        what = problem.with_places(lines_of) if problem.severity == "refused" else problem.what
        grid.add_row(shown(problem.column) or "(table)", count, verdict, shown(what))
    console.print(grid)
    if refusals:
        counted = "1 problem that keeps" if len(refusals) == 1 else f"{len(refusals)} problems that keep"
        raise InputError(f"{data.name} has {counted} it from taking part; mend them or talk to the operator")


def _persons_in_words(data: Path, column: str) -> str:
    from headwater.contribution.entities import records_of_persons
    from headwater_client.connectors import EntityRows, open_source

    entities = EntityRows(open_source(data), column).check_column()
    counts = records_of_persons(entities)
    nobody = len(entities) - int(counts.sum())
    if not counts.size:
        return f"column {column!r} names nobody; no row would take part in a plan that protects persons"
    return (
        f"column {column!r} names {counts.size:,} persons with {counts[0]:,} to {counts[-1]:,} records each; "
        f"{nobody:,} rows name nobody and take no part in a plan that protects persons"
    )


def serve(
    data: _Data,
    home: Home = Path("organisation"),
    entity: Annotated[
        str | None,
        typer.Option(
            help="Column of your rows that names whose each is, for plans that protect persons; it never leaves."
        ),
    ] = None,
    log_format: Annotated[str, typer.Option(help="text or json, one event a line on standard error.")] = "text",
) -> None:
    """Take part, with these rows, in the runs that you approved; until Ctrl-C or SIGTERM.

    The rows are read when a run begins and stay in this process; what leaves is masked, and only its sum over all
    organisations can be read. Reconnects by itself. The log names events, runs and rounds, and nothing of your rows:
    no count, no loss, no duration.
    """
    from headwater_client.cli.log import configure_log
    from headwater_client.organisation import Organisation

    configure_log(log_format)
    stop = threading.Event()

    def leave(number: int, frame: FrameType | None) -> None:
        stop.set()
        # A second Ctrl-C does not wait any longer.
        signal.signal(signal.SIGINT, signal.default_int_handler)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, leave)
    with Organisation.open(home) as organisation:
        organisation.serve(data, stop, entity=entity)
