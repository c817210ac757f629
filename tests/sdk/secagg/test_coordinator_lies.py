"""A coordinator that signs what it likes: each check of a member, met with a message that fails it."""

import dataclasses
import hashlib
from collections.abc import Callable

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.errors import PeerError
from headwater.secagg.envelope import MessageType, open_envelope, pack_chunk, sign_envelope
from headwater.secagg.events import RoundRefused, RoundRequested
from headwater.secagg.messages import (
    Abort,
    Chunk,
    Confirm,
    Deal,
    Quorum,
    Receipt,
    Start,
    Survivors,
    Upload,
)
from headwater.secagg.rounds import view_digest
from support.network import World, kind_of

KIND = MessageType
VICTIM = "org-1"

Entry = tuple[str, bytes, bytes, tuple[bytes, ...]]


def flipped(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


def entry(start: Start, dealer: str, change: Callable[[Entry], Entry]) -> Start:
    entries = tuple(change(row) if row[0] == dealer else row for row in start.entries)
    return dataclasses.replace(start, entries=entries)


def without(start: Start, *dealers: str) -> Start:
    return dataclasses.replace(start, entries=tuple(row for row in start.entries if row[0] not in dealers))


def replaced(**changes: object) -> Callable[[Start], Start]:
    return lambda start: dataclasses.replace(start, **changes)  # type: ignore[arg-type]


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
        "belongs elsewhere",
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
    assert abort.reason.startswith(f"{VICTIM} refused: ")
    # The session goes on, without the member that refused.
    world.play()
    assert world.sums()[0].contributors == ("org-0", "org-2", "org-3", "org-4")
    np.testing.assert_array_equal(world.sums()[0].vector, world.expected(world.sums()[0].contributors))


@pytest.mark.parametrize("number", [2, 9, 2**62])
def test_a_start_of_a_round_not_dealt_for_is_refused_without_any_ratchet_step(number: int) -> None:
    world = World(3)
    world.open()
    world.lie_to([VICTIM], Start, replaced(round=number))
    world.begin()
    world.run()
    assert (VICTIM, f"a Start of round {number} came, for which this member has no outstanding Deal") in world.errors
    # Nothing was changed: the true Start is still welcome.
    world.to_member = lambda member, data: [data]
    true = next(data for sender, to, data in world.sent(KIND.START) if to == "org-0")
    assert kind_of(true) is KIND.START


def test_a_task_or_model_other_than_named_is_refused() -> None:
    for change in (replaced(task_digest=bytes(32)), replaced(model_digest=bytes(32))):
        world = World(5)
        world.open()
        world.lie_to([VICTIM], Start, change)
        world.play()
        (refusal,) = world.events_of(VICTIM, RoundRefused)
        assert isinstance(refusal, RoundRefused)
        assert "digest check failed" in refusal.reason


def chunk_tap(world: World, change: Callable[[list[bytes]], list[bytes]]) -> None:
    """Change the row of chunks that the victim gets."""
    held: list[bytes] = []

    def tap(member: str, data: bytes) -> list[bytes]:
        if member != VICTIM or kind_of(data) is not KIND.CHUNK:
            return [data]
        held.append(data)
        return change(held) if len(held) == 3 else []

    world.to_member = tap


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda row: [row[0], row[2], row[1]], "the order is broken"),
        (lambda row: [row[0], row[0], row[1], row[2]], "the order is broken"),
        (lambda row: [row[1], row[2]], "the order is broken"),
        (lambda row: [row[0], row[1], row[1]], "the order is broken"),
        (lambda row: [row[0], row[1], row[2][:-10] + b"!" + row[2][-9:]], "digest check failed"),
    ],
    ids=["reordered", "repeated", "missing", "replaced", "changed"],
)
def test_a_broken_row_of_chunks_is_refused(change: Callable[[list[bytes]], list[bytes]], reason: str) -> None:
    world = World(5)
    world.open()
    chunk_tap(world, change)
    world.play(model=bytes(2**21) + b"end of the model")
    (refusal,) = world.events_of(VICTIM, RoundRefused)
    assert isinstance(refusal, RoundRefused)
    assert reason in refusal.reason


def test_chunks_too_many_are_refused() -> None:
    world = World(5)
    world.open()
    chunk_tap(world, lambda row: [*row, row[2]])
    world.play(model=bytes(2**21) + b"end of the model")
    assert (VICTIM, "a chunk of round 1 came, and none is awaited") in world.errors
    np.testing.assert_array_equal(world.sums()[0].vector, world.expected(world.names))


