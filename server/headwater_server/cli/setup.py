"""`init`, `invite`, `serve`: set a coordinator up and run it."""

import datetime
import ipaddress
import secrets
from pathlib import Path
from typing import Annotated

import typer

from headwater_server.cli.options import HomeOption, open_home, open_storage

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Mount the commands."""
    app.command(epilog="Example:  headwater-coordinator init --name 'River hospitals' --host data.example.org")(init)
    app.command(epilog="Example:  headwater-coordinator invite hospital-a --name 'Hospital A'")(invite)
    app.command(epilog="Example:  headwater-coordinator serve --home coordinator")(serve)


def init(
    name: Annotated[str, typer.Option(help="The consortium's name, as it will stand on the charter.")],
    home: HomeOption = Path("coordinator"),
    host: Annotated[str, typer.Option(help="Name or address that members and researchers dial.")] = "127.0.0.1",
    listen: Annotated[str, typer.Option(help="Address to listen on, if it is not the host itself.")] = "",
    grpc_port: Annotated[int, typer.Option(help="Aggregation and consortium service, mutual TLS.")] = 9443,
    enrolment_port: Annotated[int, typer.Option(help="Enrolment of new members.")] = 9444,
    https_port: Annotated[int, typer.Option(help="Catalogue, and Flower's interface for nodes.")] = 9445,
    superlink_port: Annotated[int, typer.Option(help="Flower's SuperLink, loopback only.")] = 9446,
) -> None:
    """Make a new coordinator: the consortium's CA, the server's certificate, the charter key, settings.

    Keys lie in HOME/keys, readable by you alone. Back that folder up: without the charter key no release can be
    signed. A catalogue that other machines can reach asks for a token, which is printed once.
    """
    from pydantic import ValidationError
    from rich.console import Console
    from rich.markup import escape

    from headwater.agreement.documents import first_problem
    from headwater.canonical import sha256_hex
    from headwater.errors import InputError
    from headwater_server.authority import Authority
    from headwater_server.catalogue.settings import is_loopback
    from headwater_server.settings import CoordinatorSettings
    from headwater_server.storage import SqlStorage

    token = "" if is_loopback(listen or host) else secrets.token_urlsafe(24)
    try:
        settings = CoordinatorSettings(
            consortium=name,
            host=host,
            listen=listen,
            grpc_port=grpc_port,
            enrolment_port=enrolment_port,
            https_port=https_port,
            superlink_port=superlink_port,
            catalogue_token_sha256=sha256_hex(token.encode()) if token else "",
        )
    except ValidationError as error:
        raise InputError(f"these settings do not hold: {first_problem(error)}") from error
    now = datetime.datetime.now(datetime.UTC)
    authority = Authority.create(name, now)
    server = authority.issue_server("Headwater coordinator", [*_hosts(host), "localhost", "127.0.0.1"], now)
    place = open_home(home)
    place.create(settings, authority, server)
    SqlStorage(place.database_url(settings)).close()
    console = Console()
    console.print(f"Made the coordinator of [bold]{escape(name)}[/bold] in {escape(str(home))}.")
    console.print(f"CA certificate {place.ca_certificate}, SHA-256 {authority.digest}", soft_wrap=True)
    if token:
        console.print(f"Catalogue token (shown once, for researchers): [bold]{token}[/bold]", soft_wrap=True)
    console.print("Next: headwater-coordinator serve, then invite each organisation.")


def _hosts(host: str) -> list[str]:
    try:
        # Listening everywhere is no name that anybody dials.
        return [] if ipaddress.ip_address(host).is_unspecified else [host]
    except ValueError:
        return [host]


def invite(
    member: Annotated[str, typer.Argument(help="The member's id: lower-case letters, digits, hyphens.")],
    name: Annotated[str, typer.Option(help="The name that people know the organisation by.")],
    expires_hours: Annotated[float, typer.Option(help="How long the token is good for.", min=0.01, max=8760)] = 72.0,
    home: HomeOption = Path("coordinator"),
) -> None:
    """Print a one-time token with which an organisation enrols.

    Send it over a channel that nobody else reads: whoever uses it first is the member, until the members compare
    fingerprints. A new invitation makes older unused ones of the same member useless.
    """
    from pydantic import ValidationError

    from headwater.agreement.documents import first_problem
    from headwater.agreement.invitation import SECRET_BYTES, Invitation, secret_digest
    from headwater.errors import InputError

    place = open_home(home)
    settings = place.settings()
    secret = secrets.token_bytes(SECRET_BYTES)
    try:
        invitation = Invitation(
            host=settings.host,
            port=settings.enrolment_port,
            ca_sha256=place.authority().digest,
            member_id=member,
            name=name,
            secret=secret.hex(),
        )
    except ValidationError as error:
        raise InputError(f"this invitation does not hold: {first_problem(error)}") from error
    expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=expires_hours)
    open_storage(place).add_invitation(secret_digest(secret), member, name, expires)
    typer.echo(invitation.to_token())


def serve(home: HomeOption = Path("coordinator")) -> None:
    """Serve the consortium until Ctrl-C or SIGTERM: enrolment, aggregation, Flower, catalogue, runs.

    Runs that were under way when the coordinator last ended go on. Logs go to standard error, Flower's to HOME/flower.
    """
    from headwater_server.logs import configure_logs
    from headwater_server.serve import serve as run_server

    configure_logs()
    run_server(open_home(home))
