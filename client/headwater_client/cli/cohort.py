"""`headwater-org cohort`: with whom your rows were summed, and the exceptions that people here allowed."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table as Grid

from headwater_client.cli.options import Home
from headwater_client.cli.text import shown

__all__ = ["register"]

_group = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="With whom your rows were summed under `strict` plans; allow an exception deliberately.",
    epilog="Example:  headwater-org cohort list --home hospital",
)

_Reason = Annotated[str, typer.Option(help="Why, and who decided; it stays on record.")]


def register(app: typer.Typer) -> None:
    """Mount `cohort`."""
    app.add_typer(_group, name="cohort")


@_group.command("list", epilog="Example:  headwater-org cohort list --home hospital")
def list_cohorts(
    home: Home = Path("organisation"),
    as_json: Annotated[bool, typer.Option("--json", help="JSON on standard output, for programs.")] = False,
) -> None:
    """List the cohorts on record: each set of organisations with whom a family of sums was confirmed here.

    A cohort in force binds all later sums of its family, in every run: a sum over others is refused here, since the
    difference of the two would show whoever is in one of them alone. Exceptions that people here allowed stand below.
    """
    from headwater_client.organisation import Organisation

    with Organisation.open(home) as organisation:
        records = organisation.cohorts()
    if as_json:
        typer.echo(json.dumps(asdict(records)))
        return
    console = Console(highlight=False)
    if not records.cohorts:
        console.print("No cohort is on record: no sum of a strict plan was confirmed here.")
    else:
        grid = Grid("family", "organisations", "since", "in force")
        for kept in records.cohorts:
            since = f"run {kept.run_id[:8]}, round {kept.round}"
            grid.add_row(shown(kept.family), ", ".join(kept.members), since, "yes" if kept.in_force else "no")
        for column in grid.columns:
            column.overflow = "fold"
        console.print(grid)
    for allowed in records.allowances:
        line = f"{allowed.created}: another cohort was allowed for {allowed.family}: {allowed.reason}"
        console.print(shown(line), soft_wrap=True)
    for member, count in records.rolled_back.items():
        line = f"{member} is refused: its record file was set back to {count} records; `cohort trust` lets it back"
        console.print(shown(line), soft_wrap=True)
    for trust in records.trusts:
        line = f"{trust.created}: {trust.member} was let back, which had shown {trust.records} records: {trust.reason}"
        console.print(shown(line), soft_wrap=True)


@_group.command(epilog='Example:  headwater-org cohort allow counts/main/train --reason "org-9 closed" --home hospital')
def allow(
    family: Annotated[str, typer.Argument(metavar="FAMILY", help="As `cohort list` names it; its beginning will do.")],
    reason: _Reason,
    home: Home = Path("organisation"),
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; the consequence is understood.")] = False,
) -> None:
    """Let the next sum of a family be over other organisations than before. It binds again from then on.

    Whoever compares sums over the old and the new cohort may learn what those who left or came contributed together; if
    it is one organisation, its own counts. Nothing takes that back. Takes effect at the next session.
    """
    from headwater_client.organisation import Organisation

    with Organisation.open(home) as organisation:
        name = organisation.cohort_family(family)
        held = [kept for kept in organisation.cohorts().cohorts if kept.family == name and kept.in_force]
        if held and not yes:
            others = ", ".join(held[-1].members)
            typer.confirm(
                f"{name} was summed over {others}. A sum over others can be subtracted from that one. Allow it?",
                abort=True,
            )
        organisation.allow_cohort(name, reason)
    typer.echo(f"Allowed another cohort for {name}; the reason is on record.")


@_group.command(epilog='Example:  headwater-org cohort trust org-2 --reason "disk failed, telephoned" --home hospital')
def trust(
    member: Annotated[str, typer.Argument(metavar="MEMBER", help="The member's id in the charter.")],
    reason: _Reason,
    home: Home = Path("organisation"),
) -> None:
    """Let a member back whose record file is older than one that it showed before, as after a restored backup.

    It may have forgotten with whom its rows were summed, and may confirm another cohort. Ask it by telephone first. It
    takes effect at the next session.
    """
    from headwater_client.organisation import Organisation

    with Organisation.open(home) as organisation:
        organisation.trust_peer(member, reason)
    typer.echo(f"{member} is met anew; the reason is on record.")
