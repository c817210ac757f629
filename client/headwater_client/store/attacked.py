"""What this organisation attacked in each run, and the attempts to release that it was shown."""

from collections.abc import Sequence

from headwater.errors import PeerError
from headwater_client.store.database import Database

__all__ = ["ATTACKED_TABLES", "AttackedRecords"]

ATTACKED_TABLES = """
CREATE TABLE attacked (
  run_id TEXT PRIMARY KEY,
  candidate TEXT NOT NULL
) STRICT;
CREATE TABLE attempt_seen (
  plan TEXT NOT NULL,
  number INTEGER NOT NULL,
  digest TEXT NOT NULL,
  PRIMARY KEY (plan, number)
) STRICT;
"""


class AttackedRecords(Database):
    """What a release that comes later is held to."""

    def keep_attacked(self, run_id: str, candidate: str) -> None:
        """Keep which candidate a run's audit attacks here, before any row is counted; the same one again is fine.

        Args:
            run_id: of the run.
            candidate: SHA-256 of its bytes.

        Raises:
            PeerError: the run asked for another one before. A coordinator reads its candidate back after a restart.
        """
        with self._transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO attacked VALUES (?, ?)", (run_id, candidate))
            (kept,) = connection.execute("SELECT candidate FROM attacked WHERE run_id = ?", (run_id,)).fetchone()
            if kept != candidate:
                raise PeerError(
                    f"run {run_id} had this organisation attack table {kept[:16]}… and now asks for "
                    f"{candidate[:16]}…; one run has one candidate, ask the operator"
                )

    def attacked(self, run_id: str) -> str | None:
        """SHA-256 of the candidate that a run's audit attacked here; None where it attacked none."""
        row = self._row("SELECT candidate FROM attacked WHERE run_id = ?", run_id)
        return None if row is None else str(row[0])

    def attacked_runs(self) -> tuple[str, ...]:
        """Runs whose candidate was attacked here, oldest first."""
        return tuple(str(row[0]) for row in self._rows("SELECT run_id FROM attacked ORDER BY rowid"))

    def witness_attempts(self, plan: str, digests: Sequence[str]) -> int:
        """Keep a plan's log of attempts, unless one that was kept is another.

        Args:
            plan: name of the plan.
            digests: of its attempts, from the first.

        Returns:
            0 where they go with what was kept; else the number of the first attempt that is another, and nothing is
            kept.
        """
        with self._transaction() as connection:
            query = "SELECT number, digest FROM attempt_seen WHERE plan = ? ORDER BY number"
            for number, digest in connection.execute(query, (plan,)).fetchall():
                if number <= len(digests) and digests[number - 1] != digest:
                    return int(number)
            connection.executemany(
                "INSERT OR IGNORE INTO attempt_seen VALUES (?, ?, ?)",
                [(plan, number, digest) for number, digest in enumerate(digests, start=1)],
            )
        return 0
