"""A dataset by name as an Arrow table: fetched once, verified every time."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from headwater.catalogue.client import CatalogueClient
from headwater.catalogue.download import download_release
from headwater.catalogue.known import charter_of_release, home_folder
from headwater.catalogue.pinning import follow_charter
from headwater.catalogue.selection import chosen_catalogues, find_dataset
from headwater.errors import InputError, ReleaseRefused
from headwater.release import verify_release
from headwater.release.layout import DATA, MANIFEST
from headwater.release.verification import DamagedRelease, claimed_charter

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["load_dataset"]


def load_dataset(name: str, version: int | None = None, *, catalogue: str | None = None) -> "pa.Table":
    """Load a synthetic dataset from a known catalogue.

    The files are kept under $HEADWATER_HOME/cache (~/.headwater/cache) and checked against the pinned charter, or
    the versions that follow it, at every call. With a version, what is in the cache is used without asking the network.

    Args:
        name: as `headwater list` shows it.
        version: None for the newest.
        catalogue: the address of one known catalogue, where several have the name.

    Raises:
        InputError: no known catalogue has it; name one first with `headwater catalogue add`.
        ReleaseRefused: a signature, size or digest is wrong.
        TransportError: the catalogue could not be reached.

    Guarantee: none of privacy beyond what the dataset's card states: an ε with all that it does not cover, or none.
    """
    import pyarrow.parquet as pq

    return pq.read_table(_cached(home_folder(), name, version, catalogue) / DATA)


def _cached(home: Path, name: str, version: int | None, url: str | None) -> Path:
    # The name becomes a part of a path below.
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,63}", name):
        raise InputError(f"{name!r} is no dataset's name; `headwater list` shows what there is")
    if version is not None:
        for known in chosen_catalogues(home, url):
            folder = _folder(home, known.charter, name, version)
            if (folder / MANIFEST).is_file():
                charter = charter_of_release(home, known.charter, claimed_charter(folder))
                try:
                    manifest = verify_release(folder, charter).manifest
                except DamagedRelease as error:
                    raise ReleaseRefused(
                        f"{folder} holds a damaged copy: {error.problem}; remove the folder and load the dataset again"
                    ) from error
                if (manifest.name, manifest.version) != (name, version):
                    raise ReleaseRefused(f"{folder} holds another release than its name says; remove it")
                return folder
    known, newest = find_dataset(home, name, version, url)
    folder = _folder(home, known.charter, name, newest)
    with CatalogueClient(known) as client:
        download_release(client, follow_charter(home, client), name, newest, folder)
    return folder


def _folder(home: Path, charter_digest: str, name: str, version: int) -> Path:
    return home / "cache" / charter_digest[:16] / name / str(version)
