"""The researcher's side of a catalogue: what is known and pinned, what is there, downloads that are verified.

The package itself can be called: `headwater.catalogue("https://…")` is `opening.catalogue`.
"""

import sys
from pathlib import Path
from types import ModuleType

from headwater.catalogue.cache import CacheEntry, DatasetCache
from headwater.catalogue.client import CatalogueClient
from headwater.catalogue.dataset import cache_of, load_dataset
from headwater.catalogue.download import download_release
from headwater.catalogue.fetching import Fetcher
from headwater.catalogue.known import KnownCatalogue, home_folder, pinned_charter, pinned_history, read_catalogues
from headwater.catalogue.listing import Listing
from headwater.catalogue.opening import Catalogue
from headwater.catalogue.opening import catalogue as _open
from headwater.catalogue.pinning import add_catalogue, follow_charter
from headwater.catalogue.selection import chosen_catalogues, find_dataset
from headwater.catalogue.view import Dataset

__all__ = [
    "CacheEntry",
    "Catalogue",
    "CatalogueClient",
    "Dataset",
    "DatasetCache",
    "Fetcher",
    "KnownCatalogue",
    "Listing",
    "add_catalogue",
    "cache_of",
    "chosen_catalogues",
    "download_release",
    "find_dataset",
    "follow_charter",
    "home_folder",
    "load_dataset",
    "pinned_charter",
    "pinned_history",
    "read_catalogues",
]


class _Callable(ModuleType):
    """`headwater.catalogue` is this package, and what readers call to open one."""

    def __call__(
        self, url: str, *, charter: str | None = None, ca: str | Path | None = None, token: str = ""
    ) -> Catalogue:
        return _open(url, charter=charter, ca=ca, token=token)


_Callable.__call__.__doc__ = _open.__doc__
sys.modules[__name__].__class__ = _Callable
