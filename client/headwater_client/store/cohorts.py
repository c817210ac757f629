"""With whom this organisation's rows were summed, and how many records its peers had (protocol 4.10)."""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from headwater.errors import InputError, PeerError
from headwater.secagg.protocol.families import Cohort, Family, cohort_conflict
from headwater_client.store.database import Database, count_record

__all__ = ["COHORT_TABLES", "Allowance", "CohortRecords", "StoredCohort", "Trust"]

# A line is a stretch of a family's records: line 0 until a person allows another cohort, which opens the next one.
COHORT_TABLES = """
CREATE TABLE cohort (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  family TEXT NOT NULL,
  line INTEGER NOT NULL,
  members TEXT NOT NULL,
  run_id TEXT NOT NULL,
  round INTEGER NOT NULL,
  UNIQUE (family, line, members)
) STRICT;
CREATE TABLE allowance (
  family TEXT NOT NULL,
  line INTEGER NOT NULL,
  reason TEXT NOT NULL,
  created TEXT NOT NULL,
  PRIMARY KEY (family, line)
) STRICT;
CREATE TABLE peer (
  member TEXT PRIMARY KEY,
  records INTEGER NOT NULL
) STRICT;
CREATE TABLE rolled_back (
  member TEXT PRIMARY KEY,
  records INTEGER NOT NULL
) STRICT;
CREATE TABLE trust (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  member TEXT NOT NULL,
  records INTEGER NOT NULL,
  reason TEXT NOT NULL,
  created TEXT NOT NULL
) STRICT;
"""

_LONGEST_REASON = 1000


@dataclass(frozen=True, slots=True)
class StoredCohort:
    """A set of members with whom a family was summed.

    Attributes:
        family: its name.
        members: U, sorted.
        run_id: where it was first confirmed.
        round: of that run.
        in_force: later sums of the family are held to it; False once a person allowed another cohort after it.
    """

    family: str
    members: Cohort
    run_id: str
    round: int
    in_force: bool


@dataclass(frozen=True, slots=True)
class Allowance:
    """A person allowed another cohort for a family, at an instant of UTC."""

    family: str
    reason: str
    created: str


@dataclass(frozen=True, slots=True)
class Trust:
    """A person let a peer come back with fewer records than it had shown.

    Attributes:
        records: the number that it had shown before.
        created: an instant of UTC.
    """

    member: str
    records: int
    reason: str
    created: str


