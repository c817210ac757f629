"""The catalogue over HTTPS: pages for people, a JSON API and files for programs."""

from headwater_server.catalogue.app import build_catalogue
from headwater_server.catalogue.index import FolderReleaseIndex, ReleaseEntry, ReleaseIndex
from headwater_server.catalogue.settings import CatalogueSettings

__all__ = ["CatalogueSettings", "FolderReleaseIndex", "ReleaseEntry", "ReleaseIndex", "build_catalogue"]
