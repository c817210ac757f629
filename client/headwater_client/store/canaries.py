"""The secrets of this organisation's canaries, one a run."""

from headwater.audit.canaries.commitment import CanarySecret
from headwater_client.store.database import Database

__all__ = ["CANARY_TABLES", "CanaryRecords"]

CANARY_TABLES = """
CREATE TABLE canary_secret (
  run_id TEXT PRIMARY KEY,
  secret BLOB NOT NULL,
  salt BLOB NOT NULL
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
