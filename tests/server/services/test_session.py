"""A session's order, bounds and failures, with the plain machines and streams in memory."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from structlog.testing import capture_logs

from headwater.errors import OutOfOrder, PeerError, StorageError, TransportError
from headwater.secagg.protocol.events import AggregatorEvent, Persist, RoundAborted, RoundSummed, SessionFailed
from headwater.secagg.wire.codec import MAXIMUM_CHUNK, MAXIMUM_TOGETHER
from headwater_server.services.hub import AggregationHub
from headwater_server.services.session import AggregationSession
from headwater_server.services.stream import MemberStream
from support.parcels import messages_of
from support.plain_sum import PlainAggregator

RUN = "ef" * 16
MEMBERS = frozenset({"org-1", "org-2", "org-3"})


@dataclass
class Clock:
    """Seconds that pass when a test says so."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Journal:
    """What was stored, and how much had been sent by then."""

    session: AggregationSession | None = None
    records: list[tuple[str, int]] = field(default_factory=list)
    fail: bool = False

    def __call__(self, record: Persist) -> None:
        if self.fail:
            raise StorageError("/var/lib/secret/state.db is full")
        self.records.append((record.kind, self.session.traffic.sent_bytes if self.session else 0))


async def _open(
    aggregator: PlainAggregator, journal: Journal | None = None, clock: Clock | None = None
) -> tuple[AggregationHub, AggregationSession]:
    hub, journal = AggregationHub(now=clock or Clock()), journal or Journal()
    journal.session = await hub.open_session(RUN, aggregator, MEMBERS, persist=journal)
    return hub, journal.session


async def _attach(hub: AggregationHub, member: str) -> MemberStream:
    session, stream = hub.session_of(RUN, member)
    await session.attach(stream)
    return stream


async def _next(messages: AsyncIterator[bytes]) -> bytes:
    return await asyncio.wait_for(anext(messages), 10)


async def _all_joined(hub: AggregationHub, session: AggregationSession) -> dict[str, MemberStream]:
    streams = {member: await _attach(hub, member) for member in sorted(MEMBERS)}
    for stream in streams.values():
        await session.deliver(stream, b"J 0 ")
    await session.ready()
    return streams


def test_a_record_is_durable_before_a_later_message_is_sent() -> None:
    async def scenario() -> None:
        journal = Journal()
        hub, session = await _open(PlainAggregator(MEMBERS), journal)
        streams = await _all_joined(hub, session)
        before = session.traffic.sent_bytes
        outcome = asyncio.create_task(session.round(b"task", b"", 4))
        messages = messages_of(streams["org-1"])
        assert (await _next(messages)).startswith(b"W")
        assert (await _next(messages)).startswith(b"R 1")
        # protocol 4.8: the record of the start was written when nothing of the round had been sent.
        assert journal.records == [("start", before)]
        await session.close()
        with pytest.raises(OutOfOrder):
            await outcome

    asyncio.run(scenario())


def test_a_full_disk_ends_the_session_for_driver_and_members_and_names_no_path_to_members() -> None:
    async def scenario() -> None:
        hub, session = await _open(PlainAggregator(MEMBERS), Journal(fail=True))
        streams = await _all_joined(hub, session)
        with pytest.raises(StorageError, match="is full"):
            await session.round(b"task", b"", 4)
        with pytest.raises(TransportError, match="broke off") as caught:
            [data async for data in messages_of(streams["org-1"])]
        assert "/var" not in str(caught.value)
        with pytest.raises(StorageError):
            await session.deliver(streams["org-1"], b"J 0 ")
        with pytest.raises(TransportError, match="no open session"):
            hub.session_of(RUN, "org-1")

    asyncio.run(scenario())


def test_a_bug_in_the_aggregator_leaves_nobody_waiting() -> None:
    class Buggy(PlainAggregator):
        def begin_round(
            self, task: bytes, model: bytes, length: int, now: float, charge: bytes = b""
        ) -> Sequence[AggregatorEvent]:
            raise ZeroDivisionError("internals")

    async def scenario() -> None:
        hub, session = await _open(Buggy(MEMBERS))
        await _all_joined(hub, session)
        with pytest.raises(TransportError, match="broke off") as caught:
            await session.round(b"task", b"", 4)
        assert "internals" not in str(caught.value)
        assert session.over

    asyncio.run(scenario())


def test_a_deadline_passes_without_any_message() -> None:
    async def scenario() -> None:
        clock = Clock()
        aggregator = PlainAggregator(MEMBERS, round_seconds=0.01)
        hub, session = await _open(aggregator, clock=clock)
        await _all_joined(hub, session)
        outcome = asyncio.create_task(session.round(b"task", b"", 4))
        while aggregator.round == 0:
            await asyncio.sleep(0)
        clock.seconds = 1.0
        result = await asyncio.wait_for(outcome, 10)
        assert isinstance(result, RoundAborted)
        await session.close()

    asyncio.run(scenario())


