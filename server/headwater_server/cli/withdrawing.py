"""`withdraw`: take a published version back, and say why."""

import datetime
from pathlib import Path
from typing import Annotated

import typer

from headwater_server.cli.options import HomeOption, open_home, open_storage

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command(
        epilog="Example:  headwater-coordinator withdraw adult --version 1 --reason 'Two columns were swapped.'"
    )(withdraw)


def withdraw(
    name: Annotated[str, typer.Argument(help="The dataset's name.")],
    version: Annotated[int, typer.Option(help="The version to withdraw; others stay.", min=1)],
    reason: Annotated[str, typer.Option(help="Why, in a sentence; everybody reads it.")],
    replaced_by: Annotated[int | None, typer.Option(help="Version to use instead.", min=1)] = None,
    home: HomeOption = Path("coordinator"),
) -> None:
    """Withdraw a published version for ever: its rows go, its page stays and says why.

    A notice under the coordinator's key takes the rows' place, so that researchers' programs believe it and nobody
    else's. Manifest, card, schema, audit, attestation and statistics stay. Copies that were downloaded stay where they
    are; `headwater` tells their owners when they look again.
    """
    from headwater_server.releasing.withdrawing import withdraw as take_back

    place = open_home(home)
    said = take_back(
        place,
        open_storage(place),
        name,
        version,
        reason,
        place.charter_key(),
        datetime.datetime.now(datetime.UTC),
        replaced_by,
    )
    instead = f" Version {said.replaced_by} is to be used instead." if said.replaced_by else ""
    typer.echo(f"{name} version {version} was withdrawn at {said.withdrawn}; its rows are removed.{instead}")
