"""Masks go on and come off in threads, and the sums are the same."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest

from headwater.secagg import Aggregator, Participant
from headwater.secagg.crypto import masks
from headwater.secagg.crypto.ring import RingBits
from headwater.secagg.member import masking
from headwater.secagg.wire.envelope import MessageType, open_envelope
from support import network
from support.network import World


@pytest.mark.parametrize("ring_bits", [32, 64])
@pytest.mark.parametrize("dropped", [False, True])
def test_sums_are_exact_however_many_threads_there_are(
    monkeypatch: pytest.MonkeyPatch, ring_bits: RingBits, dropped: bool
) -> None:
    pools: list[tuple[str, int]] = []

    def pool(place: str, workers: int) -> ThreadPoolExecutor:
        pools.append((place, workers))
        return ThreadPoolExecutor(workers)

    monkeypatch.setattr(masks, "LANE_BYTES", 2**20)
    monkeypatch.setattr(masking, "ThreadPoolExecutor", partial(pool, "member"))
    monkeypatch.setattr(masks, "ThreadPoolExecutor", partial(pool, "coordinator"))
    monkeypatch.setattr(network, "Participant", partial(Participant, threads=3))
    monkeypatch.setattr(network, "Aggregator", partial(Aggregator, threads=3))
    world = World(4, length=600_001, ring_bits=ring_bits)
    if dropped:
        world.to_coordinator = lambda member, data: (
            [] if member == "org-1" and open_envelope(data).type is MessageType.UPLOAD else [data]
        )
    world.open()
    world.begin()
    world.run()
    while world.aggregator.next_deadline is not None:
        world.tick(world.aggregator.next_deadline - world.now)
        world.run()
    (event,) = world.sums()
    assert len(event.contributors) == (3 if dropped else 4)
    np.testing.assert_array_equal(event.vector, world.expected(event.contributors))
    assert pools == [("member", 3)] * 4 + [("coordinator", 3)]


def test_a_small_vector_starts_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_pool(_: int) -> ThreadPoolExecutor:
        raise AssertionError("a thread costs more than it saves here")

    monkeypatch.setattr(masking, "ThreadPoolExecutor", no_pool)
    monkeypatch.setattr(masks, "ThreadPoolExecutor", no_pool)
    monkeypatch.setattr(network, "Participant", partial(Participant, threads=8))
    monkeypatch.setattr(network, "Aggregator", partial(Aggregator, threads=8))
    world = World(4, length=1000)
    world.open()
    world.play()
    assert len(world.sums()) == 1
