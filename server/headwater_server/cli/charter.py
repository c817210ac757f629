"""`charter propose|show`: who the members are, signed by each."""

from pathlib import Path
from typing import Annotated

import typer

from headwater_server.cli.options import HomeOption, open_home, open_storage

__all__ = ["register"]

_group = typer.Typer(
    no_args_is_help=True, rich_markup_mode="markdown", help="Propose the charter and see who has signed it."
)


def register(app: typer.Typer) -> None:
    """Mount the group."""
    app.add_typer(_group, name="charter")


@_group.command(epilog="Example:  headwater-coordinator charter propose --minimum-cohort 3")
def propose(
    minimum_cohort: Annotated[int, typer.Option(help="Least number of organisations in any sum.", min=3)] = 3,
    colluders: Annotated[int, typer.Option(help="Members that may collude with the coordinator.", min=1)] = 1,
    home: HomeOption = Path("coordinator"),
) -> None:
    """Propose version 1 of the charter with everybody who has enrolled.

    It is in force when every member has compared the fingerprints and signed: headwater-org charter accept.
    """
    import datetime

    from pydantic import ValidationError

    from headwater.agreement.charter import CHARTER_KIND, Charter, Member, SignedCharter
    from headwater.agreement.documents import first_problem
    from headwater.agreement.signing import public_key_hex, sign
    from headwater.errors import InputError
    from headwater.secagg.terms import cohort_problem

    place = open_home(home)
    storage = open_storage(place)
    key = place.charter_key()
    members = storage.members()
    if problem := cohort_problem(len(members), minimum_cohort, colluders):
        raise InputError(f"a charter cannot hold: {problem}; invite more organisations or lower the numbers")
    try:
        charter = Charter(
            version=1,
            consortium=place.settings().consortium,
            members=tuple(Member(id=m.member_id, name=m.name, identity_key=m.identity_key) for m in members),
            coordinator_key=public_key_hex(key),
            minimum_cohort=minimum_cohort,
            colluders=colluders,
            ca_digest=place.authority().digest,
            created=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        )
    except ValidationError as error:
        raise InputError(f"the charter does not hold: {first_problem(error)}") from error
    signature = sign(key, CHARTER_KIND, charter.to_bytes())
    storage.add_charter(SignedCharter(charter=charter, coordinator_signature=signature))
    show(home)


@_group.command(epilog="Example:  headwater-coordinator charter show")
def show(home: HomeOption = Path("coordinator")) -> None:
    """Show members, fingerprints, signatures and the digest that researchers pin."""
    from rich.console import Console
    from rich.table import Table

    from headwater.agreement.signing import fingerprint
    from headwater.errors import OutOfOrder

    signed = open_storage(open_home(home)).charter()
    if signed is None:
        raise OutOfOrder("no charter has been proposed; headwater-coordinator charter propose makes one")
    charter = signed.charter
    console = Console()
    grid = Table("member", "name", "fingerprint", "signed", title=f"Charter of {charter.consortium}, version 1")
    for member in charter.members:
        mark = "[green]yes[/green]" if member.id in signed.signatures else "[yellow]not yet[/yellow]"
        grid.add_row(member.id, member.name, fingerprint(member.identity_key), mark)
    console.print(grid)
    console.print(f"minimum cohort {charter.minimum_cohort}, colluders {charter.colluders}")
    missing = signed.missing_signatures
    console.print("In force." if not missing else f"Waiting for {', '.join(missing)} to sign.")
    typer.echo(f"charter {charter.digest}")
