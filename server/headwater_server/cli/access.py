"""`access`, `downloads`: who may see and read which dataset, and how often its files were fetched."""

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headwater_server.cli.options import HomeOption, open_home, open_storage

if TYPE_CHECKING:
    from headwater_server.settings import CoordinatorHome
    from headwater_server.storage.access_port import TokenRecord

__all__ = ["register"]

_LONGEST_DAYS = 3660
_LONGEST_LABEL = 200

_group = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Say who may see and read which dataset, and hand out tokens.",
    epilog="Example:  headwater-coordinator access show",
)
_tokens = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Hand out tokens, list them, take them back.",
    epilog="Example:  headwater-coordinator access token list",
)


def register(app: typer.Typer) -> None:
    """Mount the commands."""
    _group.add_typer(_tokens, name="token")
    app.add_typer(_group, name="access")
    app.command(epilog="Example:  headwater-coordinator downloads adult")(downloads)


@_tokens.command(
    epilog="Example:  headwater-coordinator access token create 'R. Franklin' --scope read:registered --expires 90d"
)
def create(
    label: Annotated[str, typer.Argument(help="Whose token it is, in your words; nobody else sees it.")],
    scope: Annotated[
        list[str],
        typer.Option(
            help="What it is good for, may be repeated: read:registered, read:project:NAME, runs (pages of runs), "
            "sample (rows drawn on request)."
        ),
    ],
    expires: Annotated[
        str, typer.Option(help="How long it is good, such as 90d, or its last day, 2027-06-30.")
    ] = "90d",
    home: HomeOption = Path("coordinator"),
) -> None:
    """Make a token for one researcher and print it, once.

    Only its SHA-256 is kept. Send it over a channel that nobody else reads; who loses it is given another one.
    """
    import secrets

    from headwater.agreement.access_token import new_access_token, token_digest
    from headwater.agreement.documents import instant_of
    from headwater_server.storage.access_port import TokenRecord, checked_scopes

    now = datetime.datetime.now(datetime.UTC)
    until = _until(expires, now)
    scopes = checked_scopes(scope)
    whose = _label(label)
    storage = open_storage(open_home(home))
    token, token_id = new_access_token(), secrets.token_hex(4)
    storage.add_token(TokenRecord(token_id, whose, token_digest(token), scopes, instant_of(now), instant_of(until)))
    typer.echo(f"Token {token_id} of {whose}, good for {', '.join(scopes)} until {instant_of(until)}; shown once:")
    typer.echo(token)


@_tokens.command("list", epilog="Example:  headwater-coordinator access token list")
def list_tokens(home: HomeOption = Path("coordinator")) -> None:
    """List every token that was ever made, without the tokens themselves."""
    from headwater.agreement.documents import instant_of

    found = open_storage(open_home(home)).tokens()
    if not found:
        typer.echo("No token was made; `headwater-coordinator access token create` makes one.")
    now = instant_of(datetime.datetime.now(datetime.UTC))
    for record in found:
        used = f"last used {record.last_used}" if record.last_used else "never used"
        typer.echo(f"{record.token_id}  {_state(record, now)}; {', '.join(record.scopes)}; {used}; {record.label}")


@_tokens.command(epilog="Example:  headwater-coordinator access token revoke 3f0c9a1e")
def revoke(
    token: Annotated[str, typer.Argument(metavar="ID", help="The token's id, as `access token list` shows it.")],
    home: HomeOption = Path("coordinator"),
) -> None:
    """Take a token back for ever; sessions that were signed in with it end within a second."""
    storage = open_storage(open_home(home))
    record = storage.revoke_token(token, datetime.datetime.now(datetime.UTC))
    typer.echo(f"Token {record.token_id} of {record.label} is revoked since {record.revoked}.")


@_group.command(epilog="Example:  headwater-coordinator access dataset adult --level project --project heart-study")
def dataset(
    name: Annotated[str, typer.Argument(help="The dataset's name; what is said holds for all its versions.")],
    level: Annotated[str, typer.Option(help="public, registered or project.")],
    project: Annotated[
        list[str] | None, typer.Option(help="Project whose tokens may read it, with level project; may be repeated.")
    ] = None,
    home: HomeOption = Path("coordinator"),
) -> None:
    """Choose who may see and read a dataset; `serve` follows within a second.

    - **public**: everybody who can connect.
    - **registered**: everybody sees page and card; rows and files need a token that reads.
    - **project**: for all others than tokens of scope read:project:NAME there is no such dataset.
    """
    from headwater_server.storage.access_port import checked_dataset_access

    access = checked_dataset_access(name, level, project or [])
    place = open_home(home)
    open_storage(place).set_dataset_access(name, access, datetime.datetime.now(datetime.UTC))
    typer.echo(f"{name}: {_access_words(access.level, access.projects)}.")
    if name not in _published(place):
        typer.echo(f"Nothing is published under {name} yet; it will be as soon as there is.")


