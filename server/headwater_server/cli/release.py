"""`release`: sample, draw, sign and publish a dataset from a finished run."""

from pathlib import Path
from typing import Annotated

import typer

from headwater_server.cli.options import HomeOption, open_home, open_storage, resolve_run

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command(epilog="Example:  headwater-coordinator release 3f0c --name adult --title 'Adult incomes'")(release)


def release(
    run: Annotated[str, typer.Argument(help="A finished run's id, or its first digits.")],
    name: Annotated[str, typer.Option(help="The dataset's name; the same name again makes the next version.")],
    rows: Annotated[
        int,
        typer.Option(
            help="Synthetic rows; 0 for as many as the plan says. Under a budget never the true number of rows.", min=0
        ),
    ] = 0,
    title: Annotated[str, typer.Option(help="A title for people.")] = "",
    description: Annotated[str, typer.Option(help="What the rows are about.")] = "",
    licence: Annotated[str, typer.Option(help="The consortium's terms, in a few words.")] = "",
    schema_from_rows: Annotated[
        bool, typer.Option("--schema-from-rows", help="Say that a program read bounds and categories from the rows.")
    ] = False,
    home: HomeOption = Path("coordinator"),
) -> None:
    """Sample synthetic rows from a finished run and publish them, signed with the charter key.

    A release never changes. It carries no generator and no counts, and its card says what it does not protect. Under a
    privacy budget the card has the ε that the run's rounds come to, and nothing is published that states less.
    """
    import datetime

    from rich.console import Console
    from rich.progress import Progress

    from headwater.agreement.differencing import differencing_of
    from headwater.release.statement import headline
    from headwater_server.release import ReleaseRequest, RunFacts, privacy_of, publish_release, sample_table
    from headwater_server.runs.charters import agreed
    from headwater_server.runs.round_words import ended_on
    from headwater_server.sampling.source import bundle_of, result_of

    place = open_home(home)
    storage = open_storage(place)
    run_id = resolve_run(storage, run)
    result = result_of(storage, run_id)
    proposal, charter = agreed(storage, run_id)
    plan = proposal.proposal.plan
    # Before anything slow: what cannot be claimed is not sampled either.
    privacy = privacy_of(plan, result.get("privacy"), schema_from_rows=schema_from_rows)
    bundle = bundle_of(place, run_id, result)
    count = rows or plan.rows or int(str(result["rows"]))
    console = Console()
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("sampling", total=count)
        table = sample_table(
            bundle.sampler,
            bundle.encoding,
            count,
            plan.seed,
            on_rows=lambda done: progress.update(task, completed=done),
        )
    published = publish_release(
        place.releases,
        table,
        ReleaseRequest(name, title, description, licence),
        RunFacts(
            consortium=charter.consortium,
            organisations=int(str(result["organisations"])),
            run_id=run_id,
            plan_digest=plan.digest,
            charter_digest=charter.digest,
            generator_digest=str(result["generator_digest"]),
            differencing=differencing_of(plan.aggregation.on_membership_change),
            privacy=privacy,
            schema_from_rows=schema_from_rows,
            refused_rounds=int(str(result.get("refused_rounds", 0))),
            released=str(result.get("released", "")),
            ended_on=ended_on(result.get("ended_on")),
        ),
        place.charter_key(),
        datetime.datetime.now(datetime.UTC),
    )
    console.print(f"published {published.name} version {published.version}: {published.rows:,} rows", soft_wrap=True)
    style = "bold red" if privacy == "none" else "bold green"
    said = f"[{style}]{headline(privacy)}[/{style}] {plan.aggregation.protection}"
    console.print(said, highlight=False, soft_wrap=True)
    typer.echo(f"{published.folder}")
