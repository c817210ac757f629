"""Releases that wait, decisions, attempts and waivers in SQL."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, ScalarSelect, delete, func, insert, select, update

from headwater.agreement.charter import Charter
from headwater.agreement.release_decision import SignedReleaseDecision, Standing, tally_release
from headwater.errors import InputError, OutOfOrder
from headwater_server.services.ports import ReleaseRecord, ReleaseState, WaiverRecord
from headwater_server.storage import tables
from headwater_server.storage.database import Database

__all__ = ["SqlReleases"]

_RELEASES, _DECISIONS = tables.releases, tables.release_decisions
_SETTLED = {Standing.APPROVED: ReleaseState.APPROVED, Standing.REFUSED: ReleaseState.REFUSED}


class SqlReleases:
    """`Storage`'s part about releases; see there for what each method promises."""

    _database: Database

    def releases(self) -> Sequence[ReleaseRecord]:
        """All releases, oldest first."""
        with self._database.transaction() as connection:
            rows = connection.execute(select(_RELEASES).order_by(_RELEASES.c.number)).all()
            return [_release(connection, row) for row in rows]

    def releases_in(self, *states: ReleaseState) -> Sequence[ReleaseRecord]:
        """Releases in one of these states, oldest first."""
        wanted = [state.value for state in states]
        with self._database.transaction() as connection:
            rows = connection.execute(
                select(_RELEASES).where(_RELEASES.c.state.in_(wanted)).order_by(_RELEASES.c.number)
            ).all()
            return [_release(connection, row) for row in rows]

    def release(self, release_digest: str) -> ReleaseRecord | None:
        """One release."""
        with self._database.transaction() as connection:
            return _find(connection, release_digest)

    def add_release(self, record: ReleaseRecord) -> None:
        """Record a release that waits."""
        with self._database.transaction() as connection:
            _hold_run(connection, record.run_id)
            same = (_RELEASES.c.name == record.name) & (_RELEASES.c.version == record.version)
            if connection.execute(
                select(_RELEASES.c.number).where(same | (_RELEASES.c.release_digest == record.release_digest))
            ).first():
                raise OutOfOrder(
                    f"version {record.version} of {record.name} was taken by another command meanwhile; run this again"
                )
            connection.execute(
                insert(_RELEASES).values(
                    release_digest=record.release_digest,
                    run_id=record.run_id,
                    charter_digest=record.charter_digest,
                    name=record.name,
                    version=record.version,
                    statement=record.statement,
                    verdict=record.verdict,
                    state=ReleaseState.WAITING.value,
                    created=record.created,
                )
            )

    def next_version(self, name: str) -> int:
        """One more than the highest version that was ever recorded."""
        with self._database.transaction() as connection:
            highest = connection.execute(select(func.max(_RELEASES.c.version)).where(_RELEASES.c.name == name)).scalar()
        return int(highest or 0) + 1

    def record_release_decision(self, decision: SignedReleaseDecision, now: datetime) -> ReleaseRecord:
        """Record a member's decision; the one that decides the release settles it in this transaction."""
        said = decision.decision
        with self._database.transaction() as connection:
            # A write first: of two last decisions that come at once, the second waits here and then sees the first.
            held = connection.execute(
                update(_RELEASES)
                .where(
                    _RELEASES.c.release_digest == said.release_digest,
                    _RELEASES.c.state == ReleaseState.WAITING.value,
                )
                .values(release_digest=said.release_digest)
            )
            if held.rowcount != 1:
                present = _found(_find(connection, said.release_digest))
                raise OutOfOrder(
                    f"release {present.name} version {present.version} is {present.state}; decisions came to an end "
                    "with that, and what each member had said stands"
                )
            mine = (_DECISIONS.c.release_digest == said.release_digest) & (_DECISIONS.c.member_id == said.member)
            connection.execute(delete(_DECISIONS).where(mine))
            connection.execute(
                insert(_DECISIONS).values(
                    release_digest=said.release_digest,
                    member_id=said.member,
                    document=decision.to_bytes(),
                    recorded=now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                )
            )
            record = _found(_find(connection, said.release_digest))
            tally = tally_release(_charter(connection, record), [each.decision for each in record.decisions])
            if (settled := _SETTLED.get(tally.standing)) is not None:
                connection.execute(
                    update(_RELEASES)
                    .where(_RELEASES.c.release_digest == said.release_digest)
                    .values(state=settled.value)
                )
            return _found(_find(connection, said.release_digest))

    def mark_published(self, release_digest: str) -> None:
        """Record that an approved release is published."""
        states = (ReleaseState.APPROVED.value, ReleaseState.PUBLISHED.value)
        with self._database.transaction() as connection:
            moved = connection.execute(
                update(_RELEASES)
                .where(_RELEASES.c.release_digest == release_digest, _RELEASES.c.state.in_(states))
                .values(state=ReleaseState.PUBLISHED.value)
            )
            if moved.rowcount != 1:
                present = _found(_find(connection, release_digest))
                raise OutOfOrder(f"release {present.name} version {present.version} is {present.state}, not approved")

    def attempts(self, run_id: str) -> Sequence[bytes]:
        """Every attempt to release a run or another of its plan's name, oldest first."""
        with self._database.transaction() as connection:
            return _attempts(connection, run_id)

    def add_attempt(self, run_id: str, make: Callable[[Sequence[bytes]], bytes]) -> bytes:
        """Append an attempt to the chain of all runs of this one's plan's name."""
        with self._database.transaction() as connection:
            _hold_run(connection, run_id)
            same = tables.runs.c.plan_name == _plan_name(run_id)
            # A write to all of them: an attempt at another run of the name waits here.
            connection.execute(update(tables.runs).where(same).values(plan_name=tables.runs.c.plan_name))
            before = _attempts(connection, run_id)
            document = make(before)
            connection.execute(insert(tables.attempts).values(run_id=run_id, number=len(before) + 1, document=document))
        return document

    def waivers(self) -> Sequence[WaiverRecord]:
        """All waivers, oldest first."""
        with self._database.transaction() as connection:
            rows = connection.execute(select(tables.waivers).order_by(tables.waivers.c.number)).all()
            return [_waiver(connection, row) for row in rows]

    def add_waiver(self, record: WaiverRecord) -> None:
        """Record a waiver that nobody signed yet."""
        table = tables.waivers
        with self._database.transaction() as connection:
            _hold_run(connection, record.run_id)
            if connection.execute(select(table).where(table.c.waiver_digest == record.waiver_digest)).first() is None:
                connection.execute(
                    insert(table).values(
                        waiver_digest=record.waiver_digest, run_id=record.run_id, document=record.document
                    )
                )

    def add_waiver_signature(self, waiver_digest: str, member_id: str, signature: str) -> WaiverRecord:
        """Record a member's signature on a waiver."""
        table = tables.waiver_signatures
        with self._database.transaction() as connection:
            connection.execute(
                delete(table).where(table.c.waiver_digest == waiver_digest, table.c.member_id == member_id)
            )
            row = connection.execute(
                select(tables.waivers).where(tables.waivers.c.waiver_digest == waiver_digest)
            ).one_or_none()
            if row is None:
                raise InputError("there is no waiver with this digest; headwater-org release waivers lists all")
            connection.execute(
                insert(table).values(waiver_digest=waiver_digest, member_id=member_id, signature=signature)
            )
            return _waiver(connection, row)


