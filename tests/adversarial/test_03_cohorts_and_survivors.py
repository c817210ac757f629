"""Protocol 7, item 3: cohorts and lists of survivors with repeats, strangers, too few, or without the receiver."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from headwater.secagg.protocol.events import RoundRefused, RoundRequested
from headwater.secagg.wire.envelope import open_envelope, sign_envelope
from headwater.secagg.wire.messages import (
    Start,
    Survivors,
)
from support.lies import KIND, VICTIM, flipped, replaced
from support.network import World, kind_of

Entry = tuple[str, bytes, bytes, tuple[bytes, ...]]


def entry(start: Start, dealer: str, change: Callable[[Entry], Entry]) -> Start:
    entries = tuple(change(row) if row[0] == dealer else row for row in start.entries)
    return dataclasses.replace(start, entries=entries)


def without(start: Start, *dealers: str) -> Start:
    return dataclasses.replace(start, entries=tuple(row for row in start.entries if row[0] not in dealers))


BAD_STARTS: list[tuple[str, Callable[[Start], Start], str]] = [
    ("broken chain", replaced(previous=bytes(32)), "broken chain"),
    ("vector beyond the terms", replaced(length=10_000_001), "the terms allow 1 to"),
    ("empty vector", replaced(length=0), "the terms allow 1 to"),
    ("payload beyond the terms", replaced(model_size=2**31), "claims"),
    ("cohort of T − 1", lambda start: without(start, "org-3", "org-4"), "at least 4 must take part"),
    ("victim not in the cohort", lambda start: without(start, VICTIM), "does not name this member"),
    ("seal changed", lambda s: entry(s, "org-2", lambda e: (e[0], e[1], flipped(e[2]), e[3])), "seal check failed"),
    ("no seal", lambda s: entry(s, "org-2", lambda e: (e[0], e[1], b"", e[3])), "seal check failed"),
    (
        "path changed",
        lambda s: entry(s, "org-2", lambda e: (e[0], e[1], e[2], (flipped(e[3][0]), *e[3][1:]))),
        "leaf check failed",
    ),
    ("path cut", lambda s: entry(s, "org-2", lambda e: (e[0], e[1], e[2], e[3][1:])), "leaf check failed"),
    ("header changed", lambda s: entry(s, "org-2", lambda e: (e[0], flipped(e[1]), e[2], e[3])), "another protocol"),
    (
        "header of another dealer",
        lambda s: entry(s, "org-2", lambda e: (e[0], s.entries[0][1], e[2], e[3])),
        "belongs elsewhere",
    ),
    (
        "header in place of the victim's own",
        lambda s: entry(s, VICTIM, lambda e: (e[0], s.entries[0][1], e[2], e[3])),
        "carries another Deal of this member than its outstanding one",
    ),
    (
        "stranger in the cohort",
        lambda s: dataclasses.replace(s, entries=(*s.entries, ("zed", s.entries[0][1], b"", ()))),
        "not in the session",
    ),
]


@pytest.mark.parametrize(("change", "reason"), [row[1:] for row in BAD_STARTS], ids=[row[0] for row in BAD_STARTS])
def test_a_bad_start_is_refused_and_the_round_aborted(change: Callable[[Start], Start], reason: str) -> None:
    world = World(5)
    world.open()
    world.lie_to([VICTIM], Start, change)
    world.play()
    (refusal,) = world.events_of(VICTIM, RoundRefused)
    assert isinstance(refusal, RoundRefused)
    assert reason in refusal.reason
    assert refusal.round == 1
    assert world.events_of(VICTIM, RoundRequested) == []
    assert not [data for sender, _, data in world.sent(KIND.CHUNK) if sender == VICTIM]
    (abort,) = world.aborts()
    # What a dealer may have dealt is complained of, whoever changed it; everything else is refused.
    complained = "check failed" in reason
    assert abort.reason.startswith(f"{VICTIM} complains of org-2" if complained else f"{VICTIM} refused: ")
    assert abort.disputes == (((VICTIM, "org-2"),) if complained else ())
    # The session goes on, without the member that took no part: without both, too few would remain.
    world.play()
    assert world.sums()[0].contributors == ("org-0", "org-2", "org-3", "org-4")
    np.testing.assert_array_equal(world.sums()[0].vector, world.expected(world.sums()[0].contributors))


Uploads = tuple[tuple[str, bytes], ...]


BAD_SURVIVORS: list[tuple[str, Callable[[Survivors], Survivors], str]] = [
    ("another ρ", lambda s: dataclasses.replace(s, rho=bytes(32)), "another ρ"),
    ("T − 1 survivors", lambda s: dataclasses.replace(s, uploads=s.uploads[:3]), "3 members uploaded, at least 4"),
    (
        "self missing",
        lambda s: dataclasses.replace(s, uploads=tuple(row for row in s.uploads if row[0] != VICTIM)),
        "lack this member",
    ),
    (
        "another vector of the victim",
        lambda s: dataclasses.replace(
            s, uploads=tuple((name, bytes(32) if name == VICTIM else value) for name, value in s.uploads)
        ),
        "another vector",
    ),
    (
        "a stranger",
        lambda s: dataclasses.replace(s, uploads=(*s.uploads, ("zed", bytes(32)))),
        "not asked in this round",
    ),
]


@pytest.mark.parametrize(
    ("change", "reason"), [row[1:] for row in BAD_SURVIVORS], ids=[row[0] for row in BAD_SURVIVORS]
)
def test_bad_survivors_are_not_confirmed(change: Callable[[Survivors], Survivors], reason: str) -> None:
    world = World(5)
    world.open()
    world.lie_to([VICTIM], Survivors, change)
    world.play()
    (refusal,) = world.events_of(VICTIM, RoundRefused)
    assert isinstance(refusal, RoundRefused)
    assert reason in refusal.reason
    assert VICTIM not in {sender for sender, _, _ in world.sent(KIND.CONFIRM)}
    assert VICTIM not in {sender for sender, _, _ in world.sent(KIND.REVEAL)}
    assert len(world.aborts()) == 1


def test_repeated_survivors_are_refused_as_malformed() -> None:
    world = World(5)
    world.open()
    seen: list[bytes] = []

    def tap(member: str, data: bytes) -> list[bytes]:
        if member != VICTIM or kind_of(data) is not KIND.SURVIVORS:
            return [data]
        seen.append(data)
        return []

    world.to_member = tap
    world.begin()
    world.run()
    body = open_envelope(seen[0]).body
    count = 40
    row = body[count + 4 : count + 4 + 4 + 5 + 32]
    doubled = body[:count] + (6).to_bytes(4, "big") + row + body[count + 4 :]
    world.deliver_to_member(VICTIM, sign_envelope(KIND.SURVIVORS, "", doubled, world.coordinator_key, world.sid()))
    assert "strictly ascending" in world.errors[-1][1]


def larger_minimum() -> World:
    """Five members of a charter that asks for five, though T(5) = 4."""
    world = World(5)
    world.roster = dataclasses.replace(world.roster, minimum_cohort=5)
    world.attempt = 0
    world.new_attempt()
    world.open()
    return world


def test_a_cohort_of_t_below_the_minimum_cohort_is_refused() -> None:
    world = larger_minimum()
    world.lie_to([VICTIM], Start, lambda start: without(start, "org-4"))
    world.play()
    (refusal,) = world.events_of(VICTIM, RoundRefused)
    assert isinstance(refusal, RoundRefused)
    assert refusal.reason == "the Start names 4 members, at least 5 must take part"


def test_survivors_of_t_below_the_minimum_cohort_are_not_confirmed() -> None:
    world = larger_minimum()
    world.lie_to([VICTIM], Survivors, lambda survivors: dataclasses.replace(survivors, uploads=survivors.uploads[:4]))
    world.play()
    (refusal,) = world.events_of(VICTIM, RoundRefused)
    assert isinstance(refusal, RoundRefused)
    assert refusal.reason == "4 members uploaded, at least 5 must"


def test_a_refused_start_uses_up_neither_the_deal_of_the_next_round_nor_any_vector() -> None:
    # Refused uncharged: the vector was never asked for, so no ledger is charged and no noise is used up.
    world = World(5)
    world.open()
    world.lie_to([VICTIM], Start, lambda start: without(start, "org-3", "org-4"))
    world.play()
    assert world.events_of(VICTIM, RoundRequested) == []
    assert world.participants[VICTIM]._player.session is not None
    assert [event.reason for event in world.aborts()] == [
        f"{VICTIM} refused: the Start names 3 members, at least 4 must take part"
    ]
