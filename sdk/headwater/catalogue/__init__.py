"""The researcher's side of a catalogue: what is known and pinned, what is there, downloads that are verified."""

from headwater.catalogue.client import CatalogueClient, Listing
from headwater.catalogue.dataset import load_dataset
from headwater.catalogue.download import download_release
from headwater.catalogue.fetching import Fetcher
from headwater.catalogue.known import KnownCatalogue, home_folder, pinned_charter, read_catalogues
from headwater.catalogue.pinning import add_catalogue, follow_charter
from headwater.catalogue.selection import chosen_catalogues, find_dataset

__all__ = [
    "CatalogueClient",
    "Fetcher",
    "KnownCatalogue",
    "Listing",
    "add_catalogue",
    "chosen_catalogues",
    "download_release",
    "find_dataset",
    "follow_charter",
    "home_folder",
    "load_dataset",
    "pinned_charter",
    "read_catalogues",
]
