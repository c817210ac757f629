"""A whole run over loopback: three organisations, real masks, the recipe's own Tasks, and what is stored of it."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from structlog.testing import capture_logs

from headwater.agreement.charge import charge_of
from headwater.agreement.plan import Plan
from headwater.agreement.session import roster_of, terms_of
from headwater.agreement.troubles import Trouble
from headwater.audit import checks as registry
from headwater.audit.checks import federated_checks
from headwater.contribution.auditing import audit_rows, sizes_of
from headwater.contribution.contribute import contribute
from headwater.errors import InputError, OutOfOrder, PeerError, ReleaseRefused, TransportError
from headwater.evidence.candidate import Candidate
from headwater.evidence.candidate_file import pack_candidate
from headwater.recipe.actions import Aggregate
from headwater.recipe.machine import build_recipe
from headwater.recipe.task import Task
from headwater.recipe.tasks import audit_task
from headwater.release.attacked import attacked_digest, check_attacked_in
from headwater.release.evidence import Attacked
from headwater.schema.conform import load_table
from headwater.secagg import Aggregator, Participant
from headwater.secagg.protocol.events import AttemptStarted, Persist, RoundSummed
from headwater.secagg.wire.envelope import MessageType, sign_envelope
from headwater.secagg.wire.messages import Abort
from headwater_client.connectors import ArrowSource
from headwater_client.membership import Membership
from headwater_client.participation import SessionDriver, join_run
from headwater_client.plan_rows import PlanRows
from headwater_client.receipts import Receipts
from headwater_client.served_rows import rows_of_run
from headwater_client.settings import Home
from headwater_client.transport.aggregation import Participation
from support.audited import only_rows
from support.live_sessions import live_sessions
from support.offices import Office, approve_everywhere, rows_of
from support.organisations import RUN, EnrolledConsortium


async def sum_once(
    consortium: EnrolledConsortium,
    plan: Plan,
    task: Task,
    stored: list[Persist],
    attempt: int = 1,
    *,
    model: bytes = b"",
) -> object:
    hub = consortium.coordinator.hub
    chain = [record.data for record in stored if record.kind in {"receipt", "abort"}]
    aggregator = Aggregator(
        roster_of(consortium.charter, plan), terms_of(plan, RUN, attempt), consortium.key, now=hub.now(), chain=chain
    )
    session = await hub.open_session(RUN, aggregator, consortium.homes, persist=stored.append)
    await session.ready()
    try:
        return await session.round(task.to_bytes(), model, task.length, charge_of(plan, task))
    finally:
        await session.close("the test has its sum")


def first_task(plan: Plan) -> Task:
    action = build_recipe(plan).next()
    assert isinstance(action, Aggregate)
    return action.task


def test_the_masked_sum_is_the_sum_of_contributions_and_all_is_recorded(consortium: EnrolledConsortium) -> None:
    plan = approve_everywhere(consortium)
    task = first_task(plan)
    stored: list[Persist] = []
    loop = consortium.coordinator.loop
    with capture_logs() as logs:
        offices = {member: Office(consortium.homes[member]) for member in consortium.homes}
        try:
            summed = loop.run(sum_once(consortium, plan, task, stored))
            loop.run(consortium.coordinator.hub.end_run(RUN))
        finally:
            for office in offices.values():
                office.thread.join(60)
    assert isinstance(summed, RoundSummed)
    expected = np.zeros(task.length, np.uint32)
    for member in consortium.homes:
        expected += contribute(task, b"", load_table(rows_of(member), plan.schema_), plan)
    assert np.array_equal(summed.vector, expected)
    assert [office.outcome for office in offices.values()] == ["done"] * 3
    for home in consortium.homes.values():
        membership = Membership.open(home)
        assert membership.store.next_attempt(RUN) == 2
        assert membership.store.last_receipt(RUN) == summed.receipt
        assert live_sessions(membership.store) == ()
        membership.store.close()
    events = {entry["event"] for entry in logs}
    assert {"run_joined", "session_ready", "task_admitted", "round_closed", "run_over"} <= events
    # protocol 7.19: nothing of one organisation's rows in a log.
    allowed = {"event", "log_level", "run", "plan", "attempt", "members", "round", "kind", "step", "completed"}
    assert {key for entry in logs if "run" in entry for key in entry} <= allowed | {"reason", "outcome", "contributors"}


def test_a_next_session_uses_the_next_attempt_and_goes_on_with_the_chain(consortium: EnrolledConsortium) -> None:
    plan = approve_everywhere(consortium)
    stored: list[Persist] = []
    loop = consortium.coordinator.loop
    offices = [Office(consortium.homes[member]) for member in consortium.homes]
    try:
        first = loop.run(sum_once(consortium, plan, first_task(plan), stored))
        second = loop.run(sum_once(consortium, plan, first_task(plan), stored, attempt=2))
        loop.run(consortium.coordinator.hub.end_run(RUN))
    finally:
        for office in offices:
            office.thread.join(60)
    assert isinstance(first, RoundSummed)
    assert isinstance(second, RoundSummed)
    assert second.round == first.round + 1
    membership = Membership.open(consortium.homes["org-1"])
    assert membership.store.next_attempt(RUN) == 3
    assert membership.store.rounds_done(RUN) == 2
    membership.store.close()


def test_an_audit_is_one_more_masked_sum_over_rows_that_trained_and_rows_that_nothing_used(
    consortium: EnrolledConsortium, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_REGISTRY", (only_rows,))
    audit: dict[str, object] = {"policy": "non-private"}
    plan = approve_everywhere(consortium, audit=audit, splits={"train": 0.5, "validation": 0.2, "audit": 0.3})
    tables = [load_table(rows_of(member), plan.schema_) for member in consortium.homes]
    data = pack_candidate(tables[0])
    assert plan.audit != "none"
    checks = federated_checks(Candidate(tables[0]), plan.audit.settings)
    task, loop = audit_task(plan, 3, data, sizes_of(checks)), consortium.coordinator.loop
    offices = [Office(consortium.homes[member]) for member in consortium.homes]
    try:
        summed = loop.run(sum_once(consortium, plan, task, [], model=data))
        loop.run(consortium.coordinator.hub.end_run(RUN))
    finally:
        for office in offices:
            office.thread.join(60)
    assert isinstance(summed, RoundSummed)
    assert [office.outcome for office in offices] == ["done"] * 3
    own = [audit_rows(table, plan.splits)[0] for table in tables]
    assert summed.vector[:2].tolist() == [sum(rows.train.rows for rows in own), sum(rows.holdout.rows for rows in own)]
    assert all(rows.holdout.rows for rows in own)
    # A release of the run is reviewed by the rows that took part, which each home keeps a hash of.
    home = Home(consortium.homes["org-1"])
    assert rows_of_run(home, RUN, PlanRows(plan, rows_of("org-1"))).told == ""
    with pytest.raises(InputError, match="other rows than took part"):
        rows_of_run(home, RUN, PlanRows(plan, rows_of("org-2")))
    # What a release will be held to: each member's own record, and a receipt of this very question.
    attacked = Attacked(candidate=attacked_digest(tables[0]), step=3, checks=sizes_of(checks))
    for folder in consortium.homes.values():
        membership = Membership.open(folder)
        assert membership.store.attacked(RUN) == attacked.candidate
        receipts = Receipts(membership).verify(RUN)
        assert check_attacked_in(receipts, attacked, tables[0])
        with pytest.raises(ReleaseRefused, match="no sum in the receipts"):
            check_attacked_in(receipts, attacked, tables[1])
        membership.store.close()


def no_session(*arguments: object) -> Participation:
    pytest.fail("a session began")


def open_first(consortium: EnrolledConsortium) -> Membership:
    return Membership.open(consortium.homes["org-1"])


def join(
    consortium: EnrolledConsortium,
    drive: SessionDriver,
    rows: pa.Table | None = None,
    run: str = RUN,
    told: list[Trouble] | None = None,
) -> str:
    membership = open_first(consortium)
    try:
        source = ArrowSource(rows_of("org-1") if rows is None else rows)
        heard = [] if told is None else told
        return join_run(membership, source, drive, run, threading.Event(), heard.append)
    finally:
        membership.store.close()


def test_a_run_that_nobody_approved_here_is_refused_before_any_row_is_read(consortium: EnrolledConsortium) -> None:
    consortium.accept()
    consortium.propose()
    with capture_logs() as logs:
        assert join(consortium, no_session, rows=pa.table({})) == "refused"
    assert logs[-1]["reasons"] == ["the charter is not signed by org-2, org-3 yet"]
    consortium.organisations["org-1"].charter_in_force()
    with capture_logs() as logs:
        assert join(consortium, no_session, rows=pa.table({})) == "refused"
    assert logs[-1]["reasons"] == ["nobody here has approved this run"]


def test_a_policy_that_became_stricter_counts_at_the_start(consortium: EnrolledConsortium) -> None:
    approve_everywhere(consortium)
    file = consortium.homes["org-1"] / "policy.toml"
    file.write_text(file.read_text().replace("maximum_rounds = 120", "maximum_rounds = 1"))
    assert join(consortium, no_session) == "refused"


def test_rows_that_break_the_schema_stop_the_part_with_one_line(consortium: EnrolledConsortium) -> None:
    approve_everywhere(consortium)
    rows = rows_of("org-1").set_column(1, "ward", pa.array(["s3cret-ward"] * 21))
    with pytest.raises(InputError, match="does not hold to schema") as refusal:
        join(consortium, no_session, rows=rows)
    assert "s3cret" not in str(refusal.value)


@pytest.mark.usefixtures("no_waiting")
def test_the_operator_is_told_in_one_word_what_keeps_an_organisation_away(consortium: EnrolledConsortium) -> None:
    told: list[Trouble] = []
    assert join(consortium, no_session, told=told) == "refused"
    approve_everywhere(consortium)
    with pytest.raises(InputError):
        join(consortium, no_session, rows=pa.table({"age": [1]}), told=told)
    with pytest.raises(KeyError):
        join(consortium, scripted(KeyError("private")), told=told)
    # That the run is over, or the coordinator away, is nothing to tell it.
    assert join(consortium, scripted(OutOfOrder("the run is over")), told=told) == "done"
    with pytest.raises(TransportError):
        join(consortium, scripted(TransportError("away")), told=told)
    assert join(consortium, scripted(*[CLOSED] * 8), told=told) == "refused"
    assert told == [Trouble.NOT_AGREED, Trouble.ROWS_REFUSED, Trouble.BROKEN, Trouble.SETUPS_USED]


def scripted(*ends: Participation | Exception, seen: list[Participant] | None = None) -> SessionDriver:
    """A driver that starts an attempt each time and ends as told."""
    left = list(ends)

    def drive(
        run_id: str,
        participant: Participant,
        contribute: Callable[..., Any],
        stop: threading.Event,
        note: Callable[..., None],
    ) -> Participation:
        if seen is not None:
            seen.append(participant)
        note(AttemptStarted(participant._terms.attempt, participant._records + 1))
        end = left.pop(0)
        if isinstance(end, Exception):
            raise end
        return end

    return drive


CLOSED = Participation("closed", "the coordinator opened a new setup", 0, 0)


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headwater_client.participation._NEXT_SESSION_SECONDS", 0.0)


@pytest.mark.usefixtures("no_waiting")
def test_each_session_has_a_participant_of_its_own(consortium: EnrolledConsortium) -> None:
    approve_everywhere(consortium)
    seen: list[Participant] = []
    assert join(consortium, scripted(CLOSED, CLOSED, OutOfOrder("the run is over"), seen=seen)) == "done"
    assert len({id(participant) for participant in seen}) == 3


@pytest.mark.usefixtures("no_waiting")
def test_the_ninth_setup_is_refused(consortium: EnrolledConsortium) -> None:
    approve_everywhere(consortium)
    assert join(consortium, scripted(*[CLOSED] * 8)) == "refused"
    assert join(consortium, no_session) == "refused"


def test_an_agent_that_stops_does_not_say_done(consortium: EnrolledConsortium) -> None:
    approve_everywhere(consortium)
    membership = open_first(consortium)
    stop = threading.Event()

    def drive(*arguments: object) -> Participation:
        stop.set()
        return Participation("stopped", "", 0, 0)

    with pytest.raises(OutOfOrder, match="agent is stopping"):
        join_run(membership, ArrowSource(rows_of("org-1")), drive, RUN, stop)
    membership.store.close()


def test_a_refusing_coordinator_is_no_silent_end(consortium: EnrolledConsortium) -> None:
    approve_everywhere(consortium)
    with pytest.raises(PeerError, match="not a member"):
        join(consortium, scripted(PeerError("org-1 is not a member of this run")))
    membership = open_first(consortium)
    assert live_sessions(membership.store) == ()
    membership.store.close()


def test_a_second_part_in_one_run_is_refused(consortium: EnrolledConsortium) -> None:
    approve_everywhere(consortium)
    membership = open_first(consortium)
    with membership.store.live_session(RUN), pytest.raises(OutOfOrder, match="already"):
        join(consortium, no_session)
    membership.store.close()


def test_whoever_a_stored_abort_blames_is_excluded_at_the_next_session(consortium: EnrolledConsortium) -> None:
    approve_everywhere(consortium)
    liar = sorted(consortium.homes)[1]
    abort = Abort(bytes(32), 1, bytes(32), "inquiry", (), "the check coordinates are off", (liar,), (), bytes(32))
    membership = open_first(consortium)
    data = sign_envelope(MessageType.ABORT, "", abort.encode(), consortium.key, bytes(32))
    membership.store.record_receipt(RUN, 1, data)
    membership.store.close()
    seen: list[Participant] = []
    assert join(consortium, scripted(OutOfOrder("the run is over"), seen=seen)) == "done"
    assert [participant._player._excluded for participant in seen] == [{liar}]
