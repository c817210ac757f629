"""A catalogue by its address, as a program or notebook uses it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from headwater.agreement.charter import Charter
from headwater.agreement.succession import CharterHistory
from headwater.catalogue.client import CatalogueClient
from headwater.catalogue.dataset import cache_of, check_name
from headwater.catalogue.frames import did_you_mean
from headwater.catalogue.generators import load_generator
from headwater.catalogue.known import KnownCatalogue, home_folder, read_catalogues
from headwater.catalogue.listing import Listing
from headwater.catalogue.loading import Request, load_release
from headwater.catalogue.pinning import add_catalogue, follow_charter, whole_digest
from headwater.catalogue.refusals import NotInCatalogue, WithdrawnRelease
from headwater.catalogue.rollback import refuse_older
from headwater.catalogue.samples import Sample, request_sample
from headwater.catalogue.searching import Wish
from headwater.catalogue.selection import newest_standing
from headwater.catalogue.view import Dataset
from headwater.errors import InputError, ReleaseRefused
from headwater.release import Manifest
from headwater.release.layout import SCHEMA
from headwater.schema import Schema

if TYPE_CHECKING:
    import pyarrow.dataset

    from headwater.generator.table_generator import TableGenerator

__all__ = ["Catalogue", "catalogue", "open_known"]


@dataclass(frozen=True)
class Catalogue:
    """A view of one known catalogue; a context manager.

    Attributes:
        url: where it is.
        history: its charter, from the first version to the one in force, through the pinned one.
    """

    url: str
    history: CharterHistory = field(repr=False)
    _client: CatalogueClient = field(repr=False, compare=False)
    _home: Path = field(repr=False, compare=False)

    @property
    def charter(self) -> Charter:
        """The charter in force."""
        return self.history.newest

    @property
    def consortium(self) -> str:
        """Whose it is."""
        return self.charter.consortium

    def search(
        self, words: str = "", *, privacy: Literal["dp", "none"] | None = None, min_rows: int = 0
    ) -> Sequence[Listing]:
        """The newest version of every dataset that fits, those with words in their name first.

        Args:
            words: all of which stand in name, title, description, columns or consortium, as the catalogue's pages
                search; "" for all.
            privacy: "dp": differentially private only; "none": the others only; None: both.
            min_rows: at least this many.

        Raises:
            InputError: `privacy` is neither, or the catalogue does not look for so many words.
            TransportError: the catalogue could not be reached.
        """
        return self._client.releases(Wish(words, privacy, min_rows))

    def versions(self, name: str) -> Sequence[int]:
        """All versions of a dataset, newest first.

        Raises:
            InputError: there is no such dataset.
            TransportError: the catalogue could not be reached.
        """
        return sorted((listing.version for listing in self._listed(name)), reverse=True)

    def show(self, name: str, version: int | None = None) -> Dataset:
        """Everything about a dataset but its rows, after the coordinator's signature was checked.

        Args:
            name: as `search` lists it.
            version: None for the newest.

        Raises:
            InputError: there is no such dataset or version.
            ReleaseRefused: a signature or digest is wrong.
            TransportError: the catalogue could not be reached.
        """
        chosen = self._chosen(name, version)
        signed, _ = self._client.manifest(name, chosen, self.history)
        manifest = signed.manifest
        notice = self._client.withdrawal(manifest, self.history)
        return Dataset(
            manifest=manifest,
            schema=self._schema(manifest, withdrawn=notice is not None),
            url=self.url,
            withdrawal=None if notice is None else notice[0],
            _load=lambda **options: self.load_dataset(name, chosen, **options),
        )

    def load_dataset(self, name: str, version: int | None = None, **options: Any) -> Any:
        """The rows of a dataset of this catalogue.

        Args:
            name: as `search` lists it.
            version: None for the newest.
            **options: config, as_, columns, filters, allow_withdrawn, remote and on_progress, as
                `headwater.load_dataset` has them.

        Raises:
            HeadwaterError: as `headwater.load_dataset`.
        """
        form = options.pop("as_", "arrow")
        try:
            request = Request(form=form, **options)
        except TypeError as error:
            known = ("as_", "config", "columns", "filters", "allow_withdrawn", "remote", "on_progress")
            unknown = sorted(set(options) - set(known))
            if not unknown:
                raise
            raise InputError(f"load_dataset has no option {unknown[0]!r}{did_you_mean(unknown[0], known)}") from error
        request.check()
        chosen = self._chosen(name, version)
        cache = cache_of(self._home)
        return load_release(cache, self._client, self.history, name, chosen, request)

    def open_dataset(self, name: str, version: int | None = None, **options: Any) -> "pyarrow.dataset.Dataset":
        """The rows of a dataset of this catalogue without reading them: for more than memory holds.

        All files are in the cache then, held to what was signed; they stay as long as the version is not removed
        from it.

        Args:
            name: as `search` lists it.
            version: None for the newest.
            **options: config, allow_withdrawn and on_progress, as `headwater.load_dataset` has them.

        Raises:
            HeadwaterError: as `headwater.load_dataset`.
        """
        return self.load_dataset(name, version, as_="dataset", **options)

    def load_generator(self, name: str, version: int | None = None, **options: Any) -> "TableGenerator":
        """The generator of a dataset of this catalogue, where its release gives it.

        Args:
            name: as `search` lists it.
            version: None for the newest.
            **options: allow_withdrawn, device and on_progress, as `headwater.load_generator` has them.

        Raises:
            HeadwaterError: as `headwater.load_generator`.
        """
        return load_generator(name, self._chosen(name, version), catalogue=self.url, **options)

    def request_sample(self, name: str, rows: int, version: int | None = None, **options: Any) -> Sample:
        """Have the coordinator draw rows of a dataset's generator, and fetch them.

        Args:
            name: as `search` lists it.
            rows: how many.
            version: None for the newest.
            **options: where, balanced, views, view_std, seed, format, out and on_progress, as
                `headwater.request_sample` has them.

        Raises:
            HeadwaterError: as `headwater.request_sample`.
        """
        return request_sample(name, rows, version=self._chosen(name, version), catalogue=self.url, **options)

    def close(self) -> None:
        """Close the connections; what `with` does at its end."""
        self._client.close()

    def __enter__(self) -> Self:
        """The catalogue itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.close()

    def _schema(self, manifest: Manifest, *, withdrawn: bool) -> Schema | None:
        try:
            schema = Schema.from_toml(self._client.text_file(manifest, SCHEMA).decode("utf-8"))
        except WithdrawnRelease:
            if not withdrawn:
                raise
            # The evidence of a withdrawn version is kept, its schema not everywhere.
            return None
        if schema.digest != manifest.provenance.schema_digest:
            raise ReleaseRefused(f"{SCHEMA} is not the schema of the plan that was approved; tell the consortium")
        return schema

    def _listed(self, name: str) -> Sequence[Listing]:
        check_name(name)
        listings = self._client.versions(name)
        if not listings:
            names = sorted(listing.name for listing in self._client.releases())
            raise NotInCatalogue(f"{self.url} has no dataset {name!r}{did_you_mean(name, names)}")
        return listings

    def _chosen(self, name: str, version: int | None) -> int:
        listings = self._listed(name)
        if version is None:
            newest = newest_standing(listings)
            refuse_older(self._home, self._client, name, newest)
            return newest
        there = [listing.version for listing in listings]
        if version not in there:
            listed = ", ".join(map(str, sorted(there)))
            raise NotInCatalogue(f"{name!r} has no version {version}; it has {listed}")
        return version


