"""The organisation's few durable records: pinned charter, decisions, setup counter, receipts (protocol 3.5)."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from headwater.agreement.approval import SignedApproval, SignedProposal
from headwater.agreement.charter import SignedCharter
from headwater.errors import BudgetExceeded, InputError, OutOfOrder, PeerError, StorageError
from headwater.secagg.terms import MAXIMUM_ATTEMPTS

__all__ = ["Store", "StoredDecision"]

_FORMAT = 1

_TABLES = """
CREATE TABLE charter (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  document BLOB NOT NULL
) STRICT;
CREATE TABLE decision (
  run_id TEXT PRIMARY KEY,
  proposal BLOB NOT NULL,
  approval BLOB NOT NULL,
  by_rule INTEGER NOT NULL
) STRICT;
CREATE TABLE attempt (
  run_id TEXT PRIMARY KEY,
  number INTEGER NOT NULL
) STRICT;
CREATE TABLE live_session (
  run_id TEXT PRIMARY KEY
) STRICT;
CREATE TABLE receipt (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  run_id TEXT NOT NULL,
  round INTEGER NOT NULL,
  document BLOB NOT NULL,
  UNIQUE (run_id, round)
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class StoredDecision:
    """What this organisation decided on a run, with the very proposal that it decided on.

    Attributes:
        proposal: as the coordinator signed it.
        signed: this organisation's decision.
        by_rule: made by the standing rule of policy.toml and not by a person.
    """

    proposal: SignedProposal
    signed: SignedApproval
    by_rule: bool


class Store:
    """state.db of one organisation. Safe for use from several threads.

    Guarantee: when a method returns, its change is on the disk; when it raises, nothing changed.
    """

    def __init__(self, file: Path) -> None:
        """Open or create the database.

        Raises:
            StorageError: the file cannot be opened, or is from a newer version.
        """
        self._file = file
        self._lock = threading.Lock()
        try:
            self._connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False, timeout=10)
            self._connection.execute("PRAGMA journal_mode = WAL")
            # FULL: a counter that a power cut takes back would allow a second session under one attempt.
            self._connection.execute("PRAGMA synchronous = FULL")
            self._prepare()
        except sqlite3.Error as error:
            raise StorageError(f"{file} cannot be opened ({error}); mend the disk or restore it") from error

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def pinned_charter(self) -> SignedCharter | None:
        """The charter that this organisation accepted, or None."""
        row = self._row("SELECT document FROM charter")
        return None if row is None else SignedCharter.from_bytes(row[0])

    def pin_charter(self, signed: SignedCharter) -> None:
        """Keep the accepted charter; the same one again may carry more signatures.

        Raises:
            InputError: another charter is pinned already.
        """
        with self._transaction() as connection:
            row = connection.execute("SELECT document FROM charter").fetchone()
            if row is not None:
                before = SignedCharter.from_bytes(row[0]).charter.digest
                if before != signed.charter.digest:
                    raise InputError(
                        f"charter {before[:16]} is pinned here, this is {signed.charter.digest[:16]}; a consortium has "
                        "one first charter: ask the operator, and enrol in a new folder if it is another consortium"
                    )
            connection.execute("INSERT OR REPLACE INTO charter VALUES (1, ?)", (signed.to_bytes(),))

    def record_decision(self, proposal: SignedProposal, signed: SignedApproval, *, by_rule: bool) -> None:
        """Keep a decision; the last one on a run counts.

        Raises:
            InputError: the decision is not on this proposal.
            OutOfOrder: a session of the run is live.
        """
        run_id = proposal.proposal.run_id
        decided = (signed.approval.run_id, signed.approval.plan_digest)
        if decided != (run_id, proposal.proposal.plan.digest):
            raise InputError(f"the decision is on another run or plan than {run_id}; decide on what is proposed")
        with self._transaction() as connection:
            if connection.execute("SELECT 1 FROM live_session WHERE run_id = ?", (run_id,)).fetchone():
                raise OutOfOrder(f"run {run_id} is under way; stop `headwater-org serve` to leave it, then decide")
            connection.execute(
                "INSERT OR REPLACE INTO decision VALUES (?, ?, ?, ?)",
                (run_id, proposal.to_bytes(), signed.to_bytes(), int(by_rule)),
            )

    def decision(self, run_id: str) -> StoredDecision | None:
        """The decision on a run, or None."""
        row = self._row("SELECT proposal, approval, by_rule FROM decision WHERE run_id = ?", run_id)
        if row is None:
            return None
        return StoredDecision(SignedProposal.from_bytes(row[0]), SignedApproval.from_bytes(row[1]), bool(row[2]))

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

    def record_attempt(self, run_id: str, attempt: int) -> None:
        """Use an attempt number up, before its first message leaves (protocol 3.3: at most 8, one SID each).

        Raises:
            BudgetExceeded: the number is above 8.
            PeerError: it, or a later one, was used before.
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
            connection.execute("INSERT OR REPLACE INTO attempt VALUES (?, ?)", (run_id, attempt))

    @contextmanager
    def live_session(self, run_id: str) -> Iterator[None]:
        """Hold the one live session of a run (protocol 3.5).

        Raises:
            OutOfOrder: it is held already.
        """
        try:
            with self._transaction() as connection:
                connection.execute("INSERT INTO live_session VALUES (?)", (run_id,))
        except sqlite3.IntegrityError as error:
            raise OutOfOrder(
                f"this organisation takes part in run {run_id} already; one session of a run may live"
            ) from error
        try:
            yield
        finally:
            with self._transaction() as connection:
                connection.execute("DELETE FROM live_session WHERE run_id = ?", (run_id,))

    def forget_live_sessions(self) -> None:
        """Drop what a killed process left; for the holder of the folder's serve lock alone."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM live_session")

    def live_sessions(self) -> tuple[str, ...]:
        """Runs in which this organisation takes part right now."""
        with self._lock:
            rows = self._connection.execute("SELECT run_id FROM live_session ORDER BY run_id").fetchall()
        return tuple(str(row[0]) for row in rows)

    def record_receipt(self, run_id: str, round_number: int, document: bytes) -> None:
        """Keep the signed receipt or abort of a round; the very same one again is fine.

        Raises:
            PeerError: another document of that round is kept: the coordinator contradicts itself.
        """
        with self._transaction() as connection:
            query = "SELECT document FROM receipt WHERE run_id = ? AND round = ?"
            row = connection.execute(query, (run_id, round_number)).fetchone()
            if row is not None and row[0] != document:
                raise PeerError(f"round {round_number} of run {run_id} already ended otherwise; ask the operator why")
            if row is None:
                connection.execute(
                    "INSERT INTO receipt (run_id, round, document) VALUES (?, ?, ?)", (run_id, round_number, document)
                )

    def last_receipt(self, run_id: str) -> bytes | None:
        """The last receipt or abort that was kept of a run, or None."""
        row = self._row("SELECT document FROM receipt WHERE run_id = ? ORDER BY position DESC LIMIT 1", run_id)
        return None if row is None else bytes(row[0])

    def rounds_done(self, run_id: str) -> int:
        """How many rounds of a run have a receipt or an abort here."""
        row = self._row("SELECT count(*) FROM receipt WHERE run_id = ?", run_id)
        return 0 if row is None else int(row[0])

    def _row(self, query: str, *parameters: str) -> tuple[bytes, ...] | None:
        try:
            with self._lock:
                row: tuple[bytes, ...] | None = self._connection.execute(query, parameters).fetchone()
        except sqlite3.Error as error:
            raise StorageError(f"{self._file} cannot be read ({error}); mend the disk") from error
        return row

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

    def _prepare(self) -> None:
        with self._transaction() as connection:
            found = int(connection.execute("PRAGMA user_version").fetchone()[0])
            if found == 0:
                for statement in _TABLES.split(";\n"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {_FORMAT}")
            elif found != _FORMAT:
                raise StorageError(f"{self._file} has format {found}, this version reads {_FORMAT}; update headwater")


def _attempts_used(run_id: str) -> BudgetExceeded:
    return BudgetExceeded(f"run {run_id} has used its {MAXIMUM_ATTEMPTS} setups; the operator must propose a new run")