def test_a_flood_of_messages_does_not_keep_a_deadline_from_passing() -> None:
    async def scenario() -> None:
        clock = Clock()
        aggregator = PlainAggregator(MEMBERS, round_seconds=5.0)
        hub, session = await _open(aggregator, clock=clock)
        streams = await _all_joined(hub, session)
        outcome = asyncio.create_task(session.round(b"task", b"", 4))
        while aggregator.round == 0:
            await asyncio.sleep(0)
        clock.seconds = 6.0
        flood = [asyncio.create_task(session.deliver(streams["org-1"], b"U 99 ")) for _ in range(50)]
        assert isinstance(await asyncio.wait_for(outcome, 10), RoundAborted)
        await asyncio.gather(*flood)
        await session.close()

    asyncio.run(scenario())


def test_a_refused_message_is_its_senders_error_alone() -> None:
    async def scenario() -> None:
        hub, session = await _open(PlainAggregator(MEMBERS))
        streams = await _all_joined(hub, session)
        with pytest.raises(PeerError, match="no message of the protocol"):
            await session.deliver(streams["org-1"], b"\xff\xff")
        outcome = asyncio.create_task(session.round(b"task", b"", 1))
        one = np.ones(1, dtype="<u4").tobytes()
        for member, stream in streams.items():
            messages = messages_of(stream)
            while not (await _next(messages)).startswith(b"R"):
                pass
            await session.deliver(streams[member], b"U 1 " + one)
        result = await asyncio.wait_for(outcome, 10)
        assert isinstance(result, RoundSummed)
        assert result.vector.tolist() == [3]
        await session.close()

    asyncio.run(scenario())


def test_a_refused_message_is_logged_with_its_sender_and_reason() -> None:
    async def scenario() -> None:
        hub, session = await _open(PlainAggregator(MEMBERS))
        streams = await _all_joined(hub, session)
        with pytest.raises(PeerError):
            await session.deliver(streams["org-2"], b"\xff\xff")
        await session.close()

    with capture_logs() as lines:
        asyncio.run(scenario())
    (line,) = [line for line in lines if line["event"] == "message_refused"]
    assert (line["run"], line["member"]) == (RUN, "org-2")
    assert line["reason"] == "these bytes are no message of the protocol; refused"


def test_what_cannot_be_kept_of_one_member_is_named_and_costs_that_member_alone() -> None:
    # As when the disk is full on which incomplete uploads are spooled.
    class Spooling(PlainAggregator):
        def receive(self, member: str, message: bytes, now: float) -> Sequence[AggregatorEvent]:
            if member == "org-2" and message.startswith(b"U"):
                raise StorageError("/var/spool/headwater is full")
            return super().receive(member, message, now)

        def disconnected(self, member: str, now: float) -> Sequence[AggregatorEvent]:
            self.refused.add(member)
            return [*super().disconnected(member, now), *self._finish()]

    async def scenario() -> Spooling:
        aggregator = Spooling(MEMBERS)
        hub, session = await _open(aggregator)
        streams = await _all_joined(hub, session)
        outcome = asyncio.create_task(session.round(b"task", b"", 1))
        while not aggregator.running:
            await asyncio.sleep(0)
        one = b"U 1 " + np.ones(1, dtype="<u4").tobytes()
        with pytest.raises(TransportError, match="could not keep") as caught:
            await session.deliver(streams["org-2"], one)
        assert "/var" not in str(caught.value)
        with pytest.raises(OutOfOrder, match="replaced"):
            await session.deliver(streams["org-2"], one)
        for member in ("org-1", "org-3"):
            await session.deliver(streams[member], one)
        result = await asyncio.wait_for(outcome, 10)
        assert isinstance(result, RoundSummed)
        assert result.contributors == ("org-1", "org-3")
        await session.close()
        return aggregator

    with capture_logs() as lines:
        aggregator = asyncio.run(scenario())
    assert aggregator.calls.count(("disconnected", "org-2")) == 1
    named = [(line["event"], line["member"]) for line in lines if "member" in line]
    assert named == [("message_not_kept", "org-2"), ("member_dropped", "org-2")]


