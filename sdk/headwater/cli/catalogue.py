"""`headwater catalogue`: name a catalogue once, then list, show, download and verify its datasets."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table as Grid

from headwater.cli.as_json import AsJson, found_as_json, print_json
from headwater.cli.dataset_page import progress_bar, show_manifest, show_verification
from headwater.cli.listing import listing_grid
from headwater.cli.wording import plain
from headwater.errors import InputError
from headwater.file_size import size_in_words

if TYPE_CHECKING:
    from headwater.catalogue import Listing

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
        group.command("search", epilog=f"Example:  {command} search income --privacy dp")(search)
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


@_group.command("remove", epilog="Example:  headwater catalogue remove https://data.example.org:9445")
def forget(url: Annotated[str, typer.Argument(help="As `headwater catalogue known` shows it.")]) -> None:
    """Forget a catalogue and its token; what was downloaded from it stays, and can still be verified."""
    from headwater.catalogue import home_folder
    from headwater.catalogue.pinning import remove_catalogue

    remove_catalogue(home_folder(), url)
    Console().print(f"[green]Forgot[/green] {plain(url)}.")


@_group.command("known", epilog="Example:  headwater catalogue known")
def list_known(json: AsJson = False) -> None:
    """List the known catalogues with the charter that is pinned for each."""
    from headwater.catalogue import home_folder, read_catalogues

    known = read_catalogues(home_folder())
    if json:
        listed = [{"url": each.url, "charter": each.charter, "token": bool(each.token)} for each in known]
        print_json({"catalogues": listed})
        return
    if not known:
        Console().print("No catalogue is known; `headwater catalogue add` names one.")
        return
    grid = Grid("address", "pinned charter", "token")
    for each in known:
        grid.add_row(plain(each.url), f"{each.charter[:16]}…", "kept" if each.token else "none")
    Console().print(grid)


def list_datasets(catalogue: _Catalogue = None, json: AsJson = False) -> None:
    """List the newest version of every dataset in the known catalogues."""
    _list_matching("", catalogue, None, 0, json)


def search(
    words: Annotated[list[str], typer.Argument(help="All of which stand in name, title, description or columns.")],
    privacy: Annotated[str | None, typer.Option(help="dp: differentially private only; none: the others only.")] = None,
    min_rows: Annotated[int, typer.Option(help="At least this many rows.", min=0)] = 0,
    catalogue: _Catalogue = None,
    json: AsJson = False,
) -> None:
    """Search the known catalogues for datasets, those with a word in their name first."""
    _list_matching(" ".join(words), catalogue, privacy, min_rows, json)


def _list_matching(words: str, url: str | None, privacy: str | None, min_rows: int, as_json: bool) -> None:
    from headwater.catalogue import CatalogueClient, chosen_catalogues, follow_charter, home_folder
    from headwater.catalogue.searching import Wish, privacy_wish

    console, home = Console(), home_folder()
    wish = Wish(words, privacy_wish(privacy), min_rows)
    found: list[tuple[Listing, str]] = []
    for known in chosen_catalogues(home, url):
        with CatalogueClient(known) as client:
            charter = follow_charter(home, client).newest
            listings = client.releases(wish)
            nothing_at_all = not listings and not client.releases()
        found += [(listing, known.url) for listing in listings]
        if as_json:
            continue
        title = f"{plain(charter.consortium)} · {plain(known.url)}"
        if not listings:
            nothing = (
                "nothing has been released yet"
                if nothing_at_all
                else "nothing fits in names, titles, descriptions and columns; `headwater list` shows everything"
            )
            console.print(f"{title}: {nothing}.")
            continue
        console.print(listing_grid(listings, title, console.width))
    if as_json:
        print_json(found_as_json(found))


def show(name: _Name, version: _Version = None, catalogue: _Catalogue = None, json: AsJson = False) -> None:
    """Show a dataset: what it is, what protects the people behind it and what not, its files.

    Everything shown comes from the manifest, after the coordinator's signature on it was checked.
    """
    from headwater.catalogue import find_dataset, home_folder
    from headwater.catalogue.opening import open_known

    home = home_folder()
    known, chosen = find_dataset(home, name, version, catalogue)
    with open_known(home, known) as opened:
        dataset = opened.show(name, chosen)
    if json:
        print_json(dataset.to_dict())
        return
    console = Console()
    if (said := dataset.withdrawal) is not None:
        instead = "" if said.replaced_by is None else f" Use version {said.replaced_by}."
        console.print(f"[red]WITHDRAWN[/red] on {said.withdrawn[:10]}: {plain(said.sentence)}{instead}")
    show_manifest(console, dataset.manifest)
    if dataset.withdrawal is None:
        console.print(f"\nNext: [bold]headwater download {dataset.name}[/bold]")


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
    from headwater.catalogue.loading import refuse_withdrawn_release

    home = home_folder()
    known, chosen = find_dataset(home, name, version, catalogue)
    folder = out if out is not None else Path(f"{name}-{chosen}")
    console = Console()
    with CatalogueClient(known) as client, progress_bar(console, f"{name} version {chosen}") as report:
        history = follow_charter(home, client)
        refuse_withdrawn_release(client, history, name, chosen)
        verification = download_release(client, history, name, chosen, folder, report)
    console.print(f"[green]Downloaded[/green] {plain(name)} version {chosen} to [bold]{plain(str(folder))}[/bold]")
    show_verification(console, verification)


def verify(
    folder: Annotated[Path, typer.Argument(help="A downloaded dataset; or rows on request, or a folder of them.")],
    receipts: Annotated[
        Path | None, typer.Option(help="The run's receipts, as `headwater-org receipts export` writes them.")
    ] = None,
) -> None:
    """Check a downloaded dataset against the pinned charter, without a network.

    Exit status 1, and the reason, if a signature, a file or a digest is not what was signed, or if a dataset states a
    smaller ε than its own signed events come to. An audited dataset must be signed by the coordinator and by as many
    organisations as the charter asks for, and its verdict must follow from audit.json and the policy it names. With
    the extra `privacy` installed ε is replayed exactly, else only held to what arithmetic alone can refute. Rows that
    were drawn on request are held to the statement that the coordinator signed, which stands beside them.
    """
    from headwater.catalogue import home_folder, pinned_charter
    from headwater.catalogue.sample_check import samples_in
    from headwater.release import verify_release
    from headwater.release.layout import MANIFEST
    from headwater.release.receipts import read_receipts, verify_receipts
    from headwater.release.verification import claimed_charter

    if not (folder / MANIFEST).exists() and (samples := samples_in(folder)):
        _verify_samples(samples)
        return
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


def _verify_samples(samples: Sequence[Path]) -> None:
    from headwater.catalogue import home_folder
    from headwater.catalogue.sample_check import verify_sample

    for file in samples:
        said = verify_sample(home_folder(), file)
        Console().print(
            f"[green]Verified[/green] {plain(str(file))}: {said.rows:,} rows on request of {plain(said.name)} version "
            f"{said.version}, signed by the coordinator alone; cite sample {said.digest}",
            soft_wrap=True,
        )
