"""`sample`: rows from a released generator, as many and of whichever kind are asked for."""

from pathlib import Path
from typing import Annotated

import typer

from headwater.cli.sample_options import Balanced, Out, Replace, Rows, Seed, Start, Views, ViewStd, Where

__all__ = ["register"]

_HELP = """Draw synthetic rows from a released generator into a file.

    SOURCE is a dataset whose release holds its generator (`headwater show NAME` says so), or a bundle's folder such as
    generator/ of a downloaded release. A dataset's generator is fetched once and verified every time; drawing from it
    costs no privacy beyond the card's ε. A mixture needs no torch.

    `--where sex=Female`, `--where age=30..40`, `--where "ward=a|b"`, `--where ward=` (missing); all must hold.
    `--balanced income` gives each value the same share, with a column `weight` that undoes it;
    `--balanced "income=>50K:0.4|<=50K:0.6"` gives shares. `--views 2 --view-std 0.2` writes groups of rows from
    neighbouring latents, by `group_id` and `view_id`.

    `--on-request` has the coordinator draw, where a release's generator is on request: the command waits in its queue,
    verifies what was signed about the rows and leaves it beside them. Ctrl-C cancels. `--dry-run` says the cost.

    Row i is fixed by SOURCE, the options, --seed and i: `--start 1000000` goes on where a million rows ended. The file
    appears when it is whole.
    """


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command(
        help=_HELP,
        epilog="Example:  headwater sample adult --rows 10000 --where sex=Female --seed 7 --out women.parquet",
    )(sample)


def sample(
    source: Annotated[str, typer.Argument(help="A dataset's name, or a bundle's folder.")],
    out: Out = None,
    version: Annotated[int | None, typer.Option(help="Of the dataset; the newest without it.", min=1)] = None,
    rows: Rows = 10_000,
    where: Where = None,
    balanced: Balanced = None,
    views: Views = 1,
    view_std: ViewStd = 0.2,
    seed: Seed = 0,
    start: Start = 0,
    catalogue: Annotated[str | None, typer.Option(help="A known catalogue, where several have the name.")] = None,
    allow_withdrawn: Annotated[
        bool, typer.Option("--allow-withdrawn", help="Use a copy in the cache of a version that was taken back.")
    ] = False,
    replace: Replace = False,
    on_request: Annotated[
        bool, typer.Option("--on-request", help="Let the coordinator draw; needs a token of scope sample.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --on-request: say what it would take, and draw nothing.")
    ] = False,
) -> None:
    """Draw synthetic rows from a released generator into a file."""
    from rich.console import Console

    from headwater.catalogue.generators import fetch_generator
    from headwater.cli.drawing import describe, draw_to, target_of
    from headwater.errors import InputError
    from headwater.generator.balancing import read_shares
    from headwater.generator.table_generator import RowRequest, load_generator
    from headwater.privacy.words import NOT_PRIVATE
    from headwater.release.layout import GENERATOR
    from headwater.schema.condition_text import read_condition

    console = Console(highlight=False)
    if dry_run and not on_request:
        raise InputError("--dry-run goes with --on-request; rows of a released generator cost the catalogue nothing")
    if on_request and start:
        raise InputError("the coordinator draws from a seed's first row on; leave out --start, or say another --seed")
    if on_request:
        from headwater.cli.sample_request import draw_on_request

        file = None if dry_run else target_of(out, replace=False)
        draw_on_request(
            console,
            source,
            version,
            catalogue,
            rows,
            where or [],
            balanced or [],
            views,
            view_std,
            seed,
            file,
            dry_run=dry_run,
        )
        if file is not None:
            typer.echo(f"{file}")
        return
    target = target_of(out, replace=replace)
    if Path(source).is_dir():
        generator = load_generator(source)
        said = f"{NOT_PRIVATE} as far as is known: no privacy claim travels with a folder."
    else:
        found = fetch_generator(source, version, catalogue=catalogue, allow_withdrawn=allow_withdrawn)
        generator = load_generator(found.folder / GENERATOR, found.manifest.provenance.generator_digest)
        said = f"{found.headline} Drawing rows costs nothing more."
    request = RowRequest(
        where=read_condition(generator.schema, where or []),
        balanced=read_shares(generator.schema, balanced or []),
        views=views,
        view_std=view_std,
    )
    reader = generator.reader(request)
    # Names and categories are the schema's: a bracket in one is no markup.
    console.print(f"{generator.kind}: {request.where}", soft_wrap=True, markup=False)
    if line := describe(reader):
        console.print(line, markup=False)
    draw_to(console, reader, rows, seed, start, target)
    console.print(f"{said} Unsigned, no release.", soft_wrap=True, markup=False)
    typer.echo(f"{target}")
