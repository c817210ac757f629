"""Protocol 7, item 11: as many liars as the plan allows for cannot drive honest members out one by one."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from headwater.secagg.coordinator.disputes import Disputes
from headwater.secagg.crypto.keys import Secret
from headwater.secagg.crypto.ring import RingVector
from headwater.secagg.member.round import MemberRound, Signer
from support.lies import flipped, patched, play_to_the_end
from support.network import World

LIARS = ("org-8", "org-9")


@contextmanager
def both_deny(victim: str) -> Iterator[None]:
    """Both liars mask with another key than they share with the victim, and tell of the masks that they used."""
    honestly = MemberRound.masked_messages

    def masked(self: MemberRound, vector: RingVector, sign: Signer) -> Iterator[bytes]:
        if self.member in LIARS and victim in self.pair_secrets:
            self.pair_secrets[victim] = Secret(flipped(self.pair_secrets[victim].value))
        return honestly(self, vector, sign)

    with patched(MemberRound, "masked_messages", masked):
        yield


def test_two_liars_that_deny_one_honest_member_do_not_both_stay_in_its_place() -> None:
    world = World(10, colluders=2, rounds=6)
    world.open()
    with both_deny("org-0"):
        world.play()
    (abort,) = world.aborts()
    assert (abort.blamed, abort.disputes) == ((), (("org-0", "org-8"), ("org-0", "org-9")))
    play_to_the_end(world)
    (total,) = world.sums()
    np.testing.assert_array_equal(total.vector, world.expected(total.contributors))
    # Two may lie, so two that deny one member prove nothing: a liar goes for each honest member that goes.
    out = set(world.names) - set(total.contributors)
    assert len(out & set(LIARS)) >= len(out - set(LIARS))


def test_whoever_more_deny_than_may_lie_goes_alone() -> None:
    members = [f"org-{index}" for index in range(10)]
    pairs = [("org-0", "org-8"), ("org-1", "org-8"), ("org-2", "org-8")]
    assert Disputes(pairs, colluders=2).left_out(members, 7) == {"org-8"}
    assert Disputes(pairs[:2], colluders=2).left_out(members, 7) == {"org-0", "org-8"}