@_group.command(epilog="Example:  headwater-coordinator access show")
def show(home: HomeOption = Path("coordinator")) -> None:
    """Show who may see and read each dataset, and what holds of those that nothing was said of."""
    place = open_home(home)
    chosen = open_storage(place).dataset_access()
    default = _default_level(place)
    for name in sorted(set(chosen) | set(_published(place))):
        if name in chosen:
            typer.echo(f"{name}: {_access_words(chosen[name].level, chosen[name].projects)}.")
        else:
            typer.echo(f"{name}: {_access_words(default, ())} (nothing was said of it).")
    typer.echo(f"Any other dataset: {_access_words(default, ())}.")


def downloads(
    name: Annotated[str, typer.Argument(help="The dataset's name.")],
    by_day: Annotated[bool, typer.Option("--by-day", help="A line for each day.")] = False,
    home: HomeOption = Path("coordinator"),
) -> None:
    """Show how often each file of a dataset was downloaded; nothing is kept of who it was."""
    from collections import Counter

    from rich.console import Console
    from rich.table import Column, Table

    found = open_storage(open_home(home)).downloads(name)
    if not found:
        typer.echo(f"No download of {name} was counted.")
        return
    counts: Counter[tuple[str, ...]] = Counter()
    for each in found:
        day = (each.download.day,) if by_day else ()
        counts[(str(each.download.version), each.download.path, *day)] += each.count
    table = Table("version", "file", *(["day"] if by_day else []), Column("downloads", justify="right"), title=name)
    for key, count in counts.items():
        table.add_row(*key, f"{count:,}")
    Console(highlight=False).print(table)


def _until(text: str, now: datetime.datetime) -> datetime.datetime:
    """The first moment at which a token is no longer good."""
    from headwater.errors import InputError

    number = text.removesuffix("d")
    try:
        if number != text and number.isascii() and number.isdecimal():
            until = now + datetime.timedelta(days=int(number))
        else:
            day = datetime.date.fromisoformat(text) + datetime.timedelta(days=1)
            until = datetime.datetime.combine(day, datetime.time(), datetime.UTC)
    except (ValueError, OverflowError) as error:
        raise InputError(
            f"--expires is {text!r}, expected days such as 90d, or a last day such as 2027-06-30"
        ) from error
    if not now < until <= now + datetime.timedelta(days=_LONGEST_DAYS):
        raise InputError(
            f"--expires {text} is over, or more than ten years ahead; say for how long the token is needed"
        )
    return until


def _label(text: str) -> str:
    from headwater.errors import InputError

    label = text.strip()
    if not label or len(label) > _LONGEST_LABEL or not label.isprintable():
        raise InputError(f"a label is one printable line of at most {_LONGEST_LABEL} characters; name the researcher")
    return label


def _state(record: "TokenRecord", now: str) -> str:
    if record.revoked:
        return f"revoked {record.revoked}"
    return f"expired {record.expires}" if record.expires <= now else f"good until {record.expires}"


def _access_words(level: str, projects: tuple[str, ...]) -> str:
    match level:
        case "public":
            return "public, for everybody who can connect"
        case "registered":
            return "registered: its page for everybody, its rows for tokens that read"
        case "project":
            return f"project: for tokens of read:project:{', read:project:'.join(projects)} alone"
        case _:
            return "closed: for the catalogue's shared token, and tokens of scope read:registered"


def _default_level(home: "CoordinatorHome") -> str:
    from headwater_server.catalogue.settings import default_level

    settings = home.settings()
    return default_level(settings.catalogue_level, shared_token=bool(settings.catalogue_token_sha256)).value


def _published(home: "CoordinatorHome") -> list[str]:
    if not home.releases.is_dir():
        return []
    return sorted(folder.name for folder in home.releases.iterdir() if folder.is_dir())