def catalogue(url: str, *, charter: str | None = None, ca: str | Path | None = None, token: str = "") -> Catalogue:
    """Open a catalogue.

    One that is known already, by an earlier call or `headwater catalogue add`, needs its address alone. Another is
    named by its charter's digest and its CA, both from a member of the consortium by another way than this catalogue:
    nothing is trusted because it was there first. It is known from then on.

    Args:
        url: https://HOST:PORT.
        charter: digest of the charter, of any version, 64 hexadecimal digits.
        ca: the consortium's CA certificate: a PEM file, or its text.
        token: access token, if it asks for one; of a catalogue that is known already it is used for this view alone.

    Raises:
        InputError: the catalogue is not known and `charter` or `ca` is missing, or one of them cannot be used.
        PeerError: the catalogue has another charter than the pinned one.
        TransportError: it could not be reached under this CA.
    """
    home = home_folder()
    known = next((each for each in read_catalogues(home) if each.url == url.rstrip("/")), None)
    same = known is not None and (charter is None or whole_digest(charter) == known.charter) and ca is None
    if not same or known is None:
        if charter is None or ca is None:
            raise InputError(
                f"{url} is not known here, so nothing says whom to trust; give charter=DIGEST and ca=FILE, which a "
                "member of the consortium tells you by another way than this address"
            )
        add_catalogue(home, url, _pem(ca), charter, token)
        known = next(each for each in read_catalogues(home) if each.url == url.rstrip("/"))
    return open_known(home, known.model_copy(update={"token": token}) if token else known)


def open_known(home: Path, known: KnownCatalogue) -> Catalogue:
    """Open a catalogue that is known.

    Raises:
        PeerError: it has another charter than the pinned one.
        TransportError: it could not be reached.
    """
    client = CatalogueClient(known)
    try:
        return Catalogue(known.url, follow_charter(home, client), client, home)
    except BaseException:
        client.close()
        raise


def _pem(ca: str | Path) -> str:
    if isinstance(ca, str) and "-----BEGIN" in ca:
        return ca
    try:
        return Path(ca).read_text(encoding="ascii")
    except FileNotFoundError as error:
        raise InputError(f"there is no file {ca}; ask the consortium for its ca.crt") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{ca} is not a PEM file; ask the consortium for its ca.crt") from error
