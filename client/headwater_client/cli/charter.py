"""`headwater-org charter`: look at the charter, compare it out of band, accept it."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table as Grid

from headwater.errors import InputError
from headwater_client.cli.options import Home
from headwater_client.cli.text import shown

__all__ = ["register"]

_group = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Look at the consortium's charter, compare it with the other members, accept it.",
)


def register(app: typer.Typer) -> None:
    """Mount `charter`."""
    app.add_typer(_group, name="charter")


@_group.command(epilog="Example:  headwater-org charter show --home hospital")
def show(home: Home = Path("organisation")) -> None:
    """Show the members, their keys, and the digest to be compared with every other member.

    The coordinator could name members of its own making, so the digest is compared by a channel that it does not run:
    by telephone, or in person. Looking accepts nothing.
    """
    from headwater_client.organisation import Organisation
    from headwater_client.wording import (
        comparison_advice,
        digest_in_groups,
        member_keys_in_words,
        signatures_in_words,
    )

    with Organisation.open(home) as organisation:
        review = organisation.charter()
    charter = review.signed.charter
    console = Console(highlight=False)
    console.print(
        f"[bold]Charter of {shown(charter.consortium)}[/bold], version {charter.version}, made {charter.created}"
    )
    grid = Grid("id", "name", "key: compare every group")
    for member_id, name, key in member_keys_in_words(charter):
        own = " (you)" if member_id == review.ours else ""
        grid.add_row(f"{member_id}{own}", shown(name), key)
    grid.columns[2].overflow = "fold"
    console.print(grid)
    console.print(
        f"Sums are over at least {charter.minimum_cohort} organisations; up to {charter.colluders} may work with the "
        "coordinator without learning another one's vector.",
        soft_wrap=True,
    )
    console.print(f"Charter digest:\n  [bold]{digest_in_groups(charter.digest)}[/bold]", soft_wrap=True)
    console.print(signatures_in_words(review.signed), soft_wrap=True)
    if review.accepted:
        console.print("You have accepted this charter.")
        return
    for line in comparison_advice(charter, review.ours):
        console.print(f"- {shown(line)}", soft_wrap=True)
    console.print('Then: headwater-org charter accept --digest "DIGEST AS COMPARED"')


@_group.command(epilog='Example:  headwater-org charter accept --digest "3f0c 91aa 02de 77b1" --home hospital')
def accept(
    home: Home = Path("organisation"),
    digest: Annotated[
        str | None, typer.Option(help="The digest that you compared; at least its first 16 digits, blanks allowed.")
    ] = None,
) -> None:
    """Sign the charter that you compared with the other members, and hold to it from then on.

    Without --digest the charter is shown and you are asked to type the first 16 digits of the digest that another
    member read to you. A charter that is accepted here never changes; version 1 needs the signature of every member.
    """
    from headwater_client.organisation import Organisation
    from headwater_client.wording import signatures_in_words

    if digest is None:
        show(home)
        try:
            digest = typer.prompt("First 16 digits of the digest, as another member read it")
        except typer.Abort as error:
            raise InputError("nothing was accepted; give --digest with the digits that were compared") from error
    with Organisation.open(home) as organisation:
        signed = organisation.accept_charter(digest)
    console = Console(highlight=False)
    console.print(f"Accepted charter {signed.charter.digest[:16]}; {signatures_in_words(signed)}.", soft_wrap=True)
