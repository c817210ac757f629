"""What organisations decided, carried out: approved releases are published, refused ones end."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from headwater.agreement.documents import instant_of
from headwater.errors import StorageError
from headwater_server.releasing.folders import ReleaseFolders
from headwater_server.services.ports import ReleaseRecord, ReleaseState
from headwater_server.storage import Storage

__all__ = ["settle", "sweep"]


def settle(
    storage: Storage, folders: ReleaseFolders, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Sequence[ReleaseRecord]:
    """Publish what is approved and bury what is refused; what was done before is left as it is.

    Any number of processes may call it at any time, and again after one of them was killed.

    Args:
        storage: says what was decided.
        folders: where the files are.
        now: aware time.

    Returns:
        What this very call published.

    Raises:
        StorageError: a disk or the database did not do what was asked; call it again when that is mended.
    """
    if not storage.releases_in(ReleaseState.APPROVED, ReleaseState.REFUSED):
        return ()
    published = []
    with folders.held():
        # Looked up again under the lock: another process may have published meanwhile.
        for record in storage.releases_in(ReleaseState.APPROVED):
            charter = storage.charter_by_digest(record.charter_digest)
            if charter is None:
                raise StorageError(f"the charter of {record.name} version {record.version} is gone; restore it")
            folders.publish(record, charter.charter)
            storage.mark_published(record.release_digest)
            published.append(record)
        for record in storage.releases_in(ReleaseState.REFUSED):
            folders.bury(record, instant_of(now()))
    return tuple(published)


def sweep(storage: Storage, folders: ReleaseFolders) -> None:
    """Remove folders of releases that were never recorded, because their command was killed."""
    with folders.held():
        folders.sweep({record.release_digest for record in storage.releases()})
