"""`headwater-org datasets`: what the consortium has published, over the connection to its coordinator."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from headwater_client.cli.options import Home
from headwater_client.cli.text import shown

__all__ = ["register"]

_group = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="List, show and download what the consortium published, verified under the charter that you accepted.",
    epilog="Example:  headwater-org datasets download adult --home hospital",
)

_Name = Annotated[str, typer.Argument(help="The dataset, as `datasets list` shows it.")]
_Version = Annotated[int | None, typer.Option(help="The version; by default the newest that is not withdrawn.", min=1)]


def register(app: typer.Typer) -> None:
    """Mount `datasets`."""
    app.add_typer(_group, name="datasets")


@_group.command("list", epilog="Example:  headwater-org datasets list income census --home hospital")
def list_datasets(
    words: Annotated[
        list[str] | None, typer.Argument(help="Only datasets in whose name, title, text or columns all of these stand.")
    ] = None,
    home: Home = Path("organisation"),
) -> None:
    """List the newest version of every published dataset.

    As a member you see all of them, also those that others need a token for. No token is asked for here: your
    organisation's certificate is enough.
    """
    from headwater.cli.listing import listing_grid
    from headwater_client.organisation import Organisation

    with Organisation.open(home) as organisation:
        found = organisation.datasets(" ".join(words or ()))
    console = Console()
    if not found:
        console.print("No dataset holds these words." if words else "Nothing has been published yet.")
        return
    console.print(listing_grid([each for each, _ in found], "Published by your consortium", console.width))
    for each, withdrawn in found:
        if withdrawn:
            console.print(f"[yellow]{shown(each.name)} version {each.version} was withdrawn[/yellow]", highlight=False)


@_group.command(epilog="Example:  headwater-org datasets show adult --home hospital")
def show(name: _Name, version: _Version = None, home: Home = Path("organisation")) -> None:
    """Show a dataset: what it is, what protects the people behind it and what not, its files.

    Everything shown comes from the manifest, after the coordinator's signature on it was checked under your charter.
    """
    from headwater.cli.dataset_page import show_manifest
    from headwater_client.organisation import Organisation

    with Organisation.open(home) as organisation:
        found = organisation.dataset(name, version)
    console = Console()
    if (gone := found.withdrawal) is not None:
        instead = f" Version {gone.replaced_by} takes its place." if gone.replaced_by is not None else ""
        console.print(
            f"[bold red]Withdrawn at {shown(gone.withdrawn)}: {shown(gone.reason.rstrip('.'))}.[/bold red]{instead}",
            highlight=False,
        )
    show_manifest(console, found.manifest)


@_group.command(epilog="Example:  headwater-org datasets download adult --out adult --home hospital")
def download(
    name: _Name,
    out: Annotated[Path | None, typer.Option(help="Folder to create; by default NAME-VERSION here.")] = None,
    version: _Version = None,
    home: Home = Path("organisation"),
) -> None:
    """Download a dataset and verify it under your charter.

    A broken download is continued where it stopped, by this command run again. The folder appears under its name only
    when every file in it has the size and SHA-256 that the coordinator signed, and an audited one only with the
    signatures of as many organisations as your charter asks for.
    """
    from headwater.cli.dataset_page import progress_bar, show_verification
    from headwater_client.organisation import Organisation

    console = Console()
    with Organisation.open(home) as organisation, progress_bar(console, name) as report:
        verification = organisation.download_dataset(name, version, out, report)
    manifest = verification.manifest
    folder = out if out is not None else Path(f"{manifest.name}-{manifest.version}")
    console.print(
        f"[green]Downloaded[/green] {shown(manifest.name)} version {manifest.version} to "
        f"[bold]{shown(str(folder))}[/bold]"
    )
    show_verification(console, verification)
