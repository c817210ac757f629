"""The coordinator's storage on any SQL database: one named transaction a change."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from headwater.agreement.approval import SignedApproval, SignedProposal
from headwater.agreement.troubles import Trouble
from headwater.errors import InputError, OutOfOrder, PeerError
from headwater_server.services.ports import EnrolledMember, OpenInvitation, RunRecord
from headwater_server.storage import tables
from headwater_server.storage.access import SqlAccess
from headwater_server.storage.canaries import SqlCanaries
from headwater_server.storage.charters import SqlCharters
from headwater_server.storage.database import Database
from headwater_server.storage.port import TRANSITIONS, RoundEntry, RunState
from headwater_server.storage.releases import SqlReleases
from headwater_server.storage.samples import SqlSamples

__all__ = ["SqlStorage"]

# A member cannot fill the operator's disk with its troubles.
_MOST_TROUBLES = 50

# What members see of a run: that it is being started or stopped is the operator's affair.
_PUBLIC_STATES = {RunState.STARTING: "running", RunState.STOPPING: "running"}


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class SqlStorage(SqlCharters, SqlReleases, SqlCanaries, SqlAccess, SqlSamples):
    """`Storage` by SQLAlchemy Core; see there for what each method promises."""

    def __init__(self, url: str) -> None:
        """Open a database and bring its tables up to date.

        Raises:
            InputError: not a database URL.
            StorageError: it cannot be opened.
        """
        self._database = Database(url)

    def close(self) -> None:
        """Drop all connections."""
        self._database.close()

    # Enrolment

    def add_invitation(self, secret_sha256: str, member_id: str, name: str, expires: datetime) -> None:
        """Record an invitation; a new one for the same member makes the old ones useless."""
        table = tables.invitations
        with self._database.transaction() as connection:
            connection.execute(delete(table).where(table.c.member_id == member_id, table.c.redeemed.is_(None)))
            connection.execute(
                insert(table).values(
                    secret_sha256=secret_sha256, member_id=member_id, name=name, expires=_text(expires)
                )
            )

    def open_invitations(self, now: datetime) -> Sequence[OpenInvitation]:
        """Invitations that somebody can still use, by member id."""
        table = tables.invitations
        with self._database.transaction() as connection:
            rows = connection.execute(
                select(table.c.member_id, table.c.name, table.c.expires)
                .where(table.c.redeemed.is_(None), table.c.expires >= _text(now))
                .order_by(table.c.member_id)
            ).all()
        return [OpenInvitation(row.member_id, row.name, row.expires) for row in rows]

    def redeem(self, secret_sha256: str, member: EnrolledMember, now: datetime) -> None:
        """Use up an invitation and record the member, both or neither."""
        table = tables.invitations
        with self._database.transaction() as connection:
            row = connection.execute(select(table).where(table.c.secret_sha256 == secret_sha256)).one_or_none()
            _check_invitation(row, member, now)
            # The update's own condition decides between two that come at once.
            used = connection.execute(
                update(table)
                .where(table.c.secret_sha256 == secret_sha256, table.c.redeemed.is_(None))
                .values(redeemed=_text(now))
            )
            if used.rowcount != 1:
                raise PeerError("the invitation was used before; ask the operator for a new one")
            connection.execute(delete(tables.members).where(tables.members.c.member_id == member.member_id))
            connection.execute(
                insert(tables.members).values(
                    member_id=member.member_id,
                    name=member.name,
                    identity_key=member.identity_key,
                    flower_public_key=member.flower_public_key,
                    certificate_pem=member.certificate_pem,
                    certificate_sha256=member.certificate_sha256,
                    enrolled=_text(now),
                )
            )

    def members(self) -> Sequence[EnrolledMember]:
        """Everybody who enrolled, by id."""
        table = tables.members
        with self._database.transaction() as connection:
            rows = connection.execute(select(table).order_by(table.c.member_id)).all()
        return [
            EnrolledMember(
                row.member_id,
                row.name,
                row.identity_key,
                row.flower_public_key,
                row.certificate_pem,
                row.certificate_sha256,
            )
            for row in rows
        ]

    def certificate_sha256(self, member_id: str) -> str | None:
        """The one certificate that speaks for the member."""
        table = tables.members
        with self._database.transaction() as connection:
            found: str | None = connection.execute(
                select(table.c.certificate_sha256).where(table.c.member_id == member_id)
            ).scalar_one_or_none()
        return found

    # Runs

    def add_run(self, proposal: SignedProposal) -> None:
        """Record a proposed run."""
        plan = proposal.proposal.plan
        with self._database.transaction() as connection:
            connection.execute(
                insert(tables.runs).values(
                    run_id=proposal.proposal.run_id,
                    plan_name=plan.name,
                    plan_digest=plan.digest,
                    rounds_planned=plan.maximum_rounds,
                    proposal=proposal.to_bytes(),
                    state=RunState.PROPOSED.value,
                    detail="",
                    created=proposal.proposal.created,
                )
            )

    def runs(self) -> Sequence[RunRecord]:
        """All runs, oldest first."""
        with self._database.transaction() as connection:
            rows = connection.execute(select(tables.runs).order_by(tables.runs.c.number)).all()
            return [_record(connection, row) for row in rows]

    def run(self, run_id: str) -> RunRecord | None:
        """One run."""
        with self._database.transaction() as connection:
            row = connection.execute(select(tables.runs).where(tables.runs.c.run_id == run_id)).one_or_none()
            return None if row is None else _record(connection, row)

    def proposal(self, run_id: str) -> SignedProposal | None:
        """A run's proposal as it was signed."""
        with self._database.transaction() as connection:
            data = connection.execute(
                select(tables.runs.c.proposal).where(tables.runs.c.run_id == run_id)
            ).scalar_one_or_none()
        return None if data is None else SignedProposal.from_bytes(data)

    def record_decision(self, approval: SignedApproval, now: datetime) -> None:
        """Record a member's verified decision; a later one replaces it."""
        table, decided = tables.approvals, approval.approval
        with self._database.transaction() as connection:
            if _state(connection, decided.run_id) is not RunState.PROPOSED:
                raise OutOfOrder(f"run {decided.run_id} has started or is over; decisions came to an end with that")
            connection.execute(
                delete(table).where(table.c.run_id == decided.run_id, table.c.member_id == decided.member)
            )
            connection.execute(
                insert(table).values(
                    run_id=decided.run_id,
                    member_id=decided.member,
                    decision=decided.decision,
                    document=approval.to_bytes(),
                    recorded=_text(now),
                )
            )

    def record_trouble(self, run_id: str, member_id: str, trouble: Trouble) -> None:
        """Record what a member says keeps it from its part; what it said last is not recorded again."""
        if self.run_state(run_id).over:
            raise OutOfOrder(f"run {run_id} is over; nothing more is to be told of it")
        records = [record for _, record in self.progress(run_id)]
        told = [each for each in records if each.get("kind") == "trouble" and each.get("member") == member_id]
        if told and told[-1]["trouble"] == trouble.value:
            return
        if len(told) >= _MOST_TROUBLES:
            raise OutOfOrder(f"{member_id!r} has reported {len(told)} troubles of run {run_id}; call the operator")
        self.add_progress(run_id, {"kind": "trouble", "member": member_id, "trouble": trouble.value})

    def approvals(self, run_id: str) -> Sequence[SignedApproval]:
        """The newest decision of each member."""
        table = tables.approvals
        with self._database.transaction() as connection:
            rows = connection.execute(
                select(table.c.document).where(table.c.run_id == run_id).order_by(table.c.member_id)
            ).scalars()
            return [SignedApproval.from_bytes(data) for data in rows]

    def run_state(self, run_id: str) -> RunState:
        """Where a run is."""
        with self._database.transaction() as connection:
            return _state(connection, run_id)

    def move_run(self, run_id: str, state: RunState, detail: str = "") -> None:
        """Change a run's state as `TRANSITIONS` allows."""
        table = tables.runs
        with self._database.transaction() as connection:
            present = _state(connection, run_id)
            if state not in TRANSITIONS[present]:
                raise OutOfOrder(f"run {run_id} is {present}; it cannot become {state}")
            moved = connection.execute(
                update(table)
                .where(table.c.run_id == run_id, table.c.state == present.value)
                .values(state=state.value, detail=detail)
            )
            if moved.rowcount != 1:
                raise OutOfOrder(f"run {run_id} changed meanwhile; look at its status")

    def runs_in(self, *states: RunState) -> Sequence[str]:
        """Ids of runs in one of these states, oldest first."""
        table = tables.runs
        with self._database.transaction() as connection:
            return list(
                connection.execute(
                    select(table.c.run_id)
                    .where(table.c.state.in_([state.value for state in states]))
                    .order_by(table.c.number)
                ).scalars()
            )

    def add_round_entry(self, run_id: str, entry: RoundEntry) -> None:
        """Store a record of the aggregation durably."""
        with self._database.transaction() as connection:
            connection.execute(insert(tables.round_entries).values(run_id=run_id, kind=entry.kind, data=entry.data))

    def round_entries(self, run_id: str) -> Sequence[RoundEntry]:
        """Every record of a run's aggregation, in order."""
        table = tables.round_entries
        with self._database.transaction() as connection:
            rows = connection.execute(select(table).where(table.c.run_id == run_id).order_by(table.c.number)).all()
        return [RoundEntry(row.kind, row.data) for row in rows]

    def add_progress(self, run_id: str, record: Mapping[str, object]) -> None:
        """Append a record of a run's progress."""
        table = tables.progress
        with self._database.transaction() as connection:
            last = connection.execute(select(func.max(table.c.number)).where(table.c.run_id == run_id)).scalar() or 0
            connection.execute(insert(table).values(run_id=run_id, number=last + 1, record=json.dumps(record)))

    def progress(self, run_id: str, after: int = 0) -> Sequence[tuple[int, Mapping[str, object]]]:
        """Records of a run's progress with numbers above `after`."""
        table = tables.progress
        with self._database.transaction() as connection:
            rows = connection.execute(
                select(table).where(table.c.run_id == run_id, table.c.number > after).order_by(table.c.number)
            ).all()
        return [(row.number, json.loads(row.record)) for row in rows]

    def set_result(self, run_id: str, result: Mapping[str, object]) -> None:
        """What a finished run left."""
        with self._database.transaction() as connection:
            _state(connection, run_id)
            connection.execute(
                update(tables.runs).where(tables.runs.c.run_id == run_id).values(result=json.dumps(result))
            )

    def result(self, run_id: str) -> Mapping[str, object] | None:
        """What a run left."""
        with self._database.transaction() as connection:
            _state(connection, run_id)
            text = connection.execute(select(tables.runs.c.result).where(tables.runs.c.run_id == run_id)).scalar()
        return None if text is None else dict(json.loads(text))


