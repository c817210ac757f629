"""The organisation's database file: opened, checked for its format, written in whole transactions."""

import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from headwater.errors import StorageError

__all__ = ["Database", "count_record"]

_FORMAT = 8

_COUNTER = """
CREATE TABLE counter (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  records INTEGER NOT NULL
) STRICT;
INSERT INTO counter VALUES (1, 0);
"""


class Database:
    """One SQLite file. Safe for use from several threads.

    Guarantee: when a method returns, its change is on the disk; when it raises, nothing changed.
    """

    def __init__(self, file: Path, tables: str, additions: Mapping[int, str]) -> None:
        """Open the file, or create it with these tables.

        Args:
            file: the database.
            tables: of today's format.
            additions: format of a file → what makes the next format of it. A format without one is not read.

        Raises:
            StorageError: the file cannot be opened, or has another format.
        """
        self._file = file
        self._lock = threading.Lock()
        try:
            # Made here, since SQLite makes it readable by everybody; its journals take the mode of the file.
            file.touch(mode=0o600)
            self._connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False, timeout=10)
            self._connection.execute("PRAGMA journal_mode = WAL")
            # FULL: a counter that a power cut takes back would allow a second session under one attempt.
            self._connection.execute("PRAGMA synchronous = FULL")
            self._prepare(_COUNTER + tables, additions)
        except (sqlite3.Error, OSError) as error:
            raise StorageError(f"{file} cannot be opened ({error}); mend the disk or restore it") from error

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    @property
    def records(self) -> int:
        """How many attempts, charges, receipts and cohorts this file ever took; it never falls (protocol 4.10, 7.16).

        Peers keep the highest number that they saw, and refuse a lower one: it shows a file that was restored from
        an old copy.
        """
        rows = self._rows("SELECT records FROM counter")
        return int(rows[0][0])

    def _rows(self, query: str, *parameters: object) -> list[tuple[bytes, ...]]:
        try:
            with self._lock:
                return self._connection.execute(query, parameters).fetchall()
        except sqlite3.Error as error:
            raise StorageError(f"{self._file} cannot be read ({error}); mend the disk") from error

    def _row(self, query: str, *parameters: object) -> tuple[bytes, ...] | None:
        rows = self._rows(query, *parameters)
        return rows[0] if rows else None

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                except BaseException:
                    self._connection.execute("ROLLBACK")
                    raise
                self._connection.execute("COMMIT")
            except sqlite3.IntegrityError:
                raise
            except sqlite3.Error as error:
                raise StorageError(f"{self._file} cannot be written ({error}); free the disk or mend it") from error

    def _prepare(self, tables: str, additions: Mapping[int, str]) -> None:
        with self._transaction() as connection:
            found = int(connection.execute("PRAGMA user_version").fetchone()[0])
            if found > _FORMAT:
                raise StorageError(f"{self._file} has format {found}, this version reads {_FORMAT}; update headwater")
            steps = [tables] if found == 0 else [additions.get(older, "") for older in range(found, _FORMAT)]
            if not all(steps):
                raise StorageError(
                    f"{self._file} has format {found} of an older version, this version reads {_FORMAT}; keep the "
                    "folder for its receipts and enrol anew in another one"
                )
            for statement in ";\n".join(steps).split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {_FORMAT}")


def count_record(connection: sqlite3.Connection) -> int:
    """Count one record more, in the transaction that makes it; returns the count with it."""
    return int(connection.execute("UPDATE counter SET records = records + 1 RETURNING records").fetchone()[0])
