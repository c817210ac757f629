"""The privacy ledger: every charge to this organisation's records, kept before anything of the round leaves."""

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from headwater.agreement.ledger import Charge, LedgerEntry, chain_problem, charges_of_round
from headwater.errors import InputError, PeerError, StorageError
from headwater_client.store.database import Database, count_record
from headwater_client.store.ledger_head import LedgerHead

__all__ = ["LEDGER_TABLES", "LedgerRecords"]

# A run that began before there was a ledger has rounds without an entry; none of them was private.
LEDGER_TABLES = """
CREATE TABLE ledger (
  position INTEGER PRIMARY KEY,
  document BLOB NOT NULL,
  digest TEXT NOT NULL
) STRICT;
CREATE TABLE run_before_ledger (
  run_id TEXT PRIMARY KEY
) STRICT;
INSERT INTO run_before_ledger SELECT run_id FROM attempt;
"""

_FROM = "SELECT position, document, digest FROM ledger WHERE position >= ? ORDER BY position"

# Every attempt, receipt and cohort is counted beside the charges, and none is ever removed: what is left of the count
# was charged. A run's attempts are at most as many as its last number.
_CHARGED = """
SELECT records - (SELECT count(*) FROM receipt) - (SELECT count(*) FROM cohort)
  - (SELECT coalesce(sum(number), 0) FROM attempt)
FROM counter
"""

_ADVICE = "restore the newest backup of the whole folder, and take no part before"


