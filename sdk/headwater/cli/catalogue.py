"""`headwater catalogue`: name a catalogue once, then list, show, download and verify its datasets."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table as Grid

from headwater.cli.dataset_page import progress_bar, show_manifest, show_verification
from headwater.cli.listing import listing_grid
from headwater.cli.wording import plain
from headwater.errors import InputError
from headwater.file_size import size_in_words

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

    home = home_folder()
    known, chosen = find_dataset(home, name, version, catalogue)
    with CatalogueClient(known) as client:
        signed, _ = client.manifest(name, chosen, follow_charter(home, client))
    console = Console()
    show_manifest(console, signed.manifest)
    console.print(f"\nNext: [bold]headwater download {signed.manifest.name}[/bold]")


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
    with CatalogueClient(known) as client, progress_bar(console, f"{name} version {chosen}") as report:
        verification = download_release(client, follow_charter(home, client), name, chosen, folder, report)
    console.print(f"[green]Downloaded[/green] {plain(name)} version {chosen} to [bold]{plain(str(folder))}[/bold]")
    show_verification(console, verification)


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
    show_verification(console, verification)
    if chain:
        console.print(f"{chain}.", highlight=False)
