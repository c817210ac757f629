"""Members that send what they like: each check of the coordinator, met with a message that fails it."""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey

from headwater.errors import PeerError
from headwater.secagg import dealing, messages
from headwater.secagg.envelope import MessageType, open_envelope, pack_chunk, sign_envelope
from headwater.secagg.events import MemberDropped, RoundRefused
from headwater.secagg.keys import Secret
from headwater.secagg.masks import MaskStream
from headwater.secagg.member_round import MemberRound
from headwater.secagg.phases import CoordinatorPhase
from headwater.secagg.sealing import seal
from headwater.secagg.shamir import PRIME, split
from support.network import AnyMessage, World, kind_of

KIND = MessageType
LIAR = "org-1"


def session_key(world: World, member: str) -> Ed25519PrivateKey:
    """A member's session key; a liar may sign anything with its own."""
    joining = world.participants[member]._joining
    if joining is None:
        raise LookupError(member)
    return joining.session_key


def lie_as(world: World, kind: type[AnyMessage], change: Callable[[AnyMessage], AnyMessage]) -> None:
    """From now on the liar changes its messages of one kind, and signs them."""

    def tap(member: str, data: bytes) -> list[bytes]:
        envelope = open_envelope(data)
        if member != LIAR or envelope.type is not kind.TYPE:
            return [data]
        if envelope.type is KIND.CHUNK:
            return [pack_chunk(LIAR, change(kind.decode(envelope)).encode())]
        body = change(kind.decode(envelope)).encode()
        return [sign_envelope(kind.TYPE, LIAR, body, session_key(world, LIAR), world.sid())]

    world.to_coordinator = tap