def test_a_shorter_chunk_is_refused() -> None:
    world = World(5)
    world.open()

    def tap(member: str, data: bytes) -> list[bytes]:
        if member != VICTIM or kind_of(data) is not KIND.CHUNK:
            return [data]
        envelope = open_envelope(data)
        chunk = Chunk.decode(envelope)
        return [pack_chunk("", dataclasses.replace(chunk, data=chunk.data[:-1]).encode())]

    world.to_member = tap
    world.play()
    (refusal,) = world.events_of(VICTIM, RoundRefused)
    assert isinstance(refusal, RoundRefused)
    assert "bytes, 21 were expected" in refusal.reason


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


def test_one_confirm_is_given_for_one_round() -> None:
    world = World(5)
    world.open()
    world.to_member = lambda member, data: [] if kind_of(data) is KIND.QUORUM else [data]
    world.begin()
    world.run()
    uploads = tuple(sorted((name, uploaded_digest(world, name)) for name in world.names))
    rho = next(Confirm.decode(open_envelope(data)).rho for _, _, data in world.sent(KIND.CONFIRM))
    world.deliver_to_member(VICTIM, world.forge(Survivors(1, rho, uploads[:4])))
    assert world.errors[-1] == (VICTIM, "a second, different list of survivors came; one was accepted and stays")
    # The very same list again is harmless.
    world.errors.clear()
    world.deliver_to_member(VICTIM, world.forge(Survivors(1, rho, uploads)))
    assert world.errors == []
    assert len([data for sender, _, data in world.sent(KIND.CONFIRM) if sender == VICTIM]) == 1


def uploaded_digest(world: World, name: str) -> bytes:
    return next(
        Upload.decode(open_envelope(data)).vector_digest
        for sender, _, data in world.sent(KIND.UPLOAD)
        if sender == name
    )


def confirm_of(world: World, signer: str, key: Ed25519PrivateKey, **changes: object) -> bytes:
    sent = [data for sender, _, data in world.sent(KIND.CONFIRM)]
    confirm = dataclasses.replace(Confirm.decode(open_envelope(sent[0])), **changes)  # type: ignore[arg-type]
    return sign_envelope(KIND.CONFIRM, signer, confirm.encode(), key, world.sid())


def test_bad_quorums_reveal_nothing() -> None:
    stranger = Ed25519PrivateKey.generate()

    def forged(world: World, quorum: Quorum) -> tuple[bytes, ...]:
        return (*quorum.confirms[:3], confirm_of(world, "org-4", stranger))

    def repeated(world: World, quorum: Quorum) -> tuple[bytes, ...]:
        return (*quorum.confirms[:3], quorum.confirms[0])

    def charter_only(world: World, quorum: Quorum) -> tuple[bytes, ...]:
        return (*quorum.confirms[:3], confirm_of(world, "org-4", world.identity["org-4"]))

    def outsider(world: World, quorum: Quorum) -> tuple[bytes, ...]:
        return (*quorum.confirms[:3], confirm_of(world, "zed", stranger))

    def too_few(world: World, quorum: Quorum) -> tuple[bytes, ...]:
        return quorum.confirms[:3]

    def other_view(world: World, quorum: Quorum) -> tuple[bytes, ...]:
        return (*quorum.confirms[:3], confirm_of(world, "org-4", stranger, view=bytes(32)))

    def other_round(world: World, quorum: Quorum) -> tuple[bytes, ...]:
        return (*quorum.confirms[:3], confirm_of(world, "org-4", stranger, round=7))

    expected = {
        forged: "not theirs for this session",
        repeated: "counted twice",
        charter_only: "not theirs for this session",
        outsider: "uploaded nothing",
        too_few: "3 members confirmed, 4 must",
        other_view: "another view",
        other_round: "another view",
    }
    for lie, reason in expected.items():
        world = World(5)
        world.open()
        world.lie_to(
            [VICTIM],
            Quorum,
            lambda quorum, lie=lie, world=world: dataclasses.replace(quorum, confirms=lie(world, quorum)),  # type: ignore[misc]
        )
        world.play()
        (refusal,) = world.events_of(VICTIM, RoundRefused)
        assert isinstance(refusal, RoundRefused)
        assert reason in refusal.reason
        assert VICTIM not in {sender for sender, _, _ in world.sent(KIND.REVEAL)}


def test_a_confirmer_outside_the_survivors_does_not_count() -> None:
    # org-4 is in the session and signs with its true key, but uploaded nothing in this round.
    world = World(5)
    world.vectors.pop("org-4")
    world.open()
    key = world.participants["org-4"]._joining.session_key  # type: ignore[union-attr]
    world.lie_to(
        [VICTIM],
        Quorum,
        lambda quorum: dataclasses.replace(quorum, confirms=(*quorum.confirms[:3], confirm_of(world, "org-4", key))),
    )
    world.begin()
    world.run()
    world.tick(600)
    world.run()
    (refusal,) = world.events_of(VICTIM, RoundRefused)
    assert isinstance(refusal, RoundRefused)
    assert "uploaded nothing" in refusal.reason


