"""Protocol 7, item 1: one model with two Tasks, or another plan, finds no quorum; every field is bound by ρ."""

import hashlib

from headwater.secagg.envelope import pack_chunk
from headwater.secagg.events import RoundRefused
from headwater.secagg.messages import (
    Chunk,
    Start,
)
from support.lies import KIND, VICTIM, replaced
from support.network import World, kind_of


def test_a_task_or_model_other_than_named_is_refused() -> None:
    for change in (replaced(task_digest=bytes(32)), replaced(model_digest=bytes(32))):
        world = World(5)
        world.open()
        world.lie_to([VICTIM], Start, change)
        world.play()
        (refusal,) = world.events_of(VICTIM, RoundRefused)
        assert isinstance(refusal, RoundRefused)
        assert "digest check failed" in refusal.reason


def test_two_tasks_for_one_round_give_no_wrong_sum() -> None:
    world = World(3)
    world.open()
    other = b'{"kind":"histOgrams"}'
    world.lie_to([VICTIM], Start, replaced(task_digest=hashlib.sha256(other).digest()))
    honest = world.to_member

    def tap(member: str, data: bytes) -> list[bytes]:
        if member == VICTIM and kind_of(data) is KIND.CHUNK:
            return [pack_chunk("", Chunk(1, 0, other).encode())]
        return list(honest(member, data))

    world.to_member = tap
    world.play()
    # The victim computes another ρ; its upload is not of this round, and nobody reveals anything.
    assert any("another Task or cohort" in message for _, message in world.errors)
    assert world.sums() == []
    assert list(world.sent(KIND.REVEAL)) == []