def flipped(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


def play_to_the_end(world: World) -> None:
    """Play a round, letting deadlines pass for whoever is still awaited."""
    world.begin()
    world.run()
    while world.aggregator.next_deadline is not None:
        world.tick(world.aggregator.next_deadline - world.now)
        world.run()


BAD_UPLOADS: dict[str, tuple[type[messages.Message], Callable[..., messages.Message], str]] = {
    "trailer of another ρ": (
        messages.Upload,
        lambda m: dataclasses.replace(m, rho=bytes(32)),
        "another Task or cohort",
    ),
    "trailer of another digest": (
        messages.Upload,
        lambda m: dataclasses.replace(m, vector_digest=bytes(32)),
        "digest check failed",
    ),
    "trailer of another size": (messages.Upload, lambda m: dataclasses.replace(m, size=4), "before all its bytes"),
    "trailer of a later round": (messages.Upload, lambda m: dataclasses.replace(m, round=2), "did not begin"),
    "chunk changed": (
        messages.Chunk,
        lambda m: dataclasses.replace(m, data=flipped(m.data)),
        "digest check failed",
    ),
    "chunk too short": (messages.Chunk, lambda m: dataclasses.replace(m, data=m.data[:-1]), "36 were expected"),
    "chunk too long": (messages.Chunk, lambda m: dataclasses.replace(m, data=m.data + b"x"), "36 were expected"),
    "chunk out of order": (messages.Chunk, lambda m: dataclasses.replace(m, index=1), "order is broken"),
    "chunk of a later round": (messages.Chunk, lambda m: dataclasses.replace(m, round=2), "did not begin"),
}


@pytest.mark.parametrize("name", BAD_UPLOADS)
def test_a_bad_upload_is_refused_and_its_member_dropped(name: str) -> None:
    kind, change, reason = BAD_UPLOADS[name]
    world = World(5)
    world.open()
    lie_as(world, kind, change)
    play_to_the_end(world)
    assert any(reason in message for who, message in world.errors if who == "")
    (event,) = world.sums()
    assert event.contributors == ("org-0", "org-2", "org-3", "org-4")
    np.testing.assert_array_equal(event.vector, world.expected(event.contributors))


@pytest.mark.parametrize(
    "change",
    [lambda row: row[::-1], lambda row: [row[0], *row], lambda row: row[:1], lambda row: [*row, row[1]]],
    ids=["reordered", "repeated", "missing", "extra"],
)
def test_a_broken_row_of_upload_chunks_never_enters_the_sum(change: Callable[[list[bytes]], list[bytes]]) -> None:
    world = World(5, length=262_200)
    world.open()
    row: list[bytes] = []

    def tap(member: str, data: bytes) -> list[bytes]:
        if member != LIAR or kind_of(data) is not KIND.CHUNK:
            return [data]
        row.append(data)
        return change(row) if len(row) == 2 else []

    world.to_coordinator = tap
    play_to_the_end(world)
    (event,) = world.sums()
    assert [who for who, _ in world.errors if who == ""]
    np.testing.assert_array_equal(event.vector, world.expected(event.contributors))


def test_bytes_that_are_no_message_are_refused() -> None:
    world = World(3)
    world.open()
    for data in (b"", b"\0" * 100, bytes(2**21), b"HWS\x01"):
        with pytest.raises(PeerError):
            world.aggregator.receive(LIAR, data, 0.0)
    world.play()
    assert len(world.sums()) == 1


def test_a_stranger_is_refused_at_the_door() -> None:
    world = World(3)
    world.open()
    with pytest.raises(PeerError, match="'zed' is not a member"):
        world.aggregator.connected("zed", 0.0)
    with pytest.raises(PeerError, match="'zed' is not a member"):
        world.aggregator.receive("zed", b"", 0.0)


def test_a_message_over_another_members_stream_is_refused() -> None:
    world = World(3)
    world.open()
    deal = next(data for sender, _, data in world.sent(KIND.DEAL) if sender == "org-0")
    with pytest.raises(PeerError, match="over the stream of org-1"):
        world.aggregator.receive(LIAR, deal, 0.0)


def test_messages_that_no_member_sends_are_refused() -> None:
    world = World(3)
    world.open()
    for kind in (KIND.START, KIND.SURVIVORS, KIND.QUORUM, KIND.RECEIPT, KIND.ABORT, KIND.DEAL_HEADER, KIND.CLOSE):
        data = sign_envelope(kind, LIAR, b"", session_key(world, LIAR), world.sid())
        with pytest.raises(PeerError, match="no member sends"):
            world.aggregator.receive(LIAR, data, 0.0)


def test_a_message_signed_by_another_key_is_refused() -> None:
    world = World(3)
    world.open()
    world.to_coordinator = lambda member, data: (
        [data]
        if member != LIAR or kind_of(data) is KIND.CHUNK
        else [sign_envelope(kind_of(data), LIAR, open_envelope(data).body, world.identity[LIAR], world.sid())]
    )
    play_to_the_end(world)
    assert world.sums() == []
    assert any("not theirs" in message for _, message in world.errors)


def rebuilt(deal: messages.Deal, **changes: object) -> messages.Deal:
    return dataclasses.replace(deal, **changes)  # type: ignore[arg-type]


BAD_DEALS: dict[str, tuple[Callable[[messages.Deal], messages.Deal], str]] = {
    "leaves": (
        lambda deal: rebuilt(deal, openings=((bytes(32), *deal.openings[0][1:]), *deal.openings[1:])),
        "leaves that its signed header does not commit to",
    ),
    "bundle": (lambda deal: rebuilt(deal, bundle=flipped(deal.bundle)), "bundle that its signed header"),
    "members": (lambda deal: rebuilt(deal, openings=deal.openings[:-1]), "another number of members"),
    "sealed": (lambda deal: rebuilt(deal, sealed=(b"", *deal.sealed[1:])), "lacks the sealed shares"),
}


@pytest.mark.parametrize("name", BAD_DEALS)
def test_a_bad_deal_is_refused_and_its_dealer_left_out(name: str) -> None:
    change, reason = BAD_DEALS[name]
    world = World(5)
    world.join()
    world.run(lambda: world.aggregator.phase is CoordinatorPhase.READY)
    lie_as(world, messages.Deal, change)
    world.run()
    assert any(reason in message for who, message in world.errors if who == "")
    play_to_the_end(world)
    assert world.sums()[0].contributors == ("org-0", "org-2", "org-3", "org-4")


def test_a_deal_header_of_another_member_is_refused() -> None:
    world = World(5)
    world.open()
    other = next(data for sender, _, data in world.sent(KIND.DEAL) if sender == "org-0")
    header = messages.Deal.decode(open_envelope(other)).header
    mine = messages.Deal.decode(open_envelope(next(d for s, _, d in world.sent(KIND.DEAL) if s == LIAR)))
    body = dataclasses.replace(mine, header=header).encode()
    with pytest.raises(PeerError, match="belongs elsewhere"):
        world.aggregator.receive(LIAR, sign_envelope(KIND.DEAL, LIAR, body, session_key(world, LIAR), world.sid()), 0.0)


def test_two_deals_for_one_round_are_refused() -> None:
    world = World(5)
    world.open()
    session = world.participants[LIAR]._session
    if session is None:
        raise LookupError(LIAR)
    again = dealing.make_deal(session.facts, LIAR, session.ratchets, session.sign)
    with pytest.raises(PeerError, match="dealt twice"):
        world.aggregator.receive(LIAR, again.message, 0.0)
    first = next(data for sender, _, data in world.sent(KIND.DEAL) if sender == LIAR)
    assert world.aggregator.receive(LIAR, first, 0.0) == []
    session.ratchets.advance(2)
    ahead = dealing.make_deal(session.facts, LIAR, session.ratchets, session.sign)
    with pytest.raises(PeerError, match="deals for round 2, round 1 is the next"):
        world.aggregator.receive(LIAR, ahead.message, 0.0)


def test_a_confirm_of_another_view_is_refused() -> None:
    world = World(5)
    world.open()
    lie_as(world, messages.Confirm, lambda confirm: dataclasses.replace(confirm, view=bytes(32)))
    play_to_the_end(world)
    assert ("", f"{LIAR} confirms another view of the round than it was sent") in world.errors
    np.testing.assert_array_equal(world.sums()[0].vector, world.expected(world.names))


BAD_REVEALS: dict[str, tuple[Callable[[messages.Reveal], messages.Reveal], str]] = {
    "a changed share": (
        lambda m: dataclasses.replace(m, self_shares=((m.self_shares[0][0], bytes(33)), *m.self_shares[1:])),
        "is not the one dealt to it",
    ),
    "a changed bundle share": (
        lambda m: dataclasses.replace(m, bundle_shares=((m.bundle_shares[0][0], bytes(33)),)),
        "is not the one dealt to it",
    ),
    "a share too few": (lambda m: dataclasses.replace(m, self_shares=m.self_shares[1:]), "other shares than"),
    "both kinds for one dealer": (
        lambda m: dataclasses.replace(m, bundle_shares=tuple(sorted((*m.bundle_shares, ("org-0", bytes(33)))))),
        "other shares than",
    ),
    "another round": (lambda m: dataclasses.replace(m, rho=bytes(32)), "for another round"),
}


@pytest.mark.parametrize("name", BAD_REVEALS)
def test_a_bad_reveal_names_the_liar_and_the_round_completes_without_it(name: str) -> None:
    change, reason = BAD_REVEALS[name]
    world = World(7)
    world.vectors.pop("org-6")
    world.open()
    lie_as(world, messages.Reveal, change)
    play_to_the_end(world)
    assert any(reason in message for who, message in world.errors if who == "")
    (event,) = world.sums()
    assert event.contributors == tuple(world.names[:6])
    np.testing.assert_array_equal(event.vector, world.expected(event.contributors))


def test_a_reveal_without_a_confirm_is_refused() -> None:
    world = World(5)
    world.open()
    reveals: dict[str, bytes] = {}
    held: list[bytes] = []

    def tap(member: str, data: bytes) -> list[bytes]:
        if kind_of(data) is KIND.CONFIRM and member == LIAR:
            held.append(data)
            return []
        if kind_of(data) is KIND.REVEAL:
            reveals[member] = data
            return []
        return [data]

    world.to_coordinator = tap
    world.begin()
    world.run()
    world.tick(30)
    world.run()
    # The liar was dropped for its silence; what it sends now is late, and changes nothing.
    body = messages.Reveal.decode(open_envelope(reveals["org-0"])).encode()
    late = sign_envelope(KIND.REVEAL, LIAR, body, session_key(world, LIAR), world.sid())
    assert world.aggregator.receive(LIAR, late, world.now) == []
    assert world.aggregator.receive(LIAR, held[0], world.now) == []
    assert world.sums() == []


@contextmanager
def patched(target: object, name: str, value: object) -> Iterator[None]:
    """Replace an attribute for a while."""
    before = getattr(target, name)
    setattr(target, name, value)
    try:
        yield
    finally:
        setattr(target, name, before)


def off_polynomial(secret: bytes, threshold: int, holders: int) -> list[bytes]:
    """Shares that open something else than the committed secret."""
    return split(flipped(secret), threshold, holders)


def test_a_dealer_whose_shares_open_another_seed_is_named_and_left_out() -> None:
    world = World(5)
    world.faults[LIAR] = lambda: patched(dealing, "split", off_polynomial)
    world.open()
    world.play()
    (abort,) = world.aborts()
    assert abort.reason == f"the shares of {LIAR} open another seed than it committed to"
    world.play()
    assert world.sums()[0].contributors == ("org-0", "org-2", "org-3", "org-4")


def no_secret(secret: bytes, threshold: int, holders: int) -> list[bytes]:
    """Shares of a value above 32 bytes."""
    return [(PRIME - 1).to_bytes(33, "big")] * holders


def test_a_dealer_whose_shares_open_nothing_is_named() -> None:
    world = World(5)
    world.faults[LIAR] = lambda: patched(dealing, "split", no_secret)
    world.open()
    world.play()
    assert [abort.reason for abort in world.aborts()] == [f"the shares of {LIAR} open no seed"]


def falsified_bundle(
    true_seal: Callable[[Secret, bytes, bytes], bytes], key: Secret, plain: bytes, associated: bytes, *, before: bool
) -> bytes:
    """Seal, with a byte of a bundle of four changed before or after; shares stay true."""
    if len(plain) != 4 * 32:
        return true_seal(key, plain, associated)
    return true_seal(key, flipped(plain), associated) if before else flipped(true_seal(key, plain, associated))


def test_a_dropped_dealer_whose_bundle_is_false_is_named() -> None:
    for place, reason in ((0, "does not open"), (1, "another pair secret than it committed to")):
        world = World(5)
        world.vectors.pop(LIAR)
        false_seal = partial(falsified_bundle, seal, before=place == 1)
        world.faults[LIAR] = partial(patched, dealing, "seal", false_seal)
        world.open()
        play_to_the_end(world)
        (abort,) = world.aborts()
        assert reason in abort.reason
        assert LIAR in abort.reason


def test_shares_that_the_victim_cannot_check_are_refused_by_the_victim() -> None:
    world = World(5)

    def wrong_shares(key: Secret, plain: bytes, associated: bytes) -> bytes:
        return seal(key, flipped(plain) if len(plain) == 66 else plain, associated)

    world.faults[LIAR] = lambda: patched(dealing, "seal", wrong_shares)
    world.open()
    world.play()
    (abort,) = world.aborts()
    assert f"the shares of {LIAR} are not those it committed to: leaf check failed" in abort.reason
    assert list(world.sent(KIND.UPLOAD)) == [] or world.sums() == []


def test_a_vector_masked_otherwise_than_agreed_gives_no_sum() -> None:
    world = World(5)
    world.open()
    true_stream = MemberRound._stream

    def unmasked(self: MemberRound, vector: object, masks: object, sign: object) -> object:
        return true_stream(self, vector, MaskStream([], []), sign)  # type: ignore[arg-type]

    world.vectors = {name: vector for name, vector in world.vectors.items() if name != LIAR}
    liar_vector = np.zeros(world.length, dtype=np.uint32)
    world.begin()
    world.run()
    with patched(MemberRound, "_stream", unmasked):
        for data in world.participants[LIAR].upload(1, liar_vector):
            world.send(LIAR, data)
    world.run()
    assert [abort.reason for abort in world.aborts()] == [
        "the check coordinates of the sum are off: a member's vector is not masked as agreed"
    ]
    assert world.sums() == []


def test_an_organisation_may_refuse_a_task() -> None:
    world = World(5)
    world.vectors.pop("org-3")
    world.open()
    world.begin()
    world.run()
    world.member_does("org-3", world.participants["org-3"].refuse(1, "the plan allows no such Task"))
    world.run()
    assert world.events_of("org-3", RoundRefused) == [RoundRefused(1, "the plan allows no such Task")]
    assert [abort.reason for abort in world.aborts()] == ["org-3 refused: the plan allows no such Task"]
    dropped = [event for event in world.aggregator_events if isinstance(event, MemberDropped)]
    assert [(event.member, event.reason) for event in dropped] == [("org-3", "the plan allows no such Task")]
    world.play()
    assert world.sums()[0].contributors == ("org-0", "org-1", "org-2", "org-4")


def test_a_false_refusal_aborts_nothing() -> None:
    world = World(3, answering=False)
    world.open()
    world.begin()
    world.run()
    body = messages.Refusal(1, "I am org-0").encode()
    with pytest.raises(PeerError, match="not theirs"):
        world.aggregator.receive(
            "org-0", sign_envelope(KIND.REFUSAL, "org-0", body, session_key(world, LIAR), world.sid()), 0.0
        )
    ahead = messages.Refusal(5, "early").encode()
    with pytest.raises(PeerError, match="did not begin"):
        world.aggregator.receive(
            "org-0", sign_envelope(KIND.REFUSAL, "org-0", ahead, session_key(world, "org-0"), world.sid()), 0.0
        )
    assert world.aborts() == []


def test_bad_hellos_are_refused_at_the_door() -> None:
    world = World(3)
    world.join("org-0")
    world.run()
    good = next(data for _, _, data in world.sent(KIND.HELLO))
    hello = messages.Hello.decode(open_envelope(good))
    context, identity = world.setup_context(), world.identity

    def signed(member: str, changed: messages.Hello, key: Ed25519PrivateKey) -> bytes:
        return sign_envelope(KIND.HELLO, member, changed.encode(), key, context)

    fresh = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    cases = {
        "key of the Hello of org-0": signed("org-1", hello, identity["org-1"]),
        "another plan": signed("org-1", dataclasses.replace(hello, plan_digest=b"x" * 32), identity["org-1"]),
        "not theirs": signed("org-1", hello, identity["org-0"]),
        "unknown to this coordinator": signed(
            "org-1",
            dataclasses.replace(
                hello,
                last_document=b"x" * 32,
                session_key=fresh,
                exchange_key=b"\x09" + bytes(31),
                encapsulation_key=MLKEM768PrivateKey.generate().public_key().public_bytes_raw(),
            ),
            identity["org-1"],
        ),
    }
    for reason, data in cases.items():
        with pytest.raises(PeerError, match=reason):
            world.aggregator.receive("org-1", data, 0.0)
    second = signed("org-0", dataclasses.replace(hello, session_key=fresh), identity["org-0"])
    with pytest.raises(PeerError, match="second, different Hello"):
        world.aggregator.receive("org-0", second, 0.0)
    world.join("org-1", "org-2")
    world.run()
    world.play()
    assert len(world.sums()) == 1


def test_messages_before_their_phase_are_refused() -> None:
    world = World(3)
    world.join("org-0")
    world.run()
    joining = world.participants["org-0"]._joining
    if joining is None:
        raise LookupError
    for kind, message in (
        (KIND.ACCEPT, messages.Accept(bytes(32), bytes(32))),
        (KIND.CONFIRM, messages.Confirm(1, bytes(32), bytes(32))),
        (KIND.REFUSAL, messages.Refusal(3, "why")),
    ):
        data = sign_envelope(kind, "org-0", message.encode(), joining.session_key, world.setup_context())
        with pytest.raises(PeerError):
            world.aggregator.receive("org-0", data, 0.0)
