"""`headwater-org charter`: look at the charter and its next version, compare it out of band, accept it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table as Grid

from headwater.errors import InputError
from headwater_client.cli.options import Home
from headwater_client.cli.text import shown

if TYPE_CHECKING:
    from headwater_client.reviews import CharterReview

__all__ = ["register"]

_group = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Look at the consortium's charter and its next version, compare it with the other members, accept it.",
    epilog="Example:  headwater-org charter show --home hospital",
)


def register(app: typer.Typer) -> None:
    """Mount `charter`."""
    app.add_typer(_group, name="charter")


@_group.command(epilog="Example:  headwater-org charter show --home hospital")
def show(home: Home = Path("organisation")) -> None:
    """Show the members, their keys, what the newest version changes, and the digest to be compared with every member.

    The coordinator could name members of its own making, so the digest is compared by a channel that it does not run:
    by telephone, or in person. Looking accepts nothing. A version that goes back, or does not follow the one in force
    by its members' signatures, is refused here.
    """
    from headwater_client.organisation import Organisation

    with Organisation.open(home) as organisation:
        review = organisation.charter()
    console = Console(highlight=False)
    _show(console, review)
    if review.accepted:
        console.print("You have accepted this charter.")
        return
    _advise(console, review)


@_group.command(epilog='Example:  headwater-org charter accept --digest "3f0c 91aa 02de 77b1" --home hospital')
def accept(
    home: Home = Path("organisation"),
    digest: Annotated[
        str | None, typer.Option(help="The digest that you compared; at least its first 16 digits, blanks allowed.")
    ] = None,
    instead_of: Annotated[
        str,
        typer.Option(help="Digest of another charter of the same version that you accepted and that is withdrawn."),
    ] = "",
) -> None:
    """Sign the version of the charter that you compared with the other members, and hold to it from then on.

    What it changes is shown first. Without --digest you are asked to type the first 16 digits of the digest that
    another member read to you. Version 1 needs the signature of every member; a later one is in force when more than
    two thirds of the members of the version before have signed it, and everybody who is new in it. No version in force
    is ever given up for an older one.
    """
    from headwater.agreement.charter_words import signatures_in_words
    from headwater_client.organisation import Organisation

    console = Console(highlight=False)
    with Organisation.open(home) as organisation:
        review = organisation.charter()
        if digest is None:
            _show(console, review)
            _advise(console, review)
            try:
                digest = typer.prompt("First 16 digits of the digest, as another member read it")
            except typer.Abort as error:
                raise InputError("nothing was accepted; give --digest with the digits that were compared") from error
        else:
            _show_changes(console, review)
        signed = organisation.accept_charter(digest, instead_of)
    former = review.former if signed.charter.digest == review.signed.charter.digest else None
    words = f"; {signatures_in_words(signed, former)}" if former is not None or signed.charter.version == 1 else ""
    console.print(f"Accepted charter {signed.charter.digest[:16]}{words}.", soft_wrap=True)


def _show(console: Console, review: "CharterReview") -> None:
    from headwater.agreement.charter_words import signatures_in_words
    from headwater.agreement.overlap import people_in_words
    from headwater.agreement.quorum import quorum_in_words
    from headwater_client.wording import digest_in_groups, member_keys_in_words

    charter = review.signed.charter
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
    console.print(quorum_in_words(charter), soft_wrap=True)
    console.print(people_in_words(charter), soft_wrap=True)
    _show_changes(console, review)
    console.print(f"Charter digest:\n  [bold]{digest_in_groups(charter.digest)}[/bold]", soft_wrap=True)
    words = signatures_in_words(review.signed, review.former)
    console.print(f"{words[0].upper()}{words[1:]}.", soft_wrap=True)


def _show_changes(console: Console, review: "CharterReview") -> None:
    if not review.changes:
        return
    console.print(f"What version {review.signed.charter.version} changes:")
    for line in review.changes:
        grave = any(word in line for word in ("LOWERED", "DECLARE", "another key"))
        console.print(f"- [bold red]{shown(line)}[/bold red]" if grave else f"- {shown(line)}", soft_wrap=True)
    if review.ours not in review.signed.charter.keys:
        console.print("[bold red]You are not a member of this version; signing it agrees to leave.[/bold red]")


def _advise(console: Console, review: "CharterReview") -> None:
    from headwater_client.wording import comparison_advice

    for line in comparison_advice(review.signed.charter, review.ours):
        console.print(f"- {shown(line)}", soft_wrap=True)
    console.print('Then: headwater-org charter accept --digest "DIGEST AS COMPARED"')
