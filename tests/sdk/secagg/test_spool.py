"""Uploads on their way wait in a spool: what it refuses, loses or changes never makes a wrong sum."""

import numpy as np
import pytest

from headwater.errors import StorageError
from headwater.secagg import Aggregator
from headwater.secagg.coordinator.arrival import Arrival
from headwater.secagg.coordinator.spool import Kept, MemorySpool
from headwater.secagg.wire.chunks import Assembly, chunk_messages
from headwater.secagg.wire.envelope import MessageType, open_envelope
from headwater.secagg.wire.messages import Chunk
from support.network import World

LENGTH = 300_000


class WatchedSpool:
    """A spool in memory that counts what it holds, and fails on demand."""

    def __init__(self, room: int = 2**40, unreadable: bool = False) -> None:
        self.room, self.unreadable = room, unreadable
        self.held = 0
        self.most = 0

    def keep(self, data: memoryview) -> Kept:
        if self.held + len(data) > self.room:
            raise StorageError("/spool cannot be written: No space left on device; make room")
        self.held += len(data)
        self.most = max(self.most, self.held)
        return WatchedPart(self, data)


class WatchedPart:
    def __init__(self, spool: WatchedSpool, data: memoryview) -> None:
        self._spool, self._data = spool, data

    def read(self) -> memoryview:
        if self._spool.unreadable:
            raise StorageError("/spool was altered; mend the disk")
        return self._data

    def discard(self) -> None:
        self._spool.held -= len(self._data)
        self._data = memoryview(b"")


def world_with(spool: WatchedSpool, count: int = 3) -> World:
    world = World(count, length=LENGTH)
    world.aggregator = Aggregator(world.roster, world.terms(1), world.coordinator_key, now=0.0, spool=spool)
    world.open()
    return world


def test_the_spool_holds_only_what_is_on_its_way() -> None:
    spool = WatchedSpool()
    world = world_with(spool, 5)
    world.play()
    (event,) = world.sums()
    np.testing.assert_array_equal(event.vector, world.expected(event.contributors))
    assert spool.held == 0
    # Five vectors on their way at once is the most there can be: what was summed is gone.
    assert 0 < spool.most <= 5 * 4 * (LENGTH + 4)


def test_a_full_spool_gives_up_one_upload_and_names_its_member() -> None:
    spool = WatchedSpool(room=2**20)
    world = world_with(spool, 4)
    refused: list[str] = []

    def deliver(member: str, data: bytes) -> None:
        try:
            world.coordinator_does(world.aggregator.receive(member, data, world.now))
        except StorageError as error:
            refused.append(str(error))
            # As a driver does: the stream of a member whose bytes could not be kept is ended.
            world.disconnect(member)
            spool.room = 2**40

    world.deliver_to_coordinator = deliver  # type: ignore[method-assign]
    world.play()
    (reason,) = refused
    assert "was given up: /spool cannot be written: No space left on device" in reason
    (event,) = world.sums()
    assert len(event.contributors) == 3
    assert not [member for member in event.contributors if member in reason]
    np.testing.assert_array_equal(event.vector, world.expected(event.contributors))
    assert spool.held == 0


def test_an_upload_that_cannot_be_read_back_aborts_the_round_and_the_next_one_is_whole() -> None:
    spool = WatchedSpool(unreadable=True)
    world = world_with(spool)
    world.play()
    assert world.sums() == []
    (abort,) = world.aborts()
    assert "did not give back the upload of org-" in abort.reason
    assert "/spool" not in abort.reason
    assert spool.held == 0
    spool.unreadable = False
    world.play()
    (event,) = world.sums()
    np.testing.assert_array_equal(event.vector, world.expected(event.contributors))


def test_what_a_dropped_member_sent_is_let_go_of() -> None:
    spool = WatchedSpool()
    world = world_with(spool, 4)
    taken: list[str] = []

    def tap(member: str, data: bytes) -> list[bytes]:
        if open_envelope(data).type is not MessageType.CHUNK or member != "org-2":
            return [data]
        taken.append(member)
        return [data] if len(taken) == 1 else []

    world.to_coordinator = tap
    world.begin()
    world.run()
    # The row broke after its first chunk: that one waits, and goes with the round's deadline.
    while world.aggregator.next_deadline is not None:
        world.tick(world.aggregator.next_deadline - world.now)
        world.run()
    (event,) = world.sums()
    assert "org-2" not in event.contributors
    assert spool.held == 0


def test_rows_of_chunks_are_cut_where_their_bytes_are_asked_for() -> None:
    data = np.random.default_rng(1).bytes(2**21 + 77)
    assembly = Assembly(len(data))
    for message in chunk_messages("", 1, data[:100], b"", data[100:]):
        assembly.add(Chunk.decode(open_envelope(message)))
    assert assembly.complete
    for begin, end in ((0, 0), (0, 1), (5, 2**20), (2**20 - 1, 2**20 + 1), (3, len(data)), (2**21, len(data))):
        assert assembly.cut(begin, end) == data[begin:end]


@pytest.mark.parametrize("kind", [np.uint32, np.uint64])
def test_an_arrival_is_added_part_by_part_with_wrap_around(kind: type[np.unsignedinteger]) -> None:
    top = np.iinfo(kind).max
    vector, total = np.full(LENGTH, top, dtype=kind), np.full(LENGTH, 3, dtype=kind)
    arrival = Arrival(vector.nbytes, MemorySpool())
    for message in chunk_messages("org-1", 1, vector.tobytes()):
        arrival.add(Chunk.decode(open_envelope(message)))
    arrival.add_to(total)
    np.testing.assert_array_equal(total, np.full(LENGTH, 2, dtype=kind))
