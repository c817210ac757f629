"""`charter propose|show`: who the members are, version by version, signed by them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headwater_server.cli.options import HomeOption, open_home, open_storage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from headwater.agreement.charter import Charter, Member, SignedCharter
    from headwater_server.services.ports import CharterRecord
    from headwater_server.storage import SqlStorage

__all__ = ["register"]

_group = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Propose the charter or its next version, and see who has signed it.",
    epilog="Example:  headwater-coordinator charter show",
)


def register(app: typer.Typer) -> None:
    """Mount the group."""
    app.add_typer(_group, name="charter")


@_group.command(epilog="Example:  headwater-coordinator charter propose --remove hospital-c --minimum-cohort 4")
def propose(
    minimum_cohort: Annotated[
        int | None,
        typer.Option(help="Least number of organisations in any sum; unchanged where left out, 3 at first.", min=3),
    ] = None,
    colluders: Annotated[
        int | None,
        typer.Option(
            help="Members that may collude with the coordinator; unchanged where left out, 1 at first.", min=1
        ),
    ] = None,
    remove: Annotated[list[str] | None, typer.Option(help="Id of a member to leave out; may be repeated.")] = None,
    data_set: Annotated[
        list[str] | None,
        typer.Option(help="MEMBER=ID, where a member's records are no longer the same collection; may be repeated."),
    ] = None,
    disjoint_people: Annotated[
        bool | None,
        typer.Option(
            "--disjoint-people/--overlapping-people",
            help="Whether members declare that nobody's records are at two of them; unchanged where left out, not "
            "declared at first.",
        ),
    ] = None,
    release_quorum: Annotated[
        int | None,
        typer.Option(
            help="Members whose signature a release needs; unchanged where left out. 0 for more than two thirds of "
            "them, as at first.",
            min=0,
        ),
    ] = None,
    home: HomeOption = Path("coordinator"),
) -> None:
    """Propose the charter, or the version that follows the one in force, with everybody who has enrolled.

    Version 1 is in force when every member has compared the fingerprints and signed: headwater-org charter accept. A
    later version is in force when more than two thirds of the members of the version before have signed it, and
    everybody who is new in it. Until then the version before stays in force, and a new proposal takes its place. Runs
    go on under the version that they were proposed under.
    """
    import datetime

    from headwater.agreement.charter import SignedCharter
    from headwater.agreement.signing import public_key_hex
    from headwater.agreement.succession import CharterHistory
    from headwater_server.charters import CharterRequest, Founding, draw_up, not_enrolled

    place = open_home(home)
    storage = open_storage(place)
    key = place.charter_key()
    now = datetime.datetime.now(datetime.UTC)
    in_force = tuple(storage.charters_in_force())
    enrolled, invited = storage.members(), storage.open_invitations(now)
    charter = draw_up(
        CharterHistory(in_force) if in_force else None,
        enrolled,
        invited,
        Founding(place.settings().consortium, public_key_hex(key), place.authority().digest),
        CharterRequest(
            remove or (), minimum_cohort, colluders, _data_sets(data_set or []), disjoint_people, release_quorum
        ),
        now.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    storage.add_charter(SignedCharter(charter=charter, coordinator_signature=charter.signed_by(key)))
    _show(storage)
    if waiting := not_enrolled(enrolled, invited):
        typer.echo(f"Invited and not enrolled, so not in it: {', '.join(waiting)}.")
    typer.echo(
        "Next: every organisation compares this digest with the others by telephone, then runs headwater-org charter "
        "accept; headwater-coordinator charter show tells who has signed."
    )
    typer.echo(f"charter {charter.digest}")


def _data_sets(options: list[str]) -> dict[str, str]:
    from headwater.errors import InputError

    pairs = [option.partition("=") for option in options]
    if wrong := [option for option, (_, sign, _) in zip(options, pairs, strict=True) if not sign]:
        raise InputError(f"--data-set {wrong[0]!r} is not MEMBER=ID; write hospital-a=registry-2026")
    return {member: data_set for member, _, data_set in pairs}


@_group.command(epilog="Example:  headwater-coordinator charter show")
def show(home: HomeOption = Path("coordinator")) -> None:
    """Show every version, who has signed the newest, how many more must, and the digest that researchers pin.

    The last line is the digest of the version in force; before there is one, that of the version that is proposed.
    """
    from headwater.errors import OutOfOrder

    storage = open_storage(open_home(home))
    newest = storage.charter_in_force() or storage.charter()
    if newest is None:
        raise OutOfOrder("no charter has been proposed; headwater-coordinator charter propose makes one")
    _show(storage)
    typer.echo(f"charter {newest.charter.digest}")


def _show(storage: "SqlStorage") -> None:
    from rich.console import Console

    from headwater.agreement.charter_words import changes_in_words, signatures_in_words
    from headwater.agreement.overlap import people_in_words
    from headwater.agreement.quorum import quorum_in_words
    from headwater.errors import OutOfOrder

    newest, records = storage.charter(), storage.charter_records()
    if newest is None:
        raise OutOfOrder("the charter changed meanwhile; look again")
    previous = newest.charter.previous
    before = None if previous is None else storage.charter_by_digest(previous)
    former = None if before is None else before.charter
    console = Console(highlight=False)
    if len(records) > 1:
        _show_versions(console, records)
    _show_members(console, newest, former)
    charter = newest.charter
    console.print(f"minimum cohort {charter.minimum_cohort}, colluders {charter.colluders}")
    console.print(quorum_in_words(charter), soft_wrap=True)
    console.print(people_in_words(charter), soft_wrap=True)
    if former is not None:
        console.print(f"Against version {former.version}:")
        for line in changes_in_words(former, charter):
            console.print(f"- {line}", soft_wrap=True, markup=False)
    words = signatures_in_words(newest, former)
    console.print(f"{words[0].upper()}{words[1:]}.", soft_wrap=True, markup=False)


def _show_versions(console: "Console", records: "Sequence[CharterRecord]") -> None:
    from rich.table import Table

    grid = Table("version", "state", "made", "members", "signed", "digest", title="Versions")
    grid.columns[5].overflow = "fold"
    for record in records:
        charter = record.signed.charter
        signed = f"{len(record.signed.signatures)} + {len(record.signed.former_signatures)} former"
        grid.add_row(
            str(charter.version), record.state, charter.created, str(len(charter.members)), signed, charter.digest
        )
    console.print(grid)


def _show_members(console: "Console", signed: "SignedCharter", former: "Charter | None") -> None:
    from rich.markup import escape
    from rich.table import Table

    from headwater.agreement.signing import fingerprint

    charter, before = signed.charter, {} if former is None else former.keys
    title = f"Charter of {escape(charter.consortium)}, version {charter.version}"
    # What is said of a change in the key stands only where there is a version before.
    grid = Table("member", "name", "data set", *(() if former is None else ("change",)), "signed", title=title)
    for column in grid.columns:
        column.overflow = "fold"
    fingerprints = list[str]()

    def add(member: "Member", word: str, done: bool) -> None:
        mark = "[green]yes[/green]" if done else "[yellow]not yet[/yellow]"
        words = () if former is None else (word,)
        grid.add_row(member.id, escape(member.name), member.data_set, *words, mark)
        # Below the table, so that each stays on one line however narrow the terminal is.
        fingerprints.append(f"  {fingerprint(member.identity_key)}  {member.id}{f', {word}' if word else ''}")

    for member in charter.members:
        word = ""
        if former is not None and before.get(member.id) != member.identity_key:
            word = "other key" if member.id in before else "new"
        add(member, word, member.id in signed.signatures)
    for member in () if former is None else former.members:
        if charter.keys.get(member.id) != member.identity_key:
            word = "former key" if member.id in charter.keys else "removed"
            add(member, word, member.id in signed.former_signatures)
    console.print(grid)
    console.print("Fingerprints:")
    for line in fingerprints:
        console.print(line, soft_wrap=True, markup=False)
