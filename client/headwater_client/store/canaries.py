"""The secrets of this organisation's canaries, one a run."""

from headwater.audit.canaries.commitment import CanarySecret
from headwater_client.store.database import Database

__all__ = ["CANARY_TABLES", "OPENING_TABLES", "CanaryRecords"]

CANARY_TABLES = """
CREATE TABLE canary_secret (
  run_id TEXT PRIMARY KEY,
  secret BLOB NOT NULL,
  salt BLOB NOT NULL
) STRICT;
"""

OPENING_TABLES = """
CREATE TABLE canary_opening (
  run_id TEXT PRIMARY KEY,
  candidate TEXT NOT NULL,
  taken INTEGER NOT NULL
) STRICT;
"""


class CanaryRecords(Database):
    """What a run's canaries are derived from; it leaves this file only if somebody opens the commitment."""

    def keep_canary_secret(self, run_id: str, fresh: CanarySecret) -> CanarySecret:
        """The secret of a run: the one that is kept, or a fresh one from now on.

        Args:
            run_id: of the run.
            fresh: what is kept where nothing was. A run has one secret, however often it is decided on: a second one
                could be chosen by what the first one's canaries show.
        """
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO canary_secret VALUES (?, ?, ?)", (run_id, fresh.secret, fresh.salt)
            )
            row = connection.execute("SELECT secret, salt FROM canary_secret WHERE run_id = ?", (run_id,)).fetchone()
        return CanarySecret(bytes(row[0]), bytes(row[1]))

    def canary_secret(self, run_id: str) -> CanarySecret | None:
        """The secret of a run, or None where none was made."""
        row = self._row("SELECT secret, salt FROM canary_secret WHERE run_id = ?", run_id)
        return None if row is None else CanarySecret(bytes(row[0]), bytes(row[1]))

    def keep_opening(self, run_id: str, candidate: str) -> str:
        """For which candidate a run's canaries are opened: the one that is kept, or this one from now on.

        Args:
            run_id: of the run.
            candidate: that the coordinator names, 64 hexadecimal digits.
        """
        with self._transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO canary_opening VALUES (?, ?, 0)", (run_id, candidate))
            row = connection.execute("SELECT candidate FROM canary_opening WHERE run_id = ?", (run_id,)).fetchone()
        return str(row[0])

    def opening_taken(self, run_id: str) -> None:
        """Keep that the coordinator has taken a run's opened secret."""
        with self._transaction() as connection:
            connection.execute("UPDATE canary_opening SET taken = 1 WHERE run_id = ?", (run_id,))

    def opening(self, run_id: str) -> tuple[str, bool] | None:
        """For which candidate a run's canaries were opened, and whether that was taken; None before."""
        row = self._row("SELECT candidate, taken FROM canary_opening WHERE run_id = ?", run_id)
        return None if row is None else (str(row[0]), bool(row[1]))