class CohortRecords(Database):
    """The records that `strict` rests on."""

    def record_cohort(self, run_id: str, round_number: int, family: Family, members: Cohort) -> None:
        """Keep U of a round before its Confirm leaves; the same U of a family again is fine.

        Raises:
            PeerError: it may not follow a cohort on record, for instance of another run that ran meanwhile.
        """
        with self._transaction() as connection:
            line = _line(connection, family.name)
            # protocol 4.10: checked where it is stored, so that two runs at a time cannot each take a cohort.
            conflict = cohort_conflict(family, _in_force(connection, family.name, line), members)
            if conflict is not None:
                raise PeerError(f"round {round_number} of run {run_id} is refused: {conflict}")
            done = connection.execute(
                "INSERT OR IGNORE INTO cohort (family, line, members, run_id, round) VALUES (?, ?, ?, ?, ?)",
                (family.name, line, json.dumps(sorted(members)), run_id, round_number),
            )
            if done.rowcount:
                count_record(connection)

    def cohorts_of(self, families: Iterable[Family]) -> dict[Family, tuple[Cohort, ...]]:
        """The cohorts in force for some families; families without one are left out."""
        found = {}
        with self._transaction() as connection:
            for family in families:
                cohorts = _in_force(connection, family.name, _line(connection, family.name))
                if cohorts:
                    found[family] = cohorts
        return found

    def cohort_history(self) -> tuple[StoredCohort, ...]:
        """Every cohort ever confirmed, oldest first."""
        with self._transaction() as connection:
            rows = connection.execute(
                "SELECT family, members, run_id, round, line FROM cohort ORDER BY position"
            ).fetchall()
            lines = {str(row[0]): _line(connection, row[0]) for row in rows}
        return tuple(
            StoredCohort(family, tuple(json.loads(members)), run_id, int(number), line == lines[family])
            for family, members, run_id, number, line in rows
        )

    def find_family(self, text: str) -> str:
        """The one family with a cohort in force whose name is this text, or else begins with it.

        Raises:
            InputError: none does, or several do; the line names them.
        """
        with self._transaction() as connection:
            bound = _bound(connection)
        found = [text] if text in bound else [name for name in bound if text and name.startswith(text)]
        if not found:
            raise _not_on_record(text, bound)
        if len(found) > 1:
            raise InputError(f"{len(found)} families begin with {text!r}: {', '.join(found)}; give one of these")
        return found[0]

    def allow_cohort(self, family: str, reason: str, created: str) -> Allowance:
        """Open a new line for a family: the records so far are kept, and no longer hold later sums.

        Args:
            family: its name.
            reason: of the person who allows it.
            created: an instant of UTC, as "2026-11-21T09:30:00Z".

        Raises:
            InputError: no cohort of the family is in force, or no reason is given.
        """
        _check_reason(reason)
        with self._transaction() as connection:
            line = _line(connection, family)
            if not _in_force(connection, family, line):
                raise _not_on_record(family, _bound(connection))
            connection.execute("INSERT INTO allowance VALUES (?, ?, ?, ?)", (family, line + 1, reason, created))
        return Allowance(family, reason, created)

    def allowances(self) -> tuple[Allowance, ...]:
        """Every allowance, oldest first within its family."""
        rows = self._rows("SELECT family, reason, created FROM allowance ORDER BY created, family, line")
        return tuple(Allowance(str(row[0]), str(row[1]), str(row[2])) for row in rows)

    def record_peers(self, records: Mapping[str, int]) -> None:
        """Keep the highest number of records that each peer ever showed."""
        with self._transaction() as connection:
            connection.executemany(
                "INSERT INTO peer VALUES (?, ?) ON CONFLICT (member) DO UPDATE SET records = max(records, ?)",
                [(member, number, number) for member, number in records.items()],
            )

    def peers(self) -> dict[str, int]:
        """The highest number of records that each peer showed, by member id."""
        return {str(row[0]): int(row[1]) for row in self._rows("SELECT member, records FROM peer ORDER BY member")}

    def record_rolled_back(self, records: Mapping[str, int]) -> None:
        """Refuse these members from now on, in every run, until a person trusts them: their stores were set back."""
        with self._transaction() as connection:
            # A session that began before a person trusted the member goes by what was seen before that.
            connection.executemany(
                "INSERT OR IGNORE INTO rolled_back SELECT member, ? FROM peer WHERE member = ? AND records >= ?",
                [(number, member, number) for member, number in records.items()],
            )

    def rolled_back(self) -> dict[str, int]:
        """The members whose stores were found set back and whom nobody trusted since, with the count they showed."""
        return {
            str(row[0]): int(row[1]) for row in self._rows("SELECT member, records FROM rolled_back ORDER BY member")
        }

    def trust_peer(self, member: str, reason: str, created: str) -> Trust:
        """Forget how many records a peer had, because it says that it restored an old copy.

        Raises:
            InputError: the peer was never seen, or no reason is given.
        """
        _check_reason(reason)
        with self._transaction() as connection:
            row = connection.execute("SELECT records FROM peer WHERE member = ?", (member,)).fetchone()
            if row is None:
                raise InputError(f"{member!r} was never seen in a session, so nothing of it is refused; check the id")
            trust = Trust(member, int(row[0]), reason, created)
            connection.execute("DELETE FROM peer WHERE member = ?", (member,))
            connection.execute("DELETE FROM rolled_back WHERE member = ?", (member,))
            connection.execute(
                "INSERT INTO trust (member, records, reason, created) VALUES (?, ?, ?, ?)",
                (member, trust.records, reason, created),
            )
        return trust

    def trusts(self) -> tuple[Trust, ...]:
        """Every time that a peer was let back, oldest first."""
        rows = self._rows("SELECT member, records, reason, created FROM trust ORDER BY position")
        return tuple(Trust(str(row[0]), int(row[1]), str(row[2]), str(row[3])) for row in rows)


def _line(connection: sqlite3.Connection, family: str) -> int:
    row = connection.execute("SELECT max(line) FROM allowance WHERE family = ?", (family,)).fetchone()
    return int(row[0] or 0)


def _in_force(connection: sqlite3.Connection, family: str, line: int) -> tuple[Cohort, ...]:
    query = "SELECT members FROM cohort WHERE family = ? AND line = ? ORDER BY position"
    return tuple(tuple(json.loads(row[0])) for row in connection.execute(query, (family, line)))


def _bound(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Families that have a cohort in force, by name."""
    names = [str(row[0]) for row in connection.execute("SELECT DISTINCT family FROM cohort ORDER BY family")]
    return tuple(name for name in names if _in_force(connection, name, _line(connection, name)))


def _not_on_record(family: str, bound: tuple[str, ...]) -> InputError:
    names = f"these families are bound to one: {', '.join(bound)}" if bound else "no family is bound to one"
    return InputError(f"no cohort of family {family!r} is in force here; {names}")


def _check_reason(reason: str) -> None:
    if not reason.strip() or len(reason) > _LONGEST_REASON:
        raise InputError(f"the reason has {len(reason)} characters; give 1 to {_LONGEST_REASON}: it stays on record")