def test_split_views_of_the_survivors_reach_no_quorum() -> None:
    world = World(5)
    world.open()
    world.lie_to(
        ["org-0", "org-1"], Survivors, lambda survivors: dataclasses.replace(survivors, uploads=survivors.uploads[:4])
    )
    world.play()
    assert list(world.sent(KIND.REVEAL)) == []
    assert sum("confirms another view" in message for _, message in world.errors) == 2


def test_messages_out_of_turn_are_refused_and_change_nothing() -> None:
    world = World(3, answering=False)
    world.open()
    bad = world.participants[VICTIM]
    for message in (
        Survivors(1, bytes(32), ()),
        Quorum(1, ()),
        Receipt(world.sid(), 1, bytes(32), (), (), bytes(32), bytes(32), bytes(32), b"", bytes(32)),
        Abort(world.sid(), 1, bytes(32), "upload", (), "why", bytes(32)),
        Confirm(1, bytes(32), bytes(32)),
        Deal(b"", (), (), b""),
    ):
        with pytest.raises(PeerError):
            bad.receive(world.forge(message), 0.0)
    with pytest.raises(PeerError, match="none is awaited"):
        bad.receive(pack_chunk("", Chunk(1, 0, b"x").encode()), 0.0)
    world.answering = True
    world.play()
    np.testing.assert_array_equal(world.sums()[0].vector, world.expected(world.names))


def test_late_and_repeated_messages_of_the_coordinator_are_ignored() -> None:
    world = World(3)
    world.open()
    world.play()
    world.play()
    past = [data for sender, to, data in world.traffic if sender == "" and to == VICTIM]
    before = len(world.member_events[VICTIM])
    for data in past:
        if kind_of(data) is not KIND.INVITATION:
            world.deliver_to_member(VICTIM, data)
    assert world.errors == []
    assert len(world.member_events[VICTIM]) == before
    world.play()
    assert len(world.sums()) == 3


def test_every_message_may_arrive_twice() -> None:
    world = World(4)
    world.open()
    world.to_member = lambda member, data: [data] if kind_of(data) is KIND.CHUNK else [data, data]
    world.to_coordinator = world.to_member
    world.play()
    world.play()
    assert len(world.sums()) == 2
    assert world.errors == []


def test_messages_of_an_earlier_session_of_the_run_change_nothing() -> None:
    world = World(3)
    world.open()
    world.play()
    old = [data for sender, to, data in world.traffic if sender == "" and to == VICTIM]
    world.new_attempt()
    for name in world.names:
        world.join(name, last_receipt=world.chain[-1])
    world.run()
    known = len(world.member_events[VICTIM])
    for data in old:
        world.deliver_to_member(VICTIM, data)
    # Old invitations, chunks and documents are ignored; everything else has another session's signature.
    late = (KIND.INVITATION, KIND.CHUNK, KIND.RECEIPT)
    assert len(world.member_events[VICTIM]) == known
    assert len(world.errors) == len([data for data in old if kind_of(data) not in late])
    world.play()
    assert world.sums()[-1].round == 2
    np.testing.assert_array_equal(world.sums()[-1].vector, world.expected(world.names))


def test_receipts_with_other_contents_than_confirmed_are_refused() -> None:
    for changes, reason in (
        ({"rho": bytes(32)}, "another view"),
        ({"confirms": ()}, "0 members confirmed"),
        ({"previous": bytes(32)}, "does not continue the chain"),
        ({"sid": bytes(32)}, "not theirs"),
    ):
        world = World(3)
        world.open()
        world.lie_to([VICTIM], Receipt, lambda receipt, c=changes: dataclasses.replace(receipt, **c))  # type: ignore[misc]
        world.play()
        assert reason in world.errors[-1][1]
        assert world.documents_of(VICTIM) == []


def test_a_view_binds_every_upload() -> None:
    uploads: Uploads = (("a", b"1" * 32), ("b", b"2" * 32))
    views = {
        view_digest(bytes(32), uploads),
        view_digest(b"r" * 32, uploads),
        view_digest(bytes(32), uploads[:1]),
        view_digest(bytes(32), (("a", b"2" * 32), ("b", b"2" * 32))),
        view_digest(bytes(32), (("c", b"1" * 32), ("b", b"2" * 32))),
    }
    assert len(views) == 5
