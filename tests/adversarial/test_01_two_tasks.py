"""Protocol 7, item 1: one model with two Tasks, or another plan, finds no quorum; every field is bound by ρ."""

import dataclasses
import hashlib
from collections.abc import Callable

import pytest

from headwater.recipe.task import Task
from headwater.secagg.member.participant import Participant
from headwater.secagg.protocol.events import RoundRefused, RoundRequested, SessionClosed
from headwater.secagg.wire.envelope import open_envelope, pack_chunk
from headwater.secagg.wire.messages import Chunk, Confirm, Start, Upload
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


def test_a_member_that_approved_another_plan_finds_no_quorum() -> None:
    world = World(3)
    world.join("org-0", "org-2")
    other = dataclasses.replace(world.terms(1), plan_digest=b"p" * 32)
    world.participants[VICTIM] = Participant(world.roster, other, VICTIM, world.identity[VICTIM])
    world.connect(VICTIM)
    world.run()
    # The invitation is bound to the plan, so the victim does not even greet.
    assert world.errors == [
        (VICTIM, "an INVITATION message of the coordinator has a signature that is not theirs for this session")
    ]
    assert world.events_of(VICTIM, SessionClosed) == []
    world.tick(60)
    assert world.failures() == ["the setup failed: 2 members take part, at least 3 must"]


TASK = Task(kind="update", step=2, length=5, value_bits=20, seed=7, clip=1.0, scale=100.0, parameters={"a": 1})

CHANGED: dict[str, object] = {
    "kind": "histograms",
    "step": 3,
    "length": 6,
    "value_bits": 21,
    "parameters": {"a": 2},
    "seed": 8,
    "clip": 2.0,
    "scale": 101.0,
    "model_digest": "ab" * 32,
}
"""Another value of each field of a Task; `version` and `noise` have one value each."""


def test_every_field_of_a_task_has_a_row_here() -> None:
    assert set(CHANGED) | {"version", "noise"} == set(Task.model_fields)


@pytest.mark.parametrize("field", CHANGED)
def test_one_member_shown_a_task_that_differs_in_one_field_gives_no_sum(field: str) -> None:
    world = World(3)
    world.open()
    other = TASK.model_copy(update={field: CHANGED[field]}).to_bytes()
    assert other != TASK.to_bytes()

    def shown(start: Start) -> Start:
        return dataclasses.replace(start, task_digest=hashlib.sha256(other).digest(), task_size=len(other))

    world.lie_to([VICTIM], Start, shown)
    honest = world.to_member

    def tap(member: str, data: bytes) -> list[bytes]:
        if member == VICTIM and kind_of(data) is KIND.CHUNK:
            return [pack_chunk("", Chunk(1, 0, other).encode())]
        return list(honest(member, data))

    world.to_member = tap
    world.play(task=TASK.to_bytes())
    # The lie is complete: the victim computes, and uploads under the ρ of what it was shown.
    assert len(world.events_of(VICTIM, RoundRequested)) == 1
    rhos = {sender: Upload.decode(open_envelope(data)).rho for sender, _, data in world.sent(KIND.UPLOAD)}
    assert rhos[VICTIM] not in {rhos["org-0"], rhos["org-2"]}
    assert rhos["org-0"] == rhos["org-2"]
    assert world.sums() == []
    assert list(world.sent(KIND.REVEAL)) == []


START_FIELDS: dict[str, Callable[[Start], Start]] = {
    "length": replaced(length=6),
    "charge": replaced(charge=b"{}"),
    "model_digest": replaced(model_digest=hashlib.sha256(b"m").digest(), model_size=1),
}


@pytest.mark.parametrize("field", START_FIELDS)
def test_one_member_shown_another_length_charge_or_model_gives_no_sum(field: str) -> None:
    world = World(3)
    world.open()
    world.lie_to([VICTIM], Start, START_FIELDS[field])
    honest = world.to_member

    def tap(member: str, data: bytes) -> list[bytes]:
        if field == "model_digest" and member == VICTIM and kind_of(data) is KIND.CHUNK:
            return [pack_chunk("", Chunk(1, 0, bytes(Chunk.decode(open_envelope(data)).data) + b"m").encode())]
        return list(honest(member, data))

    world.to_member = tap
    if field == "length":
        world.vectors.pop(VICTIM)
    world.play()
    assert len(world.events_of(VICTIM, RoundRequested)) == 1
    assert world.events_of(VICTIM, RoundRefused) == []
    if field == "length":
        member = world.participants[VICTIM]
        for data in member.upload(1, world.expected(world.names[:1]).repeat(2)[:6].copy()):
            world.send(VICTIM, data)
        world.run()
    assert world.sums() == []
    assert [data for sender, _, data in world.sent(KIND.CONFIRM) if sender == VICTIM] == []


def test_uploads_and_confirms_name_the_rho_they_were_masked_under() -> None:
    # What ties the two tests above to 4.4 and 4.5: one ρ in the mask keys, the trailer and the Confirm.
    world = World(3)
    world.open()
    world.play()
    uploads = {Upload.decode(open_envelope(data)).rho for _, _, data in world.sent(KIND.UPLOAD)}
    confirms = {Confirm.decode(open_envelope(data)).rho for _, _, data in world.sent(KIND.CONFIRM)}
    assert len(uploads) == 1
    assert uploads == confirms