class LedgerRecords(Database):
    """The ledger of `state.db`, with its head in a file beside it.

    Guarantee: entries are appended and never changed. One that was edited, moved or removed, a ledger that ends before
        the head on file, a head that is missing, and a ledger that went together with its head, which the count of
        records tells, are found out at the next look, and nothing is charged then.
    """

    def __init__(self, file: Path, tables: str, additions: Mapping[int, str]) -> None:
        """Open the file, or create it with these tables; see `Database`."""
        super().__init__(file, tables, additions)
        self._ledger_head = LedgerHead(file.with_name("ledger.head"))
        self._ledger_lock = threading.Lock()
        self._ledger_known: tuple[LedgerEntry, ...] = ()

    def ledger(self) -> tuple[LedgerEntry, ...]:
        """Every entry from the first on; the whole chain is checked anew.

        Raises:
            StorageError: the ledger was edited, cut short or set back, or it or its head is missing.
        """
        # Head and count first: the ledger may grow meanwhile, and is never shorter than what was read before.
        head = self._ledger_head.read()
        charged = int(self._rows(_CHARGED)[0][0])
        entries = _entries(self._file, self._rows(_FROM, 0))
        self._check_head(entries, head, charged)
        return entries

    def charge(self, charge: Charge, weigh: Callable[[Sequence[LedgerEntry]], None]) -> LedgerEntry:
        """Charge a round, durably; the very same charge again changes nothing and gives the entry that is there.

        Args:
            charge: of a round of which nothing has left yet.
            weigh: raises where the charge is beyond a limit, given every entry so far; no other charge comes between.

        Returns:
            The entry; it is on the disk, and counts as a durable record that peers compare (protocol 4.10).

        Raises:
            PeerError: this round of this setup was charged for something else.
            StorageError: as `ledger`, or the disk took it not.
            Exception: what `weigh` raised; nothing was charged.
        """
        with self._ledger_lock:
            head = self._ledger_head.read()
            with self._transaction() as connection:
                known = self._ledger_known
                entries = self._grown(known, connection.execute(_FROM, (len(known),)).fetchall())
                self._check_head(entries, head, int(connection.execute(_CHARGED).fetchone()[0]))
                found = next((entry for entry in entries if entry.place == charge.place), None)
                if found is not None:
                    return _same(found, charge)
                weigh(entries)
                if head is None:
                    # Before the first entry, so that one without a head is never what a kill leaves.
                    self._ledger_head.write(None)
                entry = LedgerEntry.following(entries[-1] if entries else None, charge)
                connection.execute(
                    "INSERT INTO ledger VALUES (?, ?, ?)", (entry.position, entry.to_bytes(), entry.digest)
                )
                count_record(connection)
            self._ledger_known = (*entries, entry)
            # Behind the entry: after a kill in between, the ledger is longer than its head says, which is as good.
            self._ledger_head.write(entry)
        return entry

    def charges_of(self, run_id: str, round_number: int) -> tuple[LedgerEntry, ...]:
        """The entries of a round of a run.

        Raises:
            StorageError: the ledger was changed meanwhile.
        """
        known = self._ledger_known
        return charges_of_round(self._grown(known, self._rows(_FROM, len(known))), run_id, round_number)

    def began_before_ledger(self, run_id: str) -> bool:
        """Whether a run was set up here by a version that kept no ledger."""
        return self._row("SELECT 1 FROM run_before_ledger WHERE run_id = ?", run_id) is not None

    def _grown(self, known: tuple[LedgerEntry, ...], rows: Sequence[tuple[object, ...]]) -> tuple[LedgerEntry, ...]:
        """All entries: those that this process read or wrote before, and the rows from the last of them on."""
        if known and (not rows or rows[0][2] != known[-1].digest):
            raise StorageError(f"the privacy ledger in {self._file} was changed meanwhile; {_ADVICE}")
        return _entries(self._file, rows[1:] if known else rows, known)

    def _check_head(self, entries: Sequence[LedgerEntry], head: tuple[int, str] | None, charged: int) -> None:
        """Hold the ledger against its head, and against how many charges its file counted at least."""
        if head is None:
            if entries:
                raise StorageError(
                    f"{self._ledger_head.file} is missing, which names the last entry of the privacy ledger; {_ADVICE}"
                )
            self._check_count(entries, charged)
            return
        length, digest = head
        if len(entries) < length:
            raise StorageError(
                f"the privacy ledger in {self._file} has {len(entries)} entries and had {length}: it was cut short or "
                f"set back; {_ADVICE}"
            )
        if length and entries[length - 1].digest != digest:
            raise StorageError(
                f"entry {length} of the privacy ledger in {self._file} is not the one that "
                f"{self._ledger_head.file.name} names; {_ADVICE}"
            )
        self._check_count(entries, charged)

    def _check_count(self, entries: Sequence[LedgerEntry], charged: int) -> None:
        if len(entries) < charged:
            raise StorageError(
                f"the privacy ledger in {self._file} has {len(entries)} entries, and its file counted at least "
                f"{charged}: it was emptied or cut short together with {self._ledger_head.file.name}; {_ADVICE}"
            )


def _entries(
    file: Path, rows: Sequence[tuple[object, ...]], known: tuple[LedgerEntry, ...] = ()
) -> tuple[LedgerEntry, ...]:
    """The entries that are known already, and behind them those of the rows, each checked."""
    entries = []
    for place, (position, document, digest) in enumerate(rows, len(known) + 1):
        try:
            entry = LedgerEntry.from_bytes(document)  # type: ignore[arg-type]
        except InputError as error:
            raise StorageError(f"entry {place} of the ledger in {file} was edited; {_ADVICE}") from error
        if (entry.position, entry.digest) != (position, digest):
            raise StorageError(f"entry {place} of the ledger in {file} was edited; {_ADVICE}")
        entries.append(entry)
    problem = chain_problem(entries, known[-1] if known else None)
    if problem is not None:
        raise StorageError(f"the privacy ledger in {file} is broken: {problem}; {_ADVICE}")
    return (*known, *entries)


def _same(found: LedgerEntry, charge: Charge) -> LedgerEntry:
    if (found.task, found.charge, found.plan, found.data_set) == (
        charge.task,
        charge.charge,
        charge.plan,
        charge.data_set,
    ):
        return found
    raise PeerError(
        f"round {charge.round} of run {charge.run_id} was charged for something else before; a round is asked once"
    )
