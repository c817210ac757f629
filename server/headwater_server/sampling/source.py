"""Find the generator that a person names: a run, a bundle's folder, or a simulation's."""

from collections.abc import Mapping
from pathlib import Path

from headwater.agreement.run_ids import find_run
from headwater.errors import InputError, OutOfOrder
from headwater.generator.bundle import Bundle
from headwater.release.privacy_claim import Privacy, PrivacyClaim
from headwater.release.replay import replay
from headwater_server.release import privacy_of
from headwater_server.runs.charters import agreed
from headwater_server.settings import CoordinatorHome
from headwater_server.storage import RunState, SqlStorage, Storage

__all__ = ["bundle_folder", "bundle_of", "find_bundle", "find_bundle_folder", "find_privacy", "result_of"]

_MANIFEST, _FOLDER = "bundle.json", "generator"


def find_bundle(named: str, home: Path) -> Bundle:
    """The bundle that a name stands for; arguments and errors are those of `find_bundle_folder`."""
    return Bundle.load(*find_bundle_folder(named, home))


def find_bundle_folder(named: str, home: Path) -> tuple[Path, str | None]:
    """Where the bundle lies that a name stands for, and the digest that it must have, where anybody says.

    Args:
        named: a bundle's folder, a folder with one as `generator` in it, or a finished run's id or first digits.
        home: the coordinator's folder, where runs are.

    Raises:
        InputError: nothing of that name.
        OutOfOrder: the run is not finished.
    """
    folder = Path(named)
    for place in (folder, folder / _FOLDER):
        if (place / _MANIFEST).is_file():
            return place, None
    if folder.is_dir():
        raise InputError(f"{folder} holds no generator; simulate with --keep-generator, or name a run or a bundle")
    if not home.is_dir():
        raise InputError(f"{named} is no folder with a generator, and there is no coordinator in {home}; say --home")
    return _of_run(named, home)


def find_privacy(named: str, home: Path) -> Privacy | None:
    """What may be said of differential privacy of a generator that `find_bundle` finds.

    Args:
        named: as there.
        home: as there.

    Returns:
        Of a run what its signed plan and its rounds allow to be claimed, replayed; None of a folder, whose bundle
        carries no claim that could be checked.

    Raises:
        InputError: nothing of that name.
        OutOfOrder: the run is not finished.
        ReleaseRefused: the run claims less than its rounds cost, or what it claims does not hold together.
    """
    if Path(named).is_dir():
        return None
    storage = SqlStorage((place := CoordinatorHome(home)).database_url(place.settings()))
    try:
        run_id = _run_id(named, storage)
        proposal, _ = agreed(storage, run_id)
        privacy = privacy_of(proposal.proposal.plan, result_of(storage, run_id).get("privacy"))
    finally:
        storage.close()
    if isinstance(privacy, PrivacyClaim):
        replay(privacy)
    return privacy


def result_of(storage: Storage, run_id: str) -> Mapping[str, object]:
    """What a finished run left.

    Raises:
        OutOfOrder: the run is not finished.
    """
    state, result = storage.run_state(run_id), storage.result(run_id)
    if state is not RunState.FINISHED or result is None:
        raise OutOfOrder(f"run {run_id} is {state}; only a finished run has a generator to release or to draw from")
    return result


def bundle_folder(place: CoordinatorHome, run_id: str) -> Path:
    """Where the generator of a finished run lies."""
    return place.runs / run_id / _FOLDER


def bundle_of(place: CoordinatorHome, run_id: str, result: Mapping[str, object]) -> Bundle:
    """The generator of a finished run.

    Args:
        place: the coordinator's home.
        run_id: of the run.
        result: what it left, with the digest that the bundle must have.

    Raises:
        InputError: the bundle is gone or was altered.
    """
    return Bundle.load(bundle_folder(place, run_id), str(result["generator_digest"]))


def _of_run(named: str, home: Path) -> tuple[Path, str]:
    place = CoordinatorHome(home)
    storage = SqlStorage(place.database_url(place.settings()))
    try:
        run_id = _run_id(named, storage)
        return bundle_folder(place, run_id), str(result_of(storage, run_id)["generator_digest"])
    finally:
        storage.close()


def _run_id(named: str, storage: Storage) -> str:
    return find_run(named, [record.run_id for record in storage.runs()], "headwater-coordinator run list")
