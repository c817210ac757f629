"""The versions of the charter in SQL: proposed, in force, withdrawn, with the signatures of each."""

from collections.abc import Sequence

from sqlalchemy import Connection, Table, delete, func, insert, select, update
from sqlalchemy.sql import ColumnElement

from headwater.agreement.charter import Charter, SignedCharter
from headwater.agreement.succession import tally
from headwater.errors import OutOfOrder
from headwater_server.services.ports import CharterRecord, CharterState
from headwater_server.storage import tables
from headwater_server.storage.database import Database

__all__ = ["SqlCharters"]

_CHARTERS = tables.charters
_PROPOSED, _IN_FORCE = CharterState.PROPOSED.value, CharterState.IN_FORCE.value
_KEPT = _CHARTERS.c.state.in_((_IN_FORCE, _PROPOSED))


class SqlCharters:
    """`Storage`'s part about charters; see there for what each method promises."""

    _database: Database

    def charter(self, version: int | None = None) -> SignedCharter | None:
        """A version that is in force or proposed; the newest by default."""
        with self._database.transaction() as connection:
            return _first(connection, _KEPT, version)

    def charter_by_digest(self, digest: str) -> SignedCharter | None:
        """One charter, whatever became of it."""
        with self._database.transaction() as connection:
            return _first(connection, _CHARTERS.c.digest == digest)

    def charter_in_force(self, version: int | None = None) -> SignedCharter | None:
        """A version that is or was in force; the newest by default."""
        with self._database.transaction() as connection:
            return _first(connection, _CHARTERS.c.state == _IN_FORCE, version)

    def charters_in_force(self) -> Sequence[SignedCharter]:
        """Every version that is or was in force, oldest first."""
        with self._database.transaction() as connection:
            digests = connection.execute(
                select(_CHARTERS.c.digest).where(_CHARTERS.c.state == _IN_FORCE).order_by(_CHARTERS.c.version)
            ).scalars()
            return [_charter(connection, digest) for digest in digests.all()]

    def charter_records(self) -> Sequence[CharterRecord]:
        """Every charter that was ever proposed, oldest first."""
        with self._database.transaction() as connection:
            rows = connection.execute(select(_CHARTERS.c.digest, _CHARTERS.c.state).order_by(_CHARTERS.c.number)).all()
            return [CharterRecord(_charter(connection, row.digest), CharterState(row.state)) for row in rows]

    def add_charter(self, charter: SignedCharter) -> None:
        """Record a proposed version; it takes the place of one that is not in force yet."""
        proposed = charter.charter
        with self._database.transaction() as connection:
            in_force = _first(connection, _CHARTERS.c.state == _IN_FORCE)
            version, previous = (
                (1, None) if in_force is None else (in_force.charter.version + 1, in_force.charter.digest)
            )
            if (proposed.version, proposed.previous) != (version, previous):
                raise OutOfOrder(
                    f"version {proposed.version} of the charter does not follow the one in force, version {version} "
                    "would; propose it anew"
                )
            replaced = _first(connection, _CHARTERS.c.state == _PROPOSED)
            if replaced is not None:
                _withdraw(connection, replaced)
            last = connection.execute(select(func.max(_CHARTERS.c.number))).scalar() or 0
            connection.execute(
                insert(_CHARTERS).values(
                    digest=proposed.digest,
                    version=proposed.version,
                    document=proposed.to_bytes(),
                    coordinator_signature=charter.coordinator_signature,
                    former_coordinator_signature=charter.former_coordinator_signature,
                    state=_PROPOSED,
                    number=last + 1,
                )
            )

    def add_charter_signature(self, charter_digest: str, member_id: str, signature: str) -> SignedCharter:
        """Record a member's signature; the one that completes a version brings it in force, in this transaction."""
        with self._database.transaction() as connection:
            # A write first: of two last signatures that come at once, the second waits here and then sees the first.
            held = connection.execute(
                update(_CHARTERS).where(_CHARTERS.c.digest == charter_digest, _KEPT).values(digest=charter_digest)
            )
            newest = _first(connection, _KEPT)
            if held.rowcount != 1 or newest is None or newest.charter.digest != charter_digest:
                raise OutOfOrder("the charter changed meanwhile; look at it again before signing")
            former = None
            if newest.charter.previous is not None:
                former = _charter(connection, newest.charter.previous).charter
            signed = newest.with_signature(member_id, signature, former)
            by_former_key = signed.signatures.get(member_id) != signature
            table = tables.former_charter_signatures if by_former_key else tables.charter_signatures
            connection.execute(
                delete(table).where(table.c.charter_digest == charter_digest, table.c.member_id == member_id)
            )
            connection.execute(
                insert(table).values(charter_digest=charter_digest, member_id=member_id, signature=signature)
            )
            # protocol 1.1: every signature was checked when it came, so counting them decides.
            if tally(former, signed).complete:
                connection.execute(
                    update(_CHARTERS).where(_CHARTERS.c.digest == charter_digest).values(state=_IN_FORCE)
                )
            return signed


def _withdraw(connection: Connection, replaced: SignedCharter) -> None:
    if replaced.charter.version == 1 and replaced.signatures:
        # Who accepted a first version takes no other: there is nothing yet by which a second could be judged.
        raise OutOfOrder(
            f"members have signed charter {replaced.charter.digest[:12]} already; "
            "wait for the others, or start a new consortium for other members"
        )
    withdrawn = connection.execute(
        update(_CHARTERS)
        .where(_CHARTERS.c.digest == replaced.charter.digest, _CHARTERS.c.state == _PROPOSED)
        .values(state=CharterState.WITHDRAWN.value)
    )
    if withdrawn.rowcount != 1:
        raise OutOfOrder("the charter that was proposed came in force meanwhile; look at it, then propose the next")


def _first(connection: Connection, condition: ColumnElement[bool], version: int | None = None) -> SignedCharter | None:
    query = select(_CHARTERS.c.digest).where(condition).order_by(_CHARTERS.c.version.desc()).limit(1)
    if version is not None:
        query = query.where(_CHARTERS.c.version == version)
    digest = connection.execute(query).scalar_one_or_none()
    return None if digest is None else _charter(connection, digest)


def _charter(connection: Connection, digest: str) -> SignedCharter:
    row = connection.execute(select(_CHARTERS).where(_CHARTERS.c.digest == digest)).one()
    return SignedCharter(
        charter=Charter.from_bytes(row.document),
        coordinator_signature=row.coordinator_signature,
        signatures=_signatures(connection, tables.charter_signatures, digest),
        former_coordinator_signature=row.former_coordinator_signature,
        former_signatures=_signatures(connection, tables.former_charter_signatures, digest),
    )


def _signatures(connection: Connection, table: Table, digest: str) -> dict[str, str]:
    rows = connection.execute(
        select(table.c.member_id, table.c.signature).where(table.c.charter_digest == digest)
    ).all()
    return {row.member_id: row.signature for row in rows}
