"""Protocol 1.2 and 2.2: how many must take part, and how much room the ring has."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.errors import InputError
from headwater.secagg import Deadlines, Roster, SessionTerms, largest_collusion, threshold
from headwater.secagg.crypto.ring import check_headroom, from_signed, ring_type, to_signed
from headwater.secagg.protocol.terms import cohort_problem

TABLE = {3: 1, 4: 1, 5: 2, 6: 3, 7: 2, 8: 3, 9: 4, 10: 3, 20: 7, 50: 17, 100: 33, 200: 67}


@pytest.mark.parametrize(("members", "colluders"), TABLE.items())
def test_largest_collusion_is_that_of_the_table(members: int, colluders: int) -> None:
    assert largest_collusion(members) == colluders


@given(st.integers(3, 400), st.integers(1, 300))
def test_a_session_begins_exactly_when_collusion_is_within_the_largest(members: int, colluders: int) -> None:
    assert (cohort_problem(members, 3, colluders) is None) == (colluders <= largest_collusion(members))


@given(st.integers(3, 400))
def test_two_quorums_share_an_honest_member(members: int) -> None:
    overlap = 2 * threshold(members) - members
    assert overlap > largest_collusion(members)


@pytest.mark.parametrize("members", [0, 1, 2])
def test_fewer_than_three_members_never_begin(members: int) -> None:
    assert "at least 3" in (cohort_problem(members, 1, 0) or "")


def test_the_minimum_cohort_of_the_plan_counts() -> None:
    assert cohort_problem(4, 5, 1) is not None
    assert cohort_problem(5, 5, 1) is None


@pytest.mark.parametrize(
    ("value_bits", "members", "fits"), [(29, 4, True), (30, 4, False), (29, 5, False), (28, 8, True), (31, 1, True)]
)
def test_headroom_counts_sign_value_and_members(value_bits: int, members: int, fits: bool) -> None:
    if fits:
        check_headroom(value_bits, members)
    else:
        with pytest.raises(InputError, match="the ring has 32"):
            check_headroom(value_bits, members)


def test_the_wider_ring_has_room_for_more() -> None:
    check_headroom(61, 4, ring_bits=64)
    with pytest.raises(InputError, match="needs 65 bits and the ring has 64"):
        check_headroom(62, 4, ring_bits=64)
    wide = SessionTerms("run", bytes(32), 1, 3, 1, 10, 40, ring_bits=64)
    wide.check_headroom(1000)
    with pytest.raises(InputError, match="the ring has 32"):
        dataclasses.replace(wide, ring_bits=32).check_headroom(1000)


@given(st.sampled_from([32, 64]), st.integers(1, 20), st.data())
def test_sums_within_headroom_never_wrap(ring_bits: int, members: int, data: st.DataObject) -> None:
    bits = ring_bits - 1 - (members - 1).bit_length()
    check_headroom(bits, members, ring_bits=ring_bits)
    limit = 2**bits - 1
    values = data.draw(st.lists(st.integers(-limit, limit), min_size=members, max_size=members))
    total = np.zeros(1, dtype=ring_type(ring_bits))
    for value in values:
        total += from_signed(np.array([value], dtype=np.int64), ring_bits)
    assert to_signed(total)[0] == sum(values)


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1])
def test_a_value_beyond_the_ring_is_refused(value: int) -> None:
    with pytest.raises(InputError, match="does not fit"):
        from_signed(np.array([value], dtype=np.int64))


def roster(**changes: object) -> Roster:
    members = {name: bytes([index]) * 32 for index, name in enumerate(("a", "b", "c"))}
    return dataclasses.replace(Roster(members, b"\xff" * 32, bytes(32)), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"members": {"a": bytes(31), "b": b"b" * 32, "c": b"c" * 32}},
        {"members": {"a": b"b" * 32, "b": b"b" * 32, "c": b"c" * 32}},
        {"members": {"": b"a" * 32, "b": b"b" * 32, "c": b"c" * 32}},
        {"members": {"a\n": b"a" * 32, "b": b"b" * 32, "c": b"c" * 32}},
        {"members": {"x" * 65: b"a" * 32, "b": b"b" * 32, "c": b"c" * 32}},
        {"coordinator_key": bytes(32)},
        {"charter_digest": b"short"},
        {"minimum_cohort": 2},
        {"colluders": 0},
    ],
)
def test_a_roster_that_cannot_hold_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(InputError):
        roster(**changes)


def test_a_roster_cannot_gain_a_member_afterwards() -> None:
    members = {"a": b"a" * 32, "b": b"b" * 32, "c": b"c" * 32}
    fixed = Roster(members, b"\xff" * 32, bytes(32))
    members["d"] = b"d" * 32
    assert set(fixed.members) == {"a", "b", "c"}


@pytest.mark.parametrize(
    "changes",
    [
        {"attempt": 0},
        {"attempt": 9},
        {"rounds": 0},
        {"retries": -1},
        {"max_length": 0},
        {"max_payload": 0},
        {"ring_bits": 16},
        {"plan_digest": b""},
        {"run_id": ""},
    ],
)
def test_terms_outside_their_range_are_refused(changes: dict[str, object]) -> None:
    terms = SessionTerms("run", bytes(32), 1, 3, 1, 10, 20)
    with pytest.raises(InputError):
        dataclasses.replace(terms, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("inf"), float("nan")])
def test_a_wait_without_end_is_refused(seconds: float) -> None:
    with pytest.raises(InputError, match="deadline"):
        Deadlines(upload=seconds)