def _check_invitation(row: Row[Any] | None, member: EnrolledMember, now: datetime) -> None:
    if row is None:
        raise PeerError("there is no such invitation; ask the operator for a new one")
    if row.redeemed is not None:
        raise PeerError("the invitation was used before; ask the operator for a new one")
    if row.expires < _text(now):
        raise PeerError(f"the invitation expired at {row.expires}; ask the operator for a new one")
    if (row.member_id, row.name) != (member.member_id, member.name):
        raise PeerError("the invitation is made out to another member id or name; use it as it was sent")


def _state(connection: Connection, run_id: str) -> RunState:
    state = connection.execute(select(tables.runs.c.state).where(tables.runs.c.run_id == run_id)).scalar_one_or_none()
    if state is None:
        raise InputError(f"there is no run {run_id}; headwater-coordinator run list shows all")
    return RunState(state)


def _record(connection: Connection, row: Row[Any]) -> RunRecord:
    table, entries = tables.approvals, tables.round_entries
    decisions = connection.execute(
        select(table.c.member_id, table.c.decision).where(table.c.run_id == row.run_id)
    ).all()
    done = connection.execute(
        select(func.count()).select_from(entries).where(entries.c.run_id == row.run_id, entries.c.kind == "receipt")
    ).scalar_one()
    state = RunState(row.state)
    return RunRecord(
        run_id=row.run_id,
        plan_name=row.plan_name,
        plan_digest=row.plan_digest,
        state=_PUBLIC_STATES.get(state, state.value),
        rounds_done=int(done),
        rounds_planned=row.rounds_planned,
        created=row.created,
        detail=row.detail,
        decisions={decision.member_id: decision.decision for decision in decisions},
    )
