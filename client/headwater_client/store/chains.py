"""Every receipt and abort of every run, with what verifies them offline (protocol 4.7)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from headwater.errors import PeerError
from headwater_client.store.database import Database, count_record

__all__ = ["CHAIN_TABLES", "Chains", "StoredChain"]

CHAIN_TABLES = """
CREATE TABLE receipt (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  run_id TEXT NOT NULL,
  round INTEGER NOT NULL,
  document BLOB NOT NULL,
  UNIQUE (run_id, round)
) STRICT;
CREATE TABLE opening (
  run_id TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  document BLOB NOT NULL,
  PRIMARY KEY (run_id, attempt)
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class StoredChain:
    """A run's documents as they came.

    Attributes:
        documents: receipts and aborts, oldest first.
        openings: attempt number → the message that opened its session.
    """

    documents: tuple[bytes, ...] = field(repr=False)
    openings: Mapping[int, bytes] = field(repr=False)


class Chains(Database):
    """Receipts, aborts, and the openings of their sessions."""

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
                count_record(connection)

    def record_opening(self, run_id: str, document: bytes) -> None:
        """Keep the message that opened the session of the last attempt; with it Confirms are verified offline.

        Raises:
            PeerError: no attempt was started, or another opening of it is kept.
        """
        with self._transaction() as connection:
            row = connection.execute("SELECT number FROM attempt WHERE run_id = ?", (run_id,)).fetchone()
            if row is None:
                raise PeerError(f"a session of run {run_id} opened before a setup was started; set up anew")
            attempt = int(row[0])
            query = "SELECT document FROM opening WHERE run_id = ? AND attempt = ?"
            kept = connection.execute(query, (run_id, attempt)).fetchone()
            if kept is not None and kept[0] != document:
                raise PeerError(f"setup {attempt} of run {run_id} opened another session before; ask the operator why")
            if kept is None:
                connection.execute("INSERT INTO opening VALUES (?, ?, ?)", (run_id, attempt, document))

    def last_receipt(self, run_id: str) -> bytes | None:
        """The last receipt or abort that was kept of a run, or None."""
        row = self._row("SELECT document FROM receipt WHERE run_id = ? ORDER BY position DESC LIMIT 1", run_id)
        return None if row is None else bytes(row[0])

    def rounds_done(self, run_id: str) -> int:
        """How many rounds of a run have a receipt or an abort here."""
        row = self._row("SELECT count(*) FROM receipt WHERE run_id = ?", run_id)
        return 0 if row is None else int(row[0])

    def chain(self, run_id: str) -> StoredChain:
        """All documents of a run, not verified yet."""
        documents = self._rows("SELECT document FROM receipt WHERE run_id = ? ORDER BY position", run_id)
        openings = self._rows("SELECT attempt, document FROM opening WHERE run_id = ? ORDER BY attempt", run_id)
        return StoredChain(tuple(bytes(row[0]) for row in documents), {int(row[0]): bytes(row[1]) for row in openings})

    def runs_with_receipts(self) -> tuple[str, ...]:
        """Runs of which a document is kept, oldest first."""
        rows = self._rows("SELECT run_id FROM receipt GROUP BY run_id ORDER BY min(position)")
        return tuple(str(row[0]) for row in rows)