class Slow(PlainAggregator):
    """Works on a message until it is let go."""

    def __init__(self) -> None:
        super().__init__(MEMBERS)
        self.entered, self.let_go = threading.Event(), threading.Event()
        self.order: list[tuple[str, bytes, int]] = []

    def receive(self, member: str, message: bytes, now: float) -> Sequence[AggregatorEvent]:
        if message.startswith(b"U"):
            self.order.append((member, message, threading.get_ident()))
            self.entered.set()
            self.let_go.wait(10)
        return super().receive(member, message, now)


async def _large_round(aggregator: Slow) -> tuple[AggregationSession, dict[str, MemberStream], asyncio.Task[object]]:
    hub, session = await _open(aggregator)
    streams = await _all_joined(hub, session)
    outcome: asyncio.Task[object] = asyncio.create_task(session.round(b"task", b"", 10**7))
    while not aggregator.running:
        await asyncio.sleep(0)
    return session, streams, outcome


def test_one_message_at_a_time_is_taken_from_each_member() -> None:
    # Back-pressure: while the aggregator works on a message, its sender's next one is not asked for.
    async def scenario() -> None:
        aggregator = Slow()
        session, streams, outcome = await _large_round(aggregator)
        first = asyncio.create_task(session.deliver(streams["org-1"], b"U 1 "))
        assert await asyncio.to_thread(aggregator.entered.wait, 10)
        assert not first.done()
        aggregator.let_go.set()
        await asyncio.wait_for(first, 10)
        await session.close()
        with pytest.raises(OutOfOrder):
            await outcome

    asyncio.run(scenario())


def test_messages_that_wait_while_a_large_round_computes_are_taken_in_their_order_off_the_loop() -> None:
    async def scenario() -> None:
        aggregator = Slow()
        session, streams, outcome = await _large_round(aggregator)
        first = asyncio.create_task(session.deliver(streams["org-1"], b"U 1 "))
        assert await asyncio.to_thread(aggregator.entered.wait, 10)
        refused = asyncio.create_task(session.deliver(streams["org-2"], b"U"))
        last = asyncio.create_task(session.deliver(streams["org-3"], b"U 1 x"))
        await asyncio.sleep(0)
        aggregator.let_go.set()
        await asyncio.gather(first, last)
        with pytest.raises(PeerError):
            await refused
        assert [(member, data) for member, data, _ in aggregator.order] == [
            ("org-1", b"U 1 "),
            ("org-2", b"U"),
            ("org-3", b"U 1 x"),
        ]
        assert threading.get_ident() not in {thread for *_, thread in aggregator.order}
        await session.close()
        with pytest.raises(OutOfOrder):
            await outcome

    asyncio.run(scenario())


def test_a_message_that_was_handed_over_counts_although_its_stream_ends_at_once() -> None:
    # An organisation that is killed after its upload: who waited for the message is gone, the message is not.
    async def scenario() -> None:
        aggregator = PlainAggregator(MEMBERS)
        hub, session = await _open(aggregator)
        streams = await _all_joined(hub, session)
        outcome = asyncio.create_task(session.round(b"task", b"", 1))
        while not aggregator.running:
            await asyncio.sleep(0)
        one = b"U 1 " + np.ones(1, dtype="<u4").tobytes()
        for member, stream in streams.items():
            delivery = asyncio.create_task(session.deliver(stream, one))
            if member == "org-2":
                await asyncio.sleep(0)
                delivery.cancel()
                session.detach(stream)
            else:
                await delivery
        result = await asyncio.wait_for(outcome, 10)
        assert isinstance(result, RoundSummed)
        assert result.contributors == ("org-1", "org-2", "org-3")
        await session.close()

    asyncio.run(scenario())


def test_a_member_that_does_not_read_is_cut_off_at_a_bound() -> None:
    async def scenario() -> None:
        stream = MemberStream("org-1", limit_bytes=10)
        stream.send(b"12345")
        stream.send(b"12345")
        stream.send(b"1")
        assert stream.ended
        with pytest.raises(TransportError, match="too slow"):
            [data async for data in messages_of(stream)]

    asyncio.run(scenario())


def test_reading_makes_room_again() -> None:
    async def scenario() -> None:
        stream = MemberStream("org-1", limit_bytes=10)
        messages = messages_of(stream)
        for _ in range(5):
            stream.send(b"1234567890")
            assert await _next(messages) == b"1234567890"
        stream.finish()
        assert [data async for data in messages] == []

    asyncio.run(scenario())


def test_a_finished_stream_still_gives_what_waits_but_takes_nothing_more() -> None:
    async def scenario() -> None:
        stream = MemberStream("org-1", limit_bytes=10)
        stream.send(b"last")
        stream.finish()
        stream.send(b"late")
        stream.fail(PeerError("late"))
        assert [data async for data in messages_of(stream)] == [b"last"]

    asyncio.run(scenario())


