"""Finding a dataset by name among the known catalogues."""

from collections.abc import Sequence
from pathlib import Path

from headwater.catalogue.client import CatalogueClient
from headwater.catalogue.frames import did_you_mean
from headwater.catalogue.known import KnownCatalogue, read_catalogues
from headwater.catalogue.listing import Listing
from headwater.catalogue.refusals import NotInCatalogue
from headwater.catalogue.rollback import refuse_older
from headwater.errors import InputError

__all__ = ["chosen_catalogues", "find_dataset", "newest_standing"]


def chosen_catalogues(home: Path, url: str | None = None) -> Sequence[KnownCatalogue]:
    """All known catalogues, or the one at this address.

    Raises:
        InputError: none is known, or not this one.
    """
    known = read_catalogues(home)
    if not known:
        raise InputError(
            "no catalogue is known yet; run `headwater catalogue add https://HOST:PORT --ca ca.crt --charter DIGEST`"
        )
    if url is None:
        return known
    matching = [catalogue for catalogue in known if catalogue.url == url.rstrip("/")]
    if not matching:
        raise InputError(f"{url} is not a known catalogue; known are {', '.join(c.url for c in known)}")
    return matching


def find_dataset(
    home: Path, name: str, version: int | None = None, url: str | None = None
) -> tuple[KnownCatalogue, int]:
    """The one catalogue that has this dataset, and the version asked for or its newest.

    Raises:
        InputError: none has it, or more than one has.
        ReleaseRefused: a catalogue's newest is older than one that was here before.
        TransportError: a catalogue could not be reached.
    """
    found: list[tuple[KnownCatalogue, int]] = []
    present: list[int] = []
    for known in chosen_catalogues(home, url):
        with CatalogueClient(known) as client:
            listings = client.versions(name)
            if listings and version is None:
                refuse_older(home, client, name, newest_standing(listings))
        present += (numbers := [listing.version for listing in listings])
        if listings and version is None:
            found.append((known, newest_standing(listings)))
        elif version in numbers:
            found.append((known, int(version or 0)))
    if not found and present:
        raise NotInCatalogue(f"{name!r} has no version {version}; it has {', '.join(map(str, sorted(set(present))))}")
    if not found:
        raise NotInCatalogue(f"no known catalogue has a dataset {name!r}{_like(home, name, url)}")
    if len(found) > 1:
        raise InputError(f"{name!r} is in {' and '.join(k.url for k, _ in found)}; say which with --catalogue URL")
    return found[0]


def newest_standing(listings: Sequence[Listing]) -> int:
    """The newest version that was not withdrawn; the newest of all where all were.

    Args:
        listings: of one dataset; at least one.
    """
    standing = [listing.version for listing in listings if listing.withdrawn is None]
    return max(standing or [listing.version for listing in listings])


def _like(home: Path, name: str, url: str | None) -> str:
    names: set[str] = set()
    for known in chosen_catalogues(home, url):
        with CatalogueClient(known) as client:
            names |= {listing.name for listing in client.releases()}
    return did_you_mean(name, sorted(names)) or "; `headwater list` shows what there is"
