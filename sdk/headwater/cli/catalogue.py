"""`headwater catalogue`: name a catalogue once, then list, show, download and verify its datasets."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.panel import Panel
from rich.table import Table as Grid

from headwater.cli.listing import listing_grid
from headwater.cli.wording import plain
from headwater.errors import InputError
from headwater.file_size import size_in_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from headwater.release import Verification
    from headwater.release.statement import Statement

__all__ = ["register"]

_group = typer.Typer(
    no_args_is_help=True,
    help="Name a catalogue; list, show, download and verify its datasets.",
    epilog="Example:  headwater catalogue add https://127.0.0.1:9445 --ca ca.crt --charter DIGEST",
)

_Catalogue = Annotated[str | None, typer.Option(help="Address of one known catalogue, where several have the name.")]
_Version = Annotated[int | None, typer.Option(help="The version; by default the newest.", min=1)]
_Name = Annotated[str, typer.Argument(help="The dataset, as `headwater list` shows it.")]


def register(app: typer.Typer) -> None:
    """Mount `catalogue` on the researcher's command, and its daily commands beside it."""
    for group, command in ((app, "headwater"), (_group, "headwater catalogue")):
        group.command("list", epilog=f"Example:  {command} list")(list_datasets)
        group.command("show", epilog=f"Example:  {command} show adult")(show)
        group.command("download", epilog=f"Example:  {command} download adult --out adult")(download)
        group.command("verify", epilog=f"Example:  {command} verify adult")(verify)
    app.add_typer(_group, name="catalogue")


@_group.command(
    epilog="Example:  headwater catalogue add https://data.example.org:9445 --ca ca.crt --charter 3f0c… --token -"
)
def add(
    url: Annotated[str, typer.Argument(help="https://HOST:PORT.")],
    ca: Annotated[Path, typer.Option(help="The consortium's CA certificate, PEM.")],
    charter: Annotated[str, typer.Option(help="Digest of the charter, 64 hexadecimal digits.")],
    token: Annotated[
        str, typer.Option(envvar="HEADWATER_TOKEN", help="Access token, if it asks for one; - to be asked for it.")
    ] = "",
) -> None:
    """Name a catalogue, once, and pin what its datasets are checked against.

    Take the charter's digest from a member of the consortium, by another way than this catalogue. The catalogue's
    charter must have exactly this digest and every member's signature, or follow from it version by version by the
    signatures of its members; its coordinator key then decides which datasets are genuine. TLS accepts certificates of
    the given CA only. Address, CA, digest and token are kept in $HEADWATER_HOME (default ~/.headwater), readable by
    you alone.
    """
    from headwater.catalogue import add_catalogue, home_folder

    if not ca.is_file():
        raise InputError(f"there is no file {ca}; ask the consortium for its ca.crt")
    if token == "-":  # noqa: S105 - the sign for "ask me", not a token
        token = typer.prompt("Access token", hide_input=True)
    try:
        pem = ca.read_text(encoding="ascii")
    except UnicodeDecodeError as error:
        raise InputError(f"{ca} is not a PEM file; ask the consortium for its ca.crt") from error
    agreed = add_catalogue(home_folder(), url, pem, charter, token)
    console = Console()
    console.print(f"[green]Added[/green] {plain(url)}, the catalogue of [bold]{plain(agreed.consortium)}[/bold].")
    grid = Grid("member", "identity key", title=f"Charter, version {agreed.version}: {len(agreed.members)} members")
    for member in agreed.members:
        grid.add_row(plain(member.name), f"{member.identity_key[:16]}…")
    console.print(grid)
    console.print("Next: [bold]headwater list[/bold]")


def list_datasets(catalogue: _Catalogue = None) -> None:
    """List the newest version of every dataset in the known catalogues."""
    from headwater.catalogue import CatalogueClient, chosen_catalogues, follow_charter, home_folder

    console, home = Console(), home_folder()
    for known in chosen_catalogues(home, catalogue):
        with CatalogueClient(known) as client:
            charter = follow_charter(home, client).newest
            listings = client.releases()
        title = f"{plain(charter.consortium)} · {plain(known.url)}"
        if not listings:
            console.print(f"{title}: nothing has been released yet.")
            continue
        console.print(listing_grid(listings, title, console.width))


def show(name: _Name, version: _Version = None, catalogue: _Catalogue = None) -> None:
    """Show a dataset: what it is, what protects the people behind it and what not, its files.

    Everything shown comes from the manifest, after the coordinator's signature on it was checked.
    """
    from headwater.catalogue import CatalogueClient, find_dataset, follow_charter, home_folder
    from headwater.release.statement import headline, not_to_be_used_for, protection_statement, signatures_in_words

    home = home_folder()
    known, chosen = find_dataset(home, name, version, catalogue)
    with CatalogueClient(known) as client:
        signed, _ = client.manifest(name, chosen, follow_charter(home, client))
    manifest = signed.manifest
    provenance = manifest.provenance
    console = Console()
    console.print(f"[bold]{plain(manifest.title)}[/bold]  ({manifest.name}, version {manifest.version})")
    if manifest.description:
        console.print(plain(manifest.description))
    privacy = manifest.protection.privacy
    statement = protection_statement(provenance.organisations, manifest.unconfirmed_schema, manifest.protection)
    style = _style(privacy != "none")
    # Above the panel, not in its border: a narrow terminal would cut what ε means nothing without.
    console.print(f"[{style}]{headline(privacy)}[/{style}]", highlight=False)
    console.print(Panel(_statement(statement), border_style=style))
    facts = Grid.grid(padding=(0, 2))
    for label, value in (
        ("rows", f"{manifest.rows:,}"),
        ("columns", str(manifest.columns)),
        ("made", manifest.created),
        ("by", f"{provenance.organisations} organisations of {provenance.consortium}"),
        ("licence", manifest.licence),
        ("signatures", signatures_in_words(manifest.protection)),
        ("digest", manifest.digest),
        ("size", f"{size_in_words(manifest.size_bytes)} in {len(manifest.files)} files"),
    ):
        facts.add_row(f"[dim]{label}[/dim]", plain(value))
    console.print(facts)
    console.print("\n[bold]Not to be used for[/bold]")
    for line in not_to_be_used_for():
        console.print(f"• {line}")
    console.print(f"\nNext: [bold]headwater download {manifest.name}[/bold]")


