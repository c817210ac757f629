"""Find the generator that a person names: a run, a bundle's folder, or a simulation's."""

from pathlib import Path

from headwater.errors import InputError, OutOfOrder
from headwater.generator.bundle import Bundle
from headwater_server.settings import CoordinatorHome
from headwater_server.storage import RunState, SqlStorage

__all__ = ["find_bundle"]

_MANIFEST, _FOLDER = "bundle.json", "generator"


def find_bundle(named: str, home: Path) -> Bundle:
    """The bundle that a name stands for.

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
            return Bundle.load(place)
    if folder.is_dir():
        raise InputError(f"{folder} holds no generator; simulate with --keep-generator, or name a run or a bundle")
    if not home.is_dir():
        raise InputError(f"{named} is no folder with a generator, and there is no coordinator in {home}; say --home")
    return _of_run(named, home)


def _of_run(named: str, home: Path) -> Bundle:
    from headwater.agreement.run_ids import find_run

    place = CoordinatorHome(home)
    storage = SqlStorage(place.database_url(place.settings()))
    run_id = find_run(named, [record.run_id for record in storage.runs()], "headwater-coordinator run list")
    state, result = storage.run_state(run_id), storage.result(run_id)
    if state is not RunState.FINISHED or result is None:
        raise OutOfOrder(f"run {run_id} is {state}; only a finished run has a generator")
    return Bundle.load(place.runs / run_id / _FOLDER, str(result["generator_digest"]))
