"""What is kept of a run for people: progress in storage and as JSON lines, health as a plot."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from headwater.errors import StorageError
from headwater_server.figures.health import draw_health
from headwater_server.storage import Storage

__all__ = ["RunRecorder"]

Record = Mapping[str, object]

_SECONDS = "seconds"


class RunRecorder:
    """Writes each record to storage, where `run status` reads it, and to the run's own folder."""

    def __init__(self, storage: Storage, run_id: str, folder: Path) -> None:
        """Write into `folder`, which is made when the first record comes."""
        self._storage = storage
        self._run_id = run_id
        self._folder = folder

    def add(self, record: Record) -> None:
        """Append one record.

        Raises:
            StorageError: the database or the disk did not take it.
        """
        self._storage.add_progress(self._run_id, record)
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with (self._folder / "progress.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
        except OSError as error:
            raise self._unwritten(error) from error

    def add_once(self, record: Record) -> None:
        """Append one record, unless it is the last one already.

        Raises:
            StorageError: the database or the disk did not take it.
        """
        if [last for _, last in self._storage.progress(self._run_id)][-1:] != [record]:
            self.add(record)

    def restore(self) -> None:
        """Write the folder's copy of the records anew where a crash or a full disk cut it short.

        Raises:
            StorageError: the database or the disk did not do it.
        """
        file = self._folder / "progress.jsonl"
        records = self._storage.progress(self._run_id)
        data = "".join(json.dumps(record) + "\n" for _, record in records).encode()
        try:
            if data and (not file.is_file() or file.read_bytes() != data):
                self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                whole = self._folder / ".progress.jsonl"
                whole.write_bytes(data)
                os.replace(whole, file)
        except OSError as error:
            raise self._unwritten(error) from error

    @property
    def steps(self) -> int:
        """How many of the recipe's steps are recorded."""
        return sum(_SECONDS in record for _, record in self._storage.progress(self._run_id))

    def add_step(self, record: Record, seconds: float) -> None:
        """Append a record of the recipe's history, with the time that the step took.

        Raises:
            StorageError: the database or the disk did not take it.
        """
        self.add({**record, _SECONDS: round(seconds, 3)})

    def draw(self) -> None:
        """Draw the health so far as `health.svg`, for the run page and people.

        Raises:
            StorageError: the disk did not take it.
        """
        records = [record for _, record in self._storage.progress(self._run_id)]
        try:
            draw_health(records, self._folder / "health.svg")
        except OSError as error:
            raise self._unwritten(error) from error

    def _unwritten(self, error: OSError) -> StorageError:
        return StorageError(f"{self._folder} cannot be written: {error.strerror}; make room")
