"""Which setups of a run were used up, and in which runs this organisation takes part right now (protocol 3.3, 3.5)."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from headwater.errors import BudgetExceeded, OutOfOrder, PeerError, StorageError
from headwater.secagg.protocol.terms import MAXIMUM_ATTEMPTS
from headwater_client.store.database import Database, count_record

__all__ = ["SESSION_TABLES", "Sessions"]

SESSION_TABLES = """
CREATE TABLE attempt (
  run_id TEXT PRIMARY KEY,
  number INTEGER NOT NULL,
  records INTEGER NOT NULL
) STRICT;
CREATE TABLE live_session (
  run_id TEXT PRIMARY KEY
) STRICT;
"""


class Sessions(Database):
    """The counter of setups and the lock of live sessions."""

    def __init__(self, file: Path, tables: str, additions: Mapping[int, str]) -> None:
        """Open the file, or create it with these tables; see `Database`."""
        super().__init__(file, tables, additions)
        self._left: set[str] = set()

    def next_attempt(self, run_id: str) -> int:
        """The least attempt number that may still be started: one above the last, from 1.

        Raises:
            BudgetExceeded: all attempts of the run are used up.
        """
        row = self._row("SELECT number FROM attempt WHERE run_id = ?", run_id)
        following = 1 if row is None else int(row[0]) + 1
        if following > MAXIMUM_ATTEMPTS:
            raise _attempts_used(run_id)
        return following

    def record_attempt(self, run_id: str, attempt: int, records: int) -> None:
        """Use an attempt number up, before its first message leaves (protocol 3.3: at most 8, one SID each).

        Args:
            run_id: the run.
            attempt: the number.
            records: the count that the attempt's Hello shows; no other Hello shows it.

        Raises:
            BudgetExceeded: the number is above 8.
            PeerError: it, or a later one, was used before.
            OutOfOrder: the count of records is another one by now: make the Hello anew.
        """
        if attempt > MAXIMUM_ATTEMPTS:
            raise _attempts_used(run_id)
        with self._transaction() as connection:
            row = connection.execute("SELECT number FROM attempt WHERE run_id = ?", (run_id,)).fetchone()
            last = 0 if row is None else int(row[0])
            if attempt <= last:
                raise PeerError(
                    f"attempt {attempt} of run {run_id} was used before, {last + 1} is the next; set up anew"
                )
            # protocol 4.10: allocated where it is stored, so that two runs at a time never show one count.
            if count_record(connection) != records:
                raise OutOfOrder(f"the Hello of attempt {attempt} counts {records} records, which is no longer so")
            connection.execute("INSERT OR REPLACE INTO attempt VALUES (?, ?, ?)", (run_id, attempt, records))

    def outstanding(self, run_id: str) -> int | None:
        """The least count in a Hello of another live run whose session did not open here; None without one.

        Its peers may meet that Hello after a later one of this run (protocol 4.10).
        """
        row = self._row(
            "SELECT min(records) FROM attempt JOIN live_session USING (run_id) WHERE run_id <> ? AND NOT EXISTS "
            "(SELECT 1 FROM opening WHERE opening.run_id = attempt.run_id AND opening.attempt = attempt.number)",
            run_id,
        )
        return None if row is None or row[0] is None else int(row[0])

    def is_live(self, run_id: str) -> bool:
        """Whether a session of a run is live here."""
        return bool(self._rows("SELECT 1 FROM live_session WHERE run_id = ?", run_id))

    @contextmanager
    def live_session(self, run_id: str) -> Iterator[None]:
        """Hold the one live session of a run (protocol 3.5).

        Raises:
            OutOfOrder: it is held already.
        """
        try:
            with self._transaction() as connection:
                if run_id in self._left:
                    connection.execute("DELETE FROM live_session WHERE run_id = ?", (run_id,))
                connection.execute("INSERT INTO live_session VALUES (?)", (run_id,))
        except sqlite3.IntegrityError as error:
            raise OutOfOrder(
                f"this organisation takes part in run {run_id} already; one session of a run may live"
            ) from error
        self._left.discard(run_id)
        try:
            yield
        finally:
            try:
                with self._transaction() as connection:
                    connection.execute("DELETE FROM live_session WHERE run_id = ?", (run_id,))
            except StorageError:
                # A full disk takes no deletion either; the session is left all the same and may be entered again.
                self._left.add(run_id)

    def forget_live_sessions(self) -> None:
        """Drop what a killed process left; for the holder of the folder's serve lock alone."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM live_session")


def _attempts_used(run_id: str) -> BudgetExceeded:
    return BudgetExceeded(f"run {run_id} has used its {MAXIMUM_ATTEMPTS} setups; the operator must propose a new run")
