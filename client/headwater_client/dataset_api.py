"""The part of an organisation's Python API about published datasets."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from headwater.agreement.succession import CharterHistory
from headwater_client.charters import Charters
from headwater_client.membership import Membership
from headwater_client.transport.consortium import ConsortiumClient
from headwater_client.versions_seen import note_version, refuse_older

if TYPE_CHECKING:
    from headwater.catalogue import Listing
    from headwater.release import Manifest, Verification
    from headwater.release.withdrawal import Withdrawal
    from headwater_client.transport.datasets import DatasetsClient

__all__ = ["DatasetApi", "PublishedDataset"]


def _unwatched(done: int, total: int) -> None:
    """Nobody looks on."""


@dataclass(frozen=True, slots=True)
class PublishedDataset:
    """One version as it was signed, verified under this organisation's charter.

    Attributes:
        manifest: all that is signed about it.
        withdrawal: the signed notice that it was withdrawn; None where it was not.
    """

    manifest: "Manifest"
    withdrawal: "Withdrawal | None"


class DatasetApi:
    """What `headwater_client.Organisation` does with the consortium's published datasets."""

    _membership: Membership

    def datasets(self, query: str = "", name: str = "") -> Sequence[tuple["Listing", bool]]:
        """What the consortium has published, the most recently made first, each with whether it was withdrawn.

        Nothing of it is signed: it helps to choose, not to trust.

        Args:
            query: words that name, title, description or columns hold, all of them; empty for all.
            name: of one dataset, whose versions are listed; empty for the newest version of each.

        Raises:
            InputError: the query is too long, or given beside a name.
            PeerError, TransportError: as `plan`.
        """
        with self._published() as (client, _):
            return client.listings(query, name)

    def dataset(self, name: str, version: int | None = None) -> PublishedDataset:
        """One version, its signatures verified under the charter that this organisation accepted.

        Args:
            name: of the dataset.
            version: None for the newest that was not withdrawn.

        Raises:
            InputError: there is no such version, or no charter is accepted here.
            ReleaseRefused: a signature is wrong, it is another dataset's, or a newest one older than was seen before.
            PeerError, TransportError: as `plan`.
        """
        with self._published() as (client, history):
            signed, _, withdrawal = client.documents(name, version or 0, history)
            self._hold_newest(client, history, name, version, signed.manifest.version)
        return PublishedDataset(signed.manifest, withdrawal)

    def download_dataset(
        self,
        name: str,
        version: int | None = None,
        folder: str | Path | None = None,
        on_progress: Callable[[int, int], None] = _unwatched,
    ) -> "Verification":
        """Download a version and verify all of it; a broken download goes on where it stopped.

        Args:
            name: of the dataset.
            version: None for the newest that was not withdrawn.
            folder: to create; by default NAME-VERSION in the working folder.
            on_progress: told (bytes there, bytes in all).

        Raises:
            InputError: there is no such version, the folder holds something else, or no charter is accepted here.
            OutOfOrder: the version was withdrawn, and its rows are gone.
            ReleaseRefused: a signature, size or digest is wrong, or a newest version older than was seen before;
                nothing is left under the final name.
            PeerError, TransportError: as `plan`; run again to continue.
        """
        from headwater.catalogue.download import download_release

        with self._published() as (client, history):
            if version is None:
                newest = client.documents(name, 0, history)[0].manifest.version
                self._hold_newest(client, history, name, None, newest)
                version = newest
            target = Path(f"{name}-{version}") if folder is None else Path(folder)
            return download_release(client, history, name, version, target, on_progress)

    def _hold_newest(
        self, client: "DatasetsClient", history: CharterHistory, name: str, asked: int | None, found: int
    ) -> None:
        folder = self._membership.home.folder
        if asked is None:
            refuse_older(folder, client, history, name, found)
        note_version(folder, name, found)

    @contextmanager
    def _published(self) -> Iterator[tuple["DatasetsClient", CharterHistory]]:
        # The researcher's side of a catalogue comes with packages that an agent starts without.
        from headwater_client.transport.datasets import DatasetsClient

        with self._membership.channel() as channel:
            history = Charters(self._membership, ConsortiumClient(channel)).in_force()
            yield DatasetsClient(channel), history
