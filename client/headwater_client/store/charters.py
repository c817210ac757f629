"""The versions of the charter: those in force, as one unbroken chain, and those that a person here accepted."""

import sqlite3

from headwater.agreement.charter import Charter, SignedCharter
from headwater.agreement.succession import CharterHistory
from headwater.errors import HeadwaterError, InputError, PeerError, StorageError
from headwater_client.store.database import Database

__all__ = ["CHARTER_TABLES", "CharterRecords"]

CHARTER_TABLES = """
CREATE TABLE charter (
  version INTEGER PRIMARY KEY,
  document BLOB NOT NULL
) STRICT;
CREATE TABLE accepted_charter (
  version INTEGER PRIMARY KEY,
  document BLOB NOT NULL
) STRICT;
"""


class CharterRecords(Database):
    """What this organisation knows to be in force, and what it signed.

    Guarantee: the chain of versions in force grows at its end alone; what is in it is never replaced.
    """

    _read: CharterHistory | None = None

    def charter_history(self) -> CharterHistory | None:
        """Every version that is known here to be in force, all signatures checked; None before the first.

        Raises:
            StorageError: the records were changed from outside.
        """
        (count,) = self._rows("SELECT count(*) FROM charter")[0]
        if not count:
            return None
        # The chain only grows, so its length tells whether what was read and checked is all of it.
        if self._read is None or len(self._read.charters) < int(count):
            rows = self._rows("SELECT document FROM charter ORDER BY version")
            try:
                self._read = CharterHistory(tuple(SignedCharter.from_bytes(row[0]) for row in rows))
            except HeadwaterError as error:
                raise StorageError(f"the charter in {self._file} was changed ({error}); restore a backup") from error
        return self._read

    def accepted_charter(self) -> SignedCharter | None:
        """The newest version that a person here accepted, with the signatures of then; it may not be in force."""
        row = self._row("SELECT document FROM accepted_charter ORDER BY version DESC LIMIT 1")
        return None if row is None else SignedCharter.from_bytes(row[0])

    def pinned_charter(self) -> SignedCharter | None:
        """What this organisation holds to: the newest version in force here, else the first one that it accepted."""
        history = self.charter_history()
        return self.accepted_charter() if history is None else history.charters[-1]

    def accept_charter(self, signed: SignedCharter, instead_of: str = "") -> None:
        """Keep that a person accepted a version, before it is signed for others; the same one again is fine.

        Args:
            signed: the version in force, or the one that follows it.
            instead_of: digest of another charter of the same version that was accepted before, and shall not count.

        Raises:
            PeerError: it goes back behind the version in force, or does not follow it.
            InputError: another charter of this version was accepted and `instead_of` does not name it.
        """
        charter = signed.charter
        with self._transaction() as connection:
            chain = _chain(connection)
            newest = chain[-1].charter if chain else None
            _check_place(charter, newest)
            row = connection.execute(
                "SELECT document FROM accepted_charter WHERE version = ?", (charter.version,)
            ).fetchone()
            # Once a version is in force, another one of its number no longer can be.
            if row is not None and (newest is None or charter.digest != newest.digest):
                _check_same(SignedCharter.from_bytes(row[0]).charter, charter, instead_of)
            connection.execute(
                "INSERT OR REPLACE INTO accepted_charter VALUES (?, ?)", (charter.version, signed.to_bytes())
            )

    def follow_charter(self, history: CharterHistory) -> None:
        """Keep the versions that came in force; those that are known already stay as they are.

        Raises:
            PeerError: the history ends before the version that is known here, or is another one.
        """
        with self._transaction() as connection:
            chain = _chain(connection)
            accepted = connection.execute("SELECT document FROM accepted_charter WHERE version = 1").fetchone()
            if chain:
                # protocol 1.1: never back, and never to another history.
                history.check_holds(chain[-1].charter)
            elif accepted is not None:
                history.check_holds(SignedCharter.from_bytes(accepted[0]).charter)
            connection.executemany(
                "INSERT INTO charter VALUES (?, ?)",
                [(signed.charter.version, signed.to_bytes()) for signed in history.charters[len(chain) :]],
            )


def _chain(connection: sqlite3.Connection) -> tuple[SignedCharter, ...]:
    rows = connection.execute("SELECT document FROM charter ORDER BY version").fetchall()
    return tuple(SignedCharter.from_bytes(row[0]) for row in rows)


def _check_place(charter: Charter, newest: Charter | None) -> None:
    if newest is not None and charter.digest == newest.digest:
        return
    version = 0 if newest is None else newest.version
    if charter.version <= version:
        raise PeerError(
            f"version {charter.version} of the charter ({charter.digest[:16]}…) is shown, version {version} is in "
            "force here and never given up; do not accept it, tell the other members"
        )
    if charter.version != version + 1 or charter.previous != (None if newest is None else newest.digest):
        raise PeerError(
            f"version {charter.version} of the charter does not follow the one in force here, version {version}; "
            "fetch the versions in between, and tell the other members if there are none"
        )


def _check_same(before: Charter, charter: Charter, instead_of: str) -> None:
    if before.digest == charter.digest:
        return
    if charter.version == 1:
        raise InputError(
            f"charter {before.digest[:16]} is pinned here, this is {charter.digest[:16]}; a consortium has "
            "one first charter: ask the operator, and enrol in a new folder if it is another consortium"
        )
    if instead_of != before.digest:
        # protocol 1.1: two versions that both follow one need members who signed both; honest ones do not unasked.
        raise InputError(
            f"you accepted another version {charter.version} of the charter ({before.digest[:16]}…), which may come in "
            f"force yet; if the other members agree that it is withdrawn, add --instead-of {before.digest[:16]}"
        )
