"""A whole release from a catalogue into a folder that exists only when everything in it was verified."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from headwater.agreement.charter import Charter
from headwater.agreement.succession import CharterHistory
from headwater.catalogue.fetching import Fetcher
from headwater.catalogue.transfer import fetch_file
from headwater.errors import InputError, ReleaseRefused, StorageError
from headwater.file_size import size_in_words
from headwater.release import Verification, verify_release
from headwater.release.layout import ATTESTATION, CHECKSUMS, MANIFEST, checksums
from headwater.release.verification import DamagedRelease

__all__ = ["download_release", "only_one", "require_room"]


def download_release(
    fetcher: Fetcher,
    charter: Charter | CharterHistory,
    name: str,
    version: int,
    folder: Path,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Verification:
    """Download one version and verify it; what is there and verified already is not fetched again.

    Files gather in a hidden folder beside `folder`, which the next attempt continues after a failure; only when all of
    it is verified does it take its final name.

    Args:
        fetcher: of whoever has it: a catalogue over HTTPS, a coordinator over gRPC.
        charter: the pinned charter, or a history through it of which a version is the release's.
        name: of the dataset.
        version: of the dataset.
        folder: to create; may exist if it is empty or already holds this very release.
        on_progress: told (bytes there, bytes in all).

    Raises:
        InputError: there is no such version, or the folder holds something else.
        ReleaseRefused: a signature, size or digest is wrong, and nothing is left under the final name; or one is wrong
            in a copy that the folder held before, which stays as it is.
        TransportError: the catalogue could not be reached; run again to continue.
        StorageError: the disk has no room for it.
    """
    signed, data = fetcher.manifest(name, version, charter)
    manifest = signed.manifest
    if _is_filled(folder):
        return _already_there(folder, charter, manifest.digest)
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = folder.parent / f".{folder.name}.{manifest.digest[:16]}.part"
    with only_one(staging):
        if _is_filled(folder):
            return _already_there(folder, charter, manifest.digest)
        _clear_strangers(staging, {entry.path for entry in manifest.files})
        require_room(folder.parent, manifest.size_bytes - _held(staging))
        done = 0
        for entry in manifest.files:
            before = done
            report = _reporter(on_progress, before, manifest.size_bytes)
            fetch_file(fetcher, name, version, entry, staging / entry.path, report)
            done += entry.size_bytes
        (staging / MANIFEST).write_bytes(data)
        (staging / CHECKSUMS).write_bytes(checksums(manifest.files, data))
        if manifest.protection.audit != "none":
            (staging / ATTESTATION).write_bytes(fetcher.attestation(name, version))
        verification = verify_release(staging, charter, hashed=[entry.path for entry in manifest.files])
        os.rename(staging, folder)
    return verification


def require_room(folder: Path, size_bytes: int) -> None:
    """Refuse to begin what the disk cannot hold.

    Args:
        folder: on the disk; exists.
        size_bytes: still to be written.

    Raises:
        StorageError: there is less free.
    """
    free = shutil.disk_usage(folder).free
    if free < size_bytes:
        raise StorageError(
            f"the dataset needs {size_in_words(size_bytes)} more and the disk that holds {folder} has "
            f"{size_in_words(free)} free; make room or name another folder"
        )


def _held(staging: Path) -> int:
    return sum(path.stat().st_size for path in staging.rglob("*") if path.is_file())


def _reporter(on_progress: Callable[[int, int], None], before: int, total: int) -> Callable[[int], None]:
    return lambda size: on_progress(before + size, total)


def _is_filled(folder: Path) -> bool:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; name a folder to download to")
    return folder.is_dir() and any(folder.iterdir())


def _already_there(folder: Path, charter: Charter | CharterHistory, digest: str) -> Verification:
    if not (folder / MANIFEST).is_file():
        raise InputError(f"{folder} holds something else than a release; name another folder with --out")
    advice = "move or remove the folder, or name another one with --out"
    try:
        verification = verify_release(folder, charter)
    except DamagedRelease as error:
        raise ReleaseRefused(f"{folder} holds a damaged copy: {error.problem}; {advice}") from error
    except ReleaseRefused as error:
        raise ReleaseRefused(f"{folder} holds a copy that is refused ({error}); {advice}") from error
    if verification.digest != digest:
        other = f"{verification.manifest.name} version {verification.manifest.version}"
        raise InputError(f"{folder} holds {other}; name another folder with --out")
    return verification


def _clear_strangers(staging: Path, expected: set[str]) -> None:
    """Remove from an earlier attempt what is neither a file of the release nor the beginning of one."""
    kept = expected | {f"{path}.part" for path in expected}
    for path in sorted(staging.rglob("*"), reverse=True):
        if path.is_symlink() or (path.is_file() and path.relative_to(staging).as_posix() not in kept):
            path.unlink()


@contextmanager
def only_one(staging: Path) -> Iterator[None]:
    """Hold the hidden folder alone: several processes of one training job may ask for the same dataset.

    Raises:
        InputError: a link stands in its place; what is where it leads would be cleared away.
    """
    if staging.is_symlink():
        raise InputError(f"{staging} is a link, where a download keeps what came so far; remove it")
    staging.mkdir(mode=0o755, exist_ok=True)
    descriptor = os.open(staging, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        # Whoever held it before may have renamed it away; its successor then starts a folder of its own.
        staging.mkdir(mode=0o755, exist_ok=True)
        yield
    finally:
        os.close(descriptor)
