"""A released generator by its dataset's name: fetched once, verified every time."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from headwater.agreement.charter import Charter
from headwater.agreement.generator_terms import GeneratorTerms
from headwater.agreement.succession import CharterHistory
from headwater.catalogue.cache import DatasetCache
from headwater.catalogue.client import CatalogueClient
from headwater.catalogue.dataset import cache_of, check_name
from headwater.catalogue.known import charter_of_release, home_folder
from headwater.catalogue.loading import refuse_withdrawn
from headwater.catalogue.pinning import follow_charter
from headwater.catalogue.selection import chosen_catalogues, find_dataset
from headwater.errors import InputError
from headwater.release import Manifest, Verification
from headwater.release.layout import GENERATOR
from headwater.release.manifest import GENERATOR_FILES
from headwater.release.verification import claimed_charter

if TYPE_CHECKING:
    from pathlib import Path

    from headwater.generator.table_generator import TableGenerator

__all__ = ["fetch_generator", "load_generator"]

_INSTEAD: dict[GeneratorTerms, str] = {
    "kept": "its rows are all that is published of it",
    "on request": "the coordinator samples rows of it on request",
}


def load_generator(
    name: str,
    version: int | None = None,
    *,
    catalogue: str | None = None,
    allow_withdrawn: bool = False,
    device: str = "auto",
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> "TableGenerator":
    """Load the generator of a release from a known catalogue, to draw from it as many rows as are wanted.

    The files are kept beside the dataset's under $HEADWATER_HOME/cache and checked at every call as `load_dataset`
    checks: against the pinned charter, down to the generator's digest, which every signing organisation named. A
    mixture needs no torch; another kind says in one line what brings it.

    Args:
        name: as `headwater list` shows it.
        version: None for the newest; with one, what is in the cache is used without asking the network.
        catalogue: the address of one known catalogue, where several have the name.
        allow_withdrawn: give a copy from the cache although the consortium took the version back.
        device: "auto", "cpu" or "cuda", for a network.
        on_progress: told (bytes there, bytes in all) of a download.

    Raises:
        InputError: no known catalogue has it, its release gives no generator, or torch is needed and missing.
        ReleaseRefused: a signature or digest is wrong, or the version was withdrawn (code "withdrawn").
        TransportError: the catalogue could not be reached.

    Guarantee: none of privacy beyond the ε that the dataset's card states; drawing costs nothing more.
    """
    verification = fetch_generator(
        name, version, catalogue=catalogue, allow_withdrawn=allow_withdrawn, on_progress=on_progress
    )
    # Arrow and the generator's rooms are loaded by who draws.
    from headwater.generator.table_generator import load_generator as load_bundle

    digest = verification.manifest.provenance.generator_digest
    return load_bundle(verification.folder / GENERATOR, digest, device=device)


def fetch_generator(
    name: str,
    version: int | None = None,
    *,
    catalogue: str | None = None,
    allow_withdrawn: bool = False,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Verification:
    """Have a released generator in the cache, verified; as `load_generator`, which reads it from there.

    Returns:
        What was checked; the files are in its folder.

    Raises:
        HeadwaterError: as `load_generator`.
    """
    check_name(name)
    home = home_folder()
    cache = cache_of(home)
    if version is not None:
        for known in chosen_catalogues(home, catalogue):
            folder = cache.folder(known.charter, name, version)
            if cache.holds(folder, GENERATOR_FILES):
                charter = charter_of_release(home, known.charter, claimed_charter(folder))
                return _kept(cache, folder, charter, allow_withdrawn=allow_withdrawn)
    known, chosen = find_dataset(home, name, version, catalogue)
    with CatalogueClient(known) as client:
        history = follow_charter(home, client)
        manifest = client.manifest(name, chosen, history)[0].manifest
        _refuse_kept(manifest)
        folder = cache.folder(known.charter, name, chosen)
        if (notice := client.withdrawal(manifest, history)) is not None:
            said, data = notice
            cache.note_withdrawal(folder, data)
            refuse_withdrawn(said, allow_withdrawn, kept=cache.holds(folder, GENERATOR_FILES))
        if not cache.holds(folder, GENERATOR_FILES):
            cache.add(client, history, folder, GENERATOR_FILES, on_progress)
        return _kept(cache, folder, history, allow_withdrawn=allow_withdrawn)


def _kept(
    cache: DatasetCache, folder: "Path", charter: Charter | CharterHistory, *, allow_withdrawn: bool
) -> Verification:
    with cache.held(folder):
        verification = cache.verify(folder, charter)
        if (said := cache.withdrawal(folder, charter)) is not None:
            refuse_withdrawn(said, allow_withdrawn, kept=True)
        cache.touch(folder)
        return verification


def _refuse_kept(manifest: Manifest) -> None:
    if manifest.generator != "released":
        raise InputError(
            f"the generator of {manifest.name} version {manifest.version} is {manifest.generator}: "
            f"{_INSTEAD[manifest.generator]}; `headwater show {manifest.name}` says more"
        )
