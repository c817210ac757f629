"""Protocol 7, item 16: a member killed anywhere in its Upload, a Start replayed to it, a record file rolled back."""

from collections.abc import Iterator

import numpy as np
import pytest

from headwater.errors import InputError, OutOfOrder, PeerError
from headwater.secagg import Participant
from headwater.secagg.protocol.events import PeersSeen, RoundRequested, SessionClosed
from support.lies import KIND, VICTIM
from support.network import World, kind_of

CHUNKS = 3
LENGTH = CHUNKS * 2**18 - 4
"""With the four check coordinates, exactly so many chunks of 1 MiB; the trailer and the next Deal follow."""


def asked() -> World:
    """A world in which every member was asked for a vector and none has answered."""
    world = World(4, length=LENGTH, answering=False)
    world.open()
    world.begin()
    world.run()
    return world


def parts_of(world: World, member: str, count: int) -> tuple[list[bytes], Iterator[bytes]]:
    """The first messages of a member's Upload, and the rest of them."""
    upload = world.participants[member].upload(1, world.vectors[member])
    return [next(upload) for _ in range(count)], upload


def replayed_start(world: World, member: str) -> list[bytes]:
    """The Start that a member got, with its chunks."""
    kinds = (KIND.START, KIND.CHUNK)
    return [data for sender, to, data in world.traffic if sender == "" and to == member and kind_of(data) in kinds]


@pytest.mark.parametrize("offset", range(CHUNKS + 3))
def test_whoever_is_killed_in_its_upload_and_shown_the_start_again_makes_no_second_vector(offset: int) -> None:
    world = asked()
    sent, _ = parts_of(world, VICTIM, offset)
    for data in sent:
        world.send(VICTIM, data)
    world.run()
    world.disconnect(VICTIM)
    # The process is new. What it has is its store: attempt 1 was used, and that is older than the Start.
    restarted = Participant(world.roster, world.terms(2), VICTIM, world.identity[VICTIM])
    for data in replayed_start(world, VICTIM):
        with pytest.raises(PeerError):
            restarted.receive(data, world.now)
    with pytest.raises(OutOfOrder):
        restarted.upload(1, world.vectors[VICTIM])


@pytest.mark.parametrize("offset", range(CHUNKS + 3))
def test_whose_stream_breaks_in_its_upload_and_is_shown_the_start_again_makes_no_second_vector(offset: int) -> None:
    world = asked()
    sent, _ = parts_of(world, VICTIM, offset)
    for data in sent:
        world.send(VICTIM, data)
    world.run()
    world.disconnect(VICTIM)
    world.connect(VICTIM)
    world.run()
    requested = len(world.events_of(VICTIM, RoundRequested))
    for data in replayed_start(world, VICTIM)[:1]:
        world.deliver_to_member(VICTIM, data)
    assert len(world.events_of(VICTIM, RoundRequested)) == requested == 1
    with pytest.raises(OutOfOrder, match="awaits no vector"):
        world.participants[VICTIM].upload(1, world.vectors[VICTIM] + np.uint32(1))
    member = world.participants[VICTIM]._player.round
    assert member is not None
    with pytest.raises(InputError, match="never masked twice"):
        member.masked_messages(world.vectors[VICTIM], lambda kind, body: b"")


def test_the_round_is_used_up_before_the_first_byte_leaves() -> None:
    world = asked()
    world.participants[VICTIM].upload(1, world.vectors[VICTIM])
    assert not [data for sender, _, data in world.traffic if sender == VICTIM and kind_of(data) is KIND.CHUNK]
    with pytest.raises(OutOfOrder):
        world.participants[VICTIM].upload(1, world.vectors[VICTIM])


def met(world: World) -> dict[str, int]:
    """The counts of records that the peers of the victim stored in the last setup."""
    (seen,) = world.events_of("org-0", PeersSeen)[-1:]
    assert isinstance(seen, PeersSeen)
    return dict(seen.records)


def test_a_record_file_rolled_back_is_noticed_by_every_peer_at_the_next_setup() -> None:
    world = World(4)
    world.records = dict.fromkeys(world.names, 5)
    world.open()
    world.play()
    assert met(world)[VICTIM] == 6
    # The victim's store comes back as it was before that setup: its attempt and its receipt never happened.
    world.seen = dict.fromkeys(world.names, 6)
    world.records = {name: 5 if name == VICTIM else 7 for name in world.names}
    world.new_attempt()
    for name in world.names:
        world.join(name, last_receipt=None if name == VICTIM else world.chain[-1])
    world.run()
    for name in world.names:
        if name == VICTIM:
            continue
        (closed,) = world.events_of(name, SessionClosed)[-1:]
        assert isinstance(closed, SessionClosed)
        assert closed.reason.startswith(f"the Hello of {VICTIM} counts 6 durable records, 6 were shown before")
    # Its word is not believed either when the coordinator helps it: the Hello is signed, so the count is its own.
    assert [data for sender, _, data in world.sent(KIND.START)][len(world.names) :] == []


def test_a_rolled_back_member_that_tries_until_its_count_is_up_again_stays_refused() -> None:
    world = World(4)
    world.seen = dict.fromkeys(world.names, 6)
    world.records = {name: 4 if name == VICTIM else 7 for name in world.names}
    peers = [name for name in world.names if name != VICTIM]
    world.open()
    for count in (5, 6, 7, 8):
        # Every attempt adds a record to its store, so at the third its count is above the one that they saw.
        world.records[VICTIM] = count
        world.new_attempt()
        world.open()
    for name in peers:
        reasons = [event.reason for event in world.events_of(name, SessionClosed) if isinstance(event, SessionClosed)]
        assert len(reasons) == 5
        assert reasons[0].startswith(f"the Hello of {VICTIM} counts 5 durable records, 6 were shown before")
        assert reasons[-1].startswith(f"the record file of {VICTIM} was found rolled back before")
    assert not list(world.sent(KIND.DEAL))
    # A person at each of them trusts it again.
    world.distrusted, world.seen = {}, {}
    world.new_attempt()
    world.open()
    world.play()
    assert world.sums()[0].contributors == tuple(world.names)


def test_two_runs_of_one_member_that_set_up_meanwhile_are_met_in_either_order() -> None:
    # The victim's Hello of another run, which counts 6, is under way while it counts 9 in this one.
    later = World(4)
    later.records, later.outstanding = {VICTIM: 8}, {VICTIM: 6}
    later.open()
    assert met(later)[VICTIM] == 5
    earlier = World(4)
    earlier.records, earlier.seen = {VICTIM: 5}, {VICTIM: met(later)[VICTIM]}
    earlier.open()
    earlier.play()
    assert earlier.sums()
    assert not earlier.distrusted
    # One record less, and it was set back.
    older = World(4)
    older.records, older.seen = {VICTIM: 4}, {VICTIM: met(later)[VICTIM]}
    older.open()
    assert all(older.distrusted[name] == {VICTIM} for name in older.names if name != VICTIM)


def test_a_record_file_that_goes_on_is_not_called_rolled_back() -> None:
    world = World(4)
    world.seen = dict.fromkeys(world.names, 6)
    world.records = dict.fromkeys(world.names, 6)
    world.open()
    world.play()
    assert met(world) == {"org-1": 7, "org-2": 7, "org-3": 7}
    assert world.sums()[0].contributors == tuple(world.names)
