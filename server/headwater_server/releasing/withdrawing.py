"""Withdrawing a published version: a signed notice first, then its rows go."""

import shutil
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError

from headwater.agreement.documents import first_problem, instant_of
from headwater.agreement.signing import public_key_hex
from headwater.agreement.succession import CharterHistory
from headwater.errors import HeadwaterError, InputError, StorageError
from headwater.release.layout import MANIFEST
from headwater.release.manifest import Manifest
from headwater.release.verification import read_manifest
from headwater.release.withdrawal import (
    WITHDRAWN,
    SignedWithdrawal,
    Withdrawal,
    read_withdrawal,
    stays_when_withdrawn,
    verify_withdrawal,
)
from headwater_server.catalogue.index import FolderReleaseIndex, ReleaseEntry
from headwater_server.releasing.folders import ReleaseFolders, sync_folder, write_durably
from headwater_server.settings import CoordinatorHome
from headwater_server.storage import Storage

__all__ = ["finish_withdrawals", "withdraw", "withdrawal_of"]


def withdraw(
    home: CoordinatorHome,
    storage: Storage,
    name: str,
    version: int,
    reason: str,
    key: Ed25519PrivateKey,
    now: datetime,
    replaced_by: int | None = None,
) -> Withdrawal:
    """Withdraw one version for ever; again with the same words is the same as once.

    Args:
        home: whose releases these are.
        storage: knows the charter.
        name: of the dataset.
        version: of the dataset.
        reason: why, for everybody to read.
        key: the coordinator's, by the charter in force.
        now: aware.
        replaced_by: version to use instead.

    Returns:
        The notice as it stands.

    Raises:
        InputError: there is no such version, it was withdrawn for another reason, the version to use instead is none,
            or the charter in force names another key.
        StorageError: the disk did not do what was asked; run it again when that is mended.

    Guarantee: wherever the process or the machine stops, either the release is whole and nobody was told anything, or
    the signed notice stands and `finish_withdrawals` removes the rest; the catalogue serves no row from the moment that
    the notice stands.
    """
    charter = storage.charter_in_force()
    if charter is None or charter.charter.coordinator_key != public_key_hex(key):
        raise InputError(
            "the charter in force does not name this coordinator's key, so nobody would believe the notice"
        )
    with ReleaseFolders(home).held():
        entry = _entry(home, name, version)
        if entry.withdrawn is None:
            _check_replacement(home, entry, replaced_by)
            notice = SignedWithdrawal.sign(_notice(entry.manifest, reason, now, replaced_by), key)
            write_durably(entry.folder / WITHDRAWN, notice.to_bytes())
            said = notice.withdrawal
        else:
            said = entry.withdrawn
            if (said.reason, said.replaced_by) != (reason.strip(), replaced_by):
                raise InputError(
                    f"{name} version {version} was withdrawn at {said.withdrawn}: {said.sentence} What was signed is "
                    "not changed; withdrawn.json says it to everybody"
                )
        _remove_rest(entry.folder)
    return said


def finish_withdrawals(home: CoordinatorHome, storage: Storage) -> tuple[str, ...]:
    """Remove the rows of every withdrawn version that a killed command left behind.

    Returns:
        NAME/VERSION of each that could not be finished, because its notice is not the coordinator's. The catalogue
        serves none of them.

    Raises:
        StorageError: the disk did not do what was asked.
    """
    charters = storage.charters_in_force()
    if not charters or not home.releases.is_dir():
        return ()
    history, problems = CharterHistory(tuple(charters)), []
    with ReleaseFolders(home).held():
        for notice in sorted(home.releases.glob(f"*/*/{WITHDRAWN}")):
            folder = notice.parent
            try:
                manifest = read_manifest((folder / MANIFEST).read_bytes()).manifest
                verify_withdrawal(notice.read_bytes(), manifest, history)
            except (HeadwaterError, OSError):
                # Rows are not destroyed on anybody's word but the coordinator's.
                problems.append(f"{folder.parent.name}/{folder.name}")
                continue
            _remove_rest(folder)
    return tuple(problems)


def withdrawal_of(home: CoordinatorHome, name: str, version: int) -> Withdrawal | None:
    """The notice of a version, None where it stands or is not published."""
    path = home.releases / name / str(version) / WITHDRAWN
    try:
        return read_withdrawal(path.read_bytes()).withdrawal if path.is_file() else None
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}; restore it from a backup") from error


def _entry(home: CoordinatorHome, name: str, version: int) -> ReleaseEntry:
    entry = FolderReleaseIndex(home.releases).find(name, version)
    if entry is None:
        raise InputError(
            f"{name} version {version} is not published here; `headwater-coordinator releases` shows what is"
        )
    return entry


def _check_replacement(home: CoordinatorHome, entry: ReleaseEntry, replaced_by: int | None) -> None:
    if replaced_by is None:
        return
    other = _entry(home, entry.manifest.name, replaced_by)
    if other.withdrawn is not None or other.manifest.version == entry.manifest.version:
        raise InputError(f"version {replaced_by} cannot be used instead: it is withdrawn too; name another one")


def _notice(manifest: Manifest, reason: str, now: datetime, replaced_by: int | None) -> Withdrawal:
    try:
        return Withdrawal(
            name=manifest.name,
            version=manifest.version,
            release=manifest.digest,
            withdrawn=instant_of(now),
            reason=reason.strip(),
            replaced_by=replaced_by,
        )
    except ValidationError as error:
        raise InputError(f"this notice does not hold: {first_problem(error)}; give --reason in one sentence") from error


def _remove_rest(folder: Path) -> None:
    try:
        for entry in sorted(folder.iterdir()):
            if entry.is_dir() and not entry.is_symlink():
                # Nothing that stays lies in a folder of its own.
                shutil.rmtree(entry)
            elif not stays_when_withdrawn(entry.name):
                entry.unlink()
    except OSError as error:
        raise StorageError(
            f"{folder} could not be cleared: {error.strerror}; the catalogue serves none of it, run this again"
        ) from error
    sync_folder(folder)
