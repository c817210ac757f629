"""Protocol 7, item 14: sums that could wrap around, norms that rounding passes, rows that are no numbers."""

import dataclasses

import numpy as np
import pytest
from pydantic import ValidationError

from headwater.agreement.plan import Plan
from headwater.errors import InputError, PeerError
from headwater.recipe.fixed_point import fixed_point, integer_norm_squared
from headwater.recipe.task import Task
from headwater.secagg.crypto.ring import RingBits, from_signed, ring_type, to_signed
from headwater.secagg.protocol.events import SessionClosed
from headwater.secagg.protocol.terms import SessionTerms
from support.consortium import ConsortiumInMemory
from support.lies import VICTIM
from support.network import World


def wide_world(count: int, value_bits: int, ring_bits: RingBits = 32) -> World:
    """A world whose plan promises values of so many bits."""

    class Wide(World):
        def terms(self, attempt: int) -> SessionTerms:
            return dataclasses.replace(super().terms(attempt), value_bits=value_bits)

    return Wide(count, ring_bits=ring_bits)


@pytest.mark.parametrize(("ring_bits", "value_bits"), [(32, 29), (64, 61)])
def test_the_largest_values_that_a_session_admits_sum_exactly(ring_bits: RingBits, value_bits: int) -> None:
    world = wide_world(4, value_bits, ring_bits)
    top = 2**value_bits - 1
    signed = np.array([top, -top, top, -top, 0], dtype=np.int64)
    world.vectors = dict.fromkeys(world.names, from_signed(signed, ring_bits))
    world.open()
    world.play()
    (total,) = world.sums()
    assert total.vector.dtype == ring_type(ring_bits)
    np.testing.assert_array_equal(to_signed(total.vector), 4 * signed)


@pytest.mark.parametrize(("ring_bits", "value_bits"), [(32, 30), (64, 62)])
def test_one_bit_more_is_refused_at_setup_before_any_vector(ring_bits: RingBits, value_bits: int) -> None:
    world = wide_world(4, value_bits, ring_bits)
    world.open()
    (reason,) = world.failures()
    assert f"needs {ring_bits + 1} bits and the ring has {ring_bits}" in reason


def test_members_refuse_by_themselves_a_session_whose_sum_could_wrap_around() -> None:
    # The coordinator opens it all the same: it counts with values that are narrower than the plan says.
    world = wide_world(4, 30)
    narrow = dataclasses.replace(world.terms(1), value_bits=20)
    world.aggregator = type(world.aggregator)(world.roster, narrow, world.coordinator_key, now=0.0)
    world.open()
    for name in world.names:
        (closed,) = world.events_of(name, SessionClosed)
        assert isinstance(closed, SessionClosed)
        assert "the session may not begin: a sum over 4 members needs 33 bits" in closed.reason


@pytest.mark.parametrize("weight", [0.0, 0.37, 1.0])
def test_the_rounded_norm_never_passes_the_clip(weight: float) -> None:
    # Values a little above half a unit: rounding to nearest would double the norm of a vector that is at the clip.
    values = np.full(10_000, 0.6)
    clip = float(np.linalg.norm(values))
    units = fixed_point(values * 3, clip, 1.0, weight)
    assert integer_norm_squared(units) <= int(clip) ** 2


def test_a_vector_of_another_ring_or_length_never_leaves() -> None:
    world = World(3, answering=False)
    world.open()
    world.begin()
    world.run()
    member = world.participants[VICTIM]
    for wrong in (np.zeros(5, np.uint64), np.zeros(6, np.uint32), np.zeros(5, np.float64)):
        with pytest.raises(InputError, match="were asked for"):
            member.upload(1, wrong)  # type: ignore[arg-type]
    world.answering = True
    for name in world.names:
        for data in world.participants[name].upload(1, world.vectors[name]):
            world.send(name, data)
    world.run()
    np.testing.assert_array_equal(world.sums()[0].vector, world.expected(world.names))


@pytest.mark.parametrize("word", ["skellam", "gaussian", "dp", ""])
def test_noise_cannot_be_asked_for_or_claimed_while_there_is_none(word: str) -> None:
    # σ_i below 2 units is refused with every other σ_i: distributed noise (2.4) does not exist in this version, so a
    # plan or Task that names any is no plan or Task.
    plan: Plan = ConsortiumInMemory().plan()
    with pytest.raises(ValidationError):
        Plan.model_validate({**plan.model_dump(by_alias=True), "privacy": word})
    task = Task(kind="update", step=1, length=5, value_bits=20, seed=1, clip=1.0)
    with pytest.raises(PeerError):
        Task.from_bytes(task.to_bytes().replace(b'"noise":"none"', f'"noise":"{word}"'.encode()))
