"""A catalogue's newest version held to what was here before: its list is not signed, and could go back."""

from pathlib import Path

from headwater.catalogue.cache import DatasetCache
from headwater.catalogue.client import CatalogueClient
from headwater.catalogue.pinning import follow_charter
from headwater.errors import ReleaseRefused
from headwater.release.layout import MANIFEST
from headwater.release.verification import read_manifest, verify_manifest

__all__ = ["cache_of", "refuse_older"]


def cache_of(home: Path) -> DatasetCache:
    """The cache of a researcher's folder."""
    return DatasetCache(home / "cache")


def refuse_older(home: Path, client: CatalogueClient, name: str, newest: int) -> None:
    """Refuse a catalogue's newest version where a later one was here before and nothing signed took it back.

    What a catalogue lists is not signed: without this it could show any version for the newest to whoever knows better.
    Nothing is asked of the network where no later version is in the cache.

    Args:
        home: whose cache may hold later versions.
        client: of the catalogue.
        name: of the dataset.
        newest: by the catalogue's word.

    Raises:
        ReleaseRefused: there is a later version that stands.
        TransportError: the catalogue could not be reached.
    """
    cache = cache_of(home)
    later = cache.newer(cache.folder(client.known.charter, name, newest))
    if not later:
        return
    history = follow_charter(home, client)
    for folder in later:
        if cache.withdrawal(folder, history) is not None:
            continue
        manifest = verify_manifest(read_manifest((folder / MANIFEST).read_bytes()), history)
        if (notice := client.withdrawal(manifest, history)) is None:
            raise ReleaseRefused(
                f"the catalogue shows version {newest} of {name} as its newest, version {folder.name} was loaded from "
                f"it before and nothing signed withdraws that; ask the consortium, or name a version"
            )
        cache.note_withdrawal(folder, notice[1])
