"""`sample`: rows from a finished generator, as many and of whichever kind are asked for."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headwater.cli.sample_options import Balanced, Out, Replace, Rows, Seed, Start, Views, ViewStd, Where
from headwater_server.cli.options import EngineChoice, HomeOption

if TYPE_CHECKING:
    from rich.console import Console

    from headwater.generator.bundle import Bundle
    from headwater.generator.table_generator import RowReader
    from headwater.release.privacy_claim import Privacy

__all__ = ["register"]

_HELP = """Draw synthetic rows from a generator into a file.

    SOURCE is a finished run (its id or first digits), a bundle's folder, or a simulation's folder with a generator in
    it. The file is for those who may see the generator: it is no release, nobody signed it, and without differential
    privacy it stays with the coordinator like the generator itself. Of a run under a privacy budget the ε that its
    rounds come to is said, as a release of it would; a folder carries no claim that could be checked.

    **Conditions.** `--where` may be given for several columns; all must hold.

    - `--where sex=Female` a category; `--where "ward=a|b"` one of several; `--where ward=` a missing value

    - `--where age=30..40` a range with both ends; `age=65..` and `age=..17` leave a side open; `age=-1` a special value

    - `--where seen=2021-01-01..2021-12-31` days

    A mixture is conditioned exactly. A network, and any other kind, tries until rows fit: --dry-run says how often.

    **Balance.** `--balanced income` gives each value of the column the same share; given twice, each combination.
    `--balanced "income=>50K:0.4|<=50K:0.6"` gives shares. A column `weight` restores the generator's own mix.

    **Views.** `--views 2 --view-std 0.2` writes groups of rows from neighbouring latents, by `group_id` and `view_id`;
    --dry-run says up to which distance a classifier gives both the same label.

    **Very many rows.** `--engine local --out FOLDER` writes files of a million rows each, part-00000.parquet and so on,
    and `shards.json` with their digests at the end; `--engine ray --workers 4` draws several at once. Both give the
    same bytes. A command that was cut off is run again: it goes on with the files that are there.

    **Large files.** Rows are written as they are drawn, in bounded memory; the file appears when it is whole. Row i is
    fixed by SOURCE, the options, --seed and i: `--start 1000000` goes on where a million rows ended.
    """


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command(
        help=_HELP,
        epilog="Example:  headwater-coordinator sample 3f0c --rows 10000 --where sex=Female --where age=30..40 "
        "--balanced income --seed 7 --out women.parquet",
    )(sample)


def sample(
    source: Annotated[str, typer.Argument(help="A finished run, a bundle's folder, or a simulation's folder.")],
    out: Out = None,
    rows: Rows = 10_000,
    where: Where = None,
    balanced: Balanced = None,
    views: Views = 1,
    view_std: ViewStd = 0.2,
    seed: Seed = 0,
    start: Start = 0,
    most_proposals: Annotated[
        int, typer.Option(help="Rows tried at most for 8,192 that satisfy a condition.", min=1)
    ] = 20_000_000,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would take, and write nothing.")] = False,
    replace: Replace = False,
    engine: Annotated[
        EngineChoice | None,
        typer.Option(help="Write a folder of Parquet files instead: local, one after the other; ray, several at once."),
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes of --engine ray.", min=1, max=1024)] = 2,
    shard_rows: Annotated[
        int, typer.Option(help="Rows of each file of a folder, rounded up to whole blocks.", min=1)
    ] = 1_048_576,
    home: HomeOption = Path("coordinator"),
) -> None:
    """Draw synthetic rows from a generator into a file."""
    from rich.console import Console

    from headwater.cli.drawing import describe, draw_to, target_of
    from headwater.errors import InputError
    from headwater.generator.balancing import read_shares
    from headwater.generator.table_generator import RowReader, RowRequest
    from headwater.schema.condition_text import read_condition
    from headwater_server.cli.sample_shards import check_shard_options, write_shards
    from headwater_server.sampling.source import find_bundle, find_privacy

    if not dry_run:
        if engine is None:
            target_of(out, replace=replace)
        elif out is None:
            raise InputError("there is no folder to write to; say --out FOLDER, or --dry-run")
        else:
            check_shard_options(out, start=start, replace=replace)
    bundle, privacy = find_bundle(source, home), find_privacy(source, home)
    schema = bundle.encoding.schema
    console = Console()
    request = RowRequest(
        where=read_condition(schema, where or []),
        balanced=read_shares(schema, balanced or []),
        views=views,
        view_std=view_std,
        most_proposals=most_proposals,
    )
    reader = RowReader(bundle.sampler, bundle.encoding, request)
    # Names and categories are the schema's: a bracket in one is no markup.
    console.print(f"{bundle.sampler.kind}: {request.where}", highlight=False, soft_wrap=True, markup=False)
    if line := describe(reader):
        console.print(line, highlight=False, markup=False)
    if dry_run or out is None:
        _dry_run(console, bundle, reader, rows, seed)
        return
    if engine is not None:
        write_shards(console, source, home, request, rows, seed, out, engine.value, workers, shard_rows)
        console.print(f"{_privacy(privacy)} Unsigned, no release.", soft_wrap=True, highlight=False)
        typer.echo(f"{out}")
        return
    draw_to(console, reader, rows, seed, start, out)
    console.print(f"{_privacy(privacy)} Unsigned, no release.", soft_wrap=True, highlight=False)
    typer.echo(f"{out}")


def _privacy(privacy: "Privacy | None") -> str:
    """What the rows' generator is known to keep: drawing from it is post-processing and costs nothing more."""
    from headwater.privacy.words import NOT_PRIVATE
    from headwater.release.statement import headline

    if privacy is None:
        return f"[bold red]{NOT_PRIVATE}[/bold red] as far as is known: no privacy claim travels with this generator."
    if privacy == "none":
        return f"[bold red]{NOT_PRIVATE}[/bold red]."
    return f"[bold green]{headline(privacy)}[/bold green] Drawing rows costs nothing more."


def _dry_run(console: "Console", bundle: "Bundle", reader: "RowReader", rows: int, seed: int) -> None:
    from headwater.evaluation.agreement import AGREEING, widest_agreeing
    from headwater.schema.columns import BooleanColumn, CategoricalColumn
    from headwater_server.sampling.trial import try_out, view_agreement

    trial = try_out(reader, rows, seed)
    console.print(
        f"{rows:,} rows: about {trial.seconds:,.1f} s here and {trial.size_bytes / 1e6:,.1f} MB as Parquet; "
        f"acceptance {trial.acceptance:.1%}",
        highlight=False,
    )
    if reader.method == "views" and isinstance(bundle.encoding.schema.target, CategoricalColumn | BooleanColumn):
        from rich.table import Table

        found = view_agreement(bundle.sampler, bundle.encoding, seed)
        table = Table(title="A classifier gives both views of a pair one label")
        table.add_column("view-std", justify="right")
        table.add_column("pairs", justify="right")
        for view_std, share in found.items():
            table.add_row(f"{view_std:g}", f"{share:.1%}")
        console.print(table)
        widest = widest_agreeing(found)
        until = "at none of these" if widest is None else f"up to {widest:g}"
        console.print(f"{AGREEING:.0%} or more agree {until}", highlight=False)
