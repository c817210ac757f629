"""`headwater cache`: what was downloaded for `load_dataset`, its sizes and last use."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table as Grid

from headwater.cli.as_json import AsJson, print_json
from headwater.cli.wording import plain
from headwater.errors import InputError, ReleaseRefused
from headwater.file_size import size_in_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headwater.catalogue import CacheEntry

__all__ = ["register"]

_group = typer.Typer(
    no_args_is_help=True,
    help="See, check and clear what `headwater.load_dataset` keeps on this machine.",
    epilog="Example:  headwater cache list",
)

_Name = Annotated[str, typer.Argument(help="The dataset, as `headwater cache list` shows it.")]
_Version = Annotated[int | None, typer.Option(help="The version; by default every one.", min=1)]


def register(app: typer.Typer) -> None:
    """Mount `cache` on the researcher's command."""
    app.add_typer(_group, name="cache")


@_group.command("list", epilog="Example:  headwater cache list")
def list_cached(json: AsJson = False) -> None:
    """List what is in the cache, with its size and when it was last used."""
    entries = _entries(None, None)
    if json:
        print_json(
            {
                "cached": [
                    {
                        "name": each.name,
                        "version": each.version,
                        "charter": each.charter,
                        "size_bytes": each.size_bytes,
                        "last_used": each.last_used.strftime("%Y-%m-%dT%H:%M:%SZ"),
                        "folder": str(each.folder),
                    }
                    for each in entries
                ]
            }
        )
        return
    console = Console()
    if not entries:
        console.print("The cache is empty.")
        return
    grid = Grid("name", "version", "size", "last used", "charter")
    for each in entries:
        used = each.last_used.strftime("%Y-%m-%d %H:%M")
        grid.add_row(plain(each.name), str(each.version), size_in_words(each.size_bytes), used, f"{each.charter}…")
    total = size_in_words(sum(each.size_bytes for each in entries))
    grid.caption = f"{total} in {len(entries)} version{'s' if entries[1:] else ''}; times are UTC."
    console.print(grid)


@_group.command(epilog="Example:  headwater cache path")
def path() -> None:
    """Print the folder of the cache."""
    from headwater.catalogue import cache_of, home_folder

    typer.echo(str(cache_of(home_folder()).root))


@_group.command(epilog="Example:  headwater cache verify")
def verify() -> None:
    """Check everything in the cache against the pinned charters, without a network.

    Exit status 1 if a version is damaged or not what was signed; the line says which, and how to mend it.
    """
    from headwater.catalogue import cache_of, home_folder, pinned_history
    from headwater.release.verification import claimed_charter

    home, console = home_folder(), Console()
    refused: list[str] = []
    for each in _entries(None, None):
        try:
            charter = pinned_history(home, claimed_charter(each.folder))
            with cache_of(home).held(each.folder):
                cache_of(home).verify(each.folder, charter)
            console.print(f"[green]sound[/green]    {plain(each.name)} version {each.version}")
        except (ReleaseRefused, InputError) as error:
            refused.append(each.name)
            console.print(f"[red]refused[/red]  {plain(each.name)} version {each.version}: {plain(str(error))}")
    if refused:
        raise ReleaseRefused(
            f"{len(refused)} of what is in the cache is not what was signed; `headwater cache remove {refused[0]}` "
            "removes it, the next load fetches it again"
        )


@_group.command(epilog="Example:  headwater cache remove adult --version 1")
def remove(name: _Name, version: _Version = None) -> None:
    """Remove a dataset from the cache; programs that read it now are waited for."""
    entries = _entries(name, version)
    if not entries:
        which = name if version is None else f"{name} version {version}"
        raise InputError(f"{which} is not in the cache; `headwater cache list` shows what is")
    _remove(entries)


@_group.command(epilog="Example:  headwater cache clear --yes")
def clear(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Remove everything from the cache."""
    entries = _entries(None, None)
    total = size_in_words(sum(each.size_bytes for each in entries))
    if entries and not yes:
        typer.confirm(f"Remove {len(entries)} versions, {total}?", abort=True)
    _remove(entries)


def _entries(name: str | None, version: int | None) -> "Sequence[CacheEntry]":
    from headwater.catalogue import cache_of, home_folder

    return [
        each
        for each in cache_of(home_folder()).entries()
        if name in {None, each.name} and version in {None, each.version}
    ]


def _remove(entries: "Sequence[CacheEntry]") -> None:
    from headwater.catalogue import cache_of, home_folder

    cache = cache_of(home_folder())
    for each in entries:
        cache.remove(each.folder)
    total = size_in_words(sum(each.size_bytes for each in entries))
    Console().print(f"[green]Removed[/green] {len(entries)} version{'' if len(entries) == 1 else 's'}, {total}.")