def _hold_run(connection: Connection, run_id: str) -> None:
    """Keep the run's row to this transaction, by a write: what follows is decided by nobody else meanwhile."""
    held = connection.execute(update(tables.runs).where(tables.runs.c.run_id == run_id).values(run_id=run_id))
    if held.rowcount != 1:
        raise InputError(f"there is no run {run_id}; headwater-coordinator run list shows all")


def _find(connection: Connection, release_digest: str) -> ReleaseRecord | None:
    row = connection.execute(select(_RELEASES).where(_RELEASES.c.release_digest == release_digest)).one_or_none()
    return None if row is None else _release(connection, row)


def _found(record: ReleaseRecord | None) -> ReleaseRecord:
    if record is None:
        raise InputError("there is no release with this digest; headwater-coordinator releases lists all")
    return record


def _charter(connection: Connection, record: ReleaseRecord) -> Charter:
    document = connection.execute(
        select(tables.charters.c.document).where(tables.charters.c.digest == record.charter_digest)
    ).scalar_one()
    return Charter.from_bytes(document)


def _attempts(connection: Connection, run_id: str) -> list[bytes]:
    table = tables.attempts
    runs = select(tables.runs.c.run_id).where(tables.runs.c.plan_name == _plan_name(run_id))
    return list(
        connection.execute(select(table.c.document).where(table.c.run_id.in_(runs)).order_by(table.c.number)).scalars()
    )


def _plan_name(run_id: str) -> ScalarSelect[Any]:
    """Of a run: whoever runs a plan once more, or drafts it anew, goes on with the same log."""
    return select(tables.runs.c.plan_name).where(tables.runs.c.run_id == run_id).scalar_subquery()


def _release(connection: Connection, row: Row[Any]) -> ReleaseRecord:
    documents = connection.execute(
        select(_DECISIONS.c.document)
        .where(_DECISIONS.c.release_digest == row.release_digest)
        .order_by(_DECISIONS.c.member_id)
    ).scalars()
    return ReleaseRecord(
        release_digest=row.release_digest,
        run_id=row.run_id,
        charter_digest=row.charter_digest,
        name=row.name,
        version=row.version,
        statement=row.statement,
        verdict=row.verdict,
        state=ReleaseState(row.state),
        created=row.created,
        decisions=tuple(SignedReleaseDecision.from_bytes(document) for document in documents),
    )


def _waiver(connection: Connection, row: Row[Any]) -> WaiverRecord:
    table = tables.waiver_signatures
    signatures = connection.execute(
        select(table.c.member_id, table.c.signature)
        .where(table.c.waiver_digest == row.waiver_digest)
        .order_by(table.c.member_id)
    ).all()
    return WaiverRecord(
        row.waiver_digest, row.run_id, row.document, {each.member_id: each.signature for each in signatures}
    )