def test_a_late_detach_of_a_replaced_stream_changes_nothing() -> None:
    async def scenario() -> None:
        aggregator = PlainAggregator(MEMBERS)
        hub, session = await _open(aggregator)
        old = await _attach(hub, "org-1")
        new = await _attach(hub, "org-1")
        session.detach(old)
        await session.deliver(new, b"J 0 ")
        with pytest.raises(OutOfOrder, match="replaced"):
            await session.deliver(old, b"J 0 ")
        assert aggregator.calls == [("connected", "org-1"), ("disconnected", "org-1"), ("connected", "org-1")]
        await session.close()

    asyncio.run(scenario())


def test_one_run_has_one_open_session_and_may_have_a_next_one() -> None:
    async def scenario() -> None:
        hub, session = await _open(PlainAggregator(MEMBERS))
        with pytest.raises(OutOfOrder, match="open session"):
            await hub.open_session(RUN, PlainAggregator(MEMBERS), MEMBERS, persist=Journal())
        await session.close()
        second = await hub.open_session(RUN, PlainAggregator(MEMBERS), MEMBERS, persist=Journal())
        await _all_joined(hub, second)
        await hub.end_run(RUN)
        with pytest.raises(OutOfOrder, match="the run is over"):
            hub.session_of(RUN, "org-1")

    asyncio.run(scenario())


def test_a_second_round_waits_for_the_first() -> None:
    async def scenario() -> None:
        hub, session = await _open(PlainAggregator(MEMBERS))
        await _all_joined(hub, session)
        first = asyncio.create_task(session.round(b"task", b"", 4))
        await asyncio.sleep(0)
        with pytest.raises(OutOfOrder, match="under way"):
            await session.round(b"task", b"", 4)
        await session.close()
        with pytest.raises(OutOfOrder, match="is over"):
            await first

    asyncio.run(scenario())


def test_a_setup_that_fails_is_told_to_the_driver() -> None:
    class Failing(PlainAggregator):
        def receive(self, member: str, message: bytes, now: float) -> Sequence[AggregatorEvent]:
            return [SessionFailed("two members are not enough")]

    async def scenario() -> None:
        hub, session = await _open(Failing(MEMBERS))
        stream = await _attach(hub, "org-1")
        await session.deliver(stream, b"J 0 ")
        with pytest.raises(TransportError, match="two members are not enough"):
            await session.ready()
        assert [data async for data in messages_of(stream)] == [b"W 0 "]

    asyncio.run(scenario())


def test_messages_that_wait_together_go_as_one_parcel_in_their_order() -> None:
    async def scenario() -> None:
        stream = MemberStream("org-1", limit_bytes=2**24)
        chunk = bytes(MAXIMUM_CHUNK)
        for data in (b"start", chunk, chunk, b"last"):
            stream.send(data)
        stream.finish()
        parcels = [parcel async for parcel in stream.parcels()]
        assert parcels == [[b"start", chunk], [chunk, b"last"]]
        assert stream.sent_bytes == 9 + 2 * MAXIMUM_CHUNK

    asyncio.run(scenario())


def test_a_parcel_has_no_more_messages_than_a_member_takes() -> None:
    async def scenario() -> None:
        stream = MemberStream("org-1", limit_bytes=2**24)
        for _ in range(MAXIMUM_TOGETHER + 44):
            stream.send(b"")
        stream.finish()
        assert [len(parcel) async for parcel in stream.parcels()] == [MAXIMUM_TOGETHER, 44]

    asyncio.run(scenario())


def test_what_follows_a_refused_message_in_its_parcel_is_not_looked_at_and_what_came_before_it_counts() -> None:
    received: list[bytes] = []

    class Noting(PlainAggregator):
        def receive(self, member: str, message: bytes, now: float) -> Sequence[AggregatorEvent]:
            received.append(message)
            return super().receive(member, message, now)

    async def scenario() -> None:
        hub, session = await _open(Noting(MEMBERS))
        streams = await _all_joined(hub, session)
        received.clear()
        outcome = asyncio.create_task(session.round(b"task", b"", 1))
        messages = messages_of(streams["org-1"])
        while not (await _next(messages)).startswith(b"R"):
            pass
        one = b"U 1 " + np.ones(1, dtype="<u4").tobytes()
        with pytest.raises(PeerError):
            await session.deliver(streams["org-1"], one, b"\xff\xff", b"never seen")
        assert received == [one, b"\xff\xff"]
        for member in ("org-2", "org-3"):
            await session.deliver(streams[member], one)
        result = await asyncio.wait_for(outcome, 10)
        assert isinstance(result, RoundSummed)
        assert result.vector.tolist() == [3]

    asyncio.run(scenario())