def download(
    name: _Name,
    out: Annotated[Path | None, typer.Option(help="Folder to create; by default NAME-VERSION here.")] = None,
    version: _Version = None,
    catalogue: _Catalogue = None,
) -> None:
    """Download a dataset and verify it.

    A broken download is continued where it stopped, by this command run again. The folder appears under its name only
    when every file in it has the size and SHA-256 that the consortium's coordinator signed.
    """
    from headwater.catalogue import CatalogueClient, download_release, find_dataset, follow_charter, home_folder

    home = home_folder()
    known, chosen = find_dataset(home, name, version, catalogue)
    folder = out if out is not None else Path(f"{name}-{chosen}")
    console = Console()
    with CatalogueClient(known) as client, _progress(console, f"{name} version {chosen}") as report:
        verification = download_release(client, follow_charter(home, client), name, chosen, folder, report)
    console.print(f"[green]Downloaded[/green] {plain(name)} version {chosen} to [bold]{plain(str(folder))}[/bold]")
    _tell(console, verification)


def verify(
    folder: Annotated[Path, typer.Argument(help="A downloaded dataset.")],
    receipts: Annotated[
        Path | None, typer.Option(help="The run's receipts, as `headwater-org receipts export` writes them.")
    ] = None,
) -> None:
    """Check a downloaded dataset against the pinned charter, without a network.

    Exit status 1, and the reason, if a signature, a file or a digest is not what was signed, or if a dataset states a
    smaller ε than its own signed events come to. An audited dataset must be signed by the coordinator and by as many
    organisations as the charter asks for, and its verdict must follow from audit.json and the policy it names. With
    the extra `privacy` installed ε is replayed exactly, else only held to what arithmetic alone can refute.
    """
    from headwater.catalogue import home_folder, pinned_charter
    from headwater.release import verify_release
    from headwater.release.receipts import read_receipts, verify_receipts
    from headwater.release.verification import claimed_charter

    charter = pinned_charter(home_folder(), claimed_charter(folder))
    verification = verify_release(folder, charter)
    chain = "" if receipts is None else verify_receipts(verification, read_receipts(receipts))
    console = Console()
    manifest = verification.manifest
    console.print(
        f"[green]Verified[/green] {plain(manifest.name)} version {manifest.version}: {len(manifest.files)} files, "
        f"{size_in_words(manifest.size_bytes)}, under the charter of [bold]{plain(charter.consortium)}[/bold]"
    )
    _tell(console, verification)
    if chain:
        console.print(f"{chain}.", highlight=False)


def _tell(console: Console, verification: "Verification") -> None:
    console.print(f"Signatures: {verification.signatures}.")
    if verification.audit is not None:
        _tell_audit(console, verification)
    style = _style(verification.replay is not None)
    console.print(f"[{style}]{verification.headline}[/{style}]", highlight=False)
    if verification.replay is None:
        return
    replayed = "green" if verification.replay.exact else "yellow"
    console.print(f"[{replayed}]{plain(verification.replay.in_words)}.[/{replayed}]", highlight=False)
    console.print(
        "Not checked here: that the noise was added, and that these are all events. The organisations can, by the "
        "receipts and ledgers that they hold.",
        highlight=False,
    )
    console.print(_statement(verification.statement), highlight=False)


def _tell_audit(console: Console, verification: "Verification") -> None:
    from headwater.agreement.documents import instant_of
    from headwater.release.statement import verdict_in_words

    claim = verification.manifest.protection.audit
    if claim == "none":
        return
    style = "green" if claim.verdict == "pass" else "yellow"
    words = verdict_in_words(claim)
    console.print(
        f"[{style}]{words[0].upper()}{words[1:]}; attempt {claim.attempts} at its plan, over all runs.[/{style}]",
        highlight=False,
    )
    if verification.judged_apart:
        console.print(f"{verification.judged_apart}.", highlight=False)
    for line in verification.expired_waivers(instant_of(datetime.now(UTC))):
        console.print(f"[yellow]Since then {line}.[/yellow]", highlight=False)


def _style(private: bool) -> str:
    return "green" if private else "yellow"


def _statement(statement: "Sequence[Statement]") -> str:
    lines = []
    for said in statement:
        bullet = "[yellow]•[/yellow]" if said.grave else "•"
        lines += [f"{bullet} [bold]{said.short}.[/bold] {said.full}", *(f"  - {clause}" for clause in said.clauses)]
    return "\n".join(lines)


@contextmanager
def _progress(console: Console, what: str) -> "Iterator[Callable[[int, int], None]]":
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        task = progress.add_task(plain(what), total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
