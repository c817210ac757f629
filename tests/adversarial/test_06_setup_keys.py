"""Protocol 7, item 6: substituted keys, points of small order, swapped capsules, copied Hellos, a ninth attempt."""

import dataclasses
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey

from headwater.errors import InputError, PeerError
from headwater.secagg.protocol.events import SessionClosed
from headwater.secagg.protocol.session import setup_context
from headwater.secagg.wire import messages
from headwater.secagg.wire.envelope import open_envelope, sign_envelope
from headwater.secagg.wire.messages import Accept, Delivery, Hello, Hellos, Invitation, Session
from support.lies import KIND, VICTIM
from support.network import World


def hello_lies() -> dict[str, tuple[Callable[[World, Hellos], tuple[bytes, ...]], str]]:
    def altered(**changes: object) -> Callable[[World, Hellos], tuple[bytes, ...]]:
        def lie(world: World, shown: Hellos) -> tuple[bytes, ...]:
            hello = dataclasses.replace(Hello.decode(open_envelope(shown.hellos[0])), **changes)  # type: ignore[arg-type]
            context = world.setup_context()
            data = sign_envelope(KIND.HELLO, "org-0", hello.encode(), world.identity["org-0"], context)
            return (data, *shown.hellos[1:])

        return lie

    def stranger(world: World, shown: Hellos) -> tuple[bytes, ...]:
        hello = Hello.decode(open_envelope(shown.hellos[0]))
        key = Ed25519PrivateKey.generate()
        return (*shown.hellos, sign_envelope(KIND.HELLO, "zed", hello.encode(), key, world.setup_context()))

    def substituted(world: World, shown: Hellos) -> tuple[bytes, ...]:
        hello = dataclasses.replace(Hello.decode(open_envelope(shown.hellos[0])), session_key=b"k" * 32)
        key = Ed25519PrivateKey.generate()
        return (sign_envelope(KIND.HELLO, "org-0", hello.encode(), key, world.setup_context()), *shown.hellos[1:])

    def copied(world: World, shown: Hellos) -> tuple[bytes, ...]:
        other = Hello.decode(open_envelope(shown.hellos[2]))
        return altered(exchange_key=other.exchange_key)(world, shown)

    return {
        "suite": (altered(suite="none"), "another suite"),
        "attempt": (altered(attempt=2), "another attempt"),
        "charter": (altered(charter_digest=b"c" * 32), "another charter"),
        "plan": (altered(plan_digest=b"p" * 32), "another plan"),
        "run": (altered(run_id="run-2"), "another run"),
        "small order": (altered(exchange_key=bytes(32)), "small order"),
        "small order one": (altered(exchange_key=b"\1" + bytes(31)), "small order"),
        "stranger": (stranger, "not a member of the charter"),
        "substituted": (substituted, "not theirs"),
        "copied key": (copied, "same exchange key"),
        "own missing": (lambda world, shown: shown.hellos[:1] + shown.hellos[2:], "lack this member's own"),
        "repeated": (lambda world, shown: (shown.hellos[0], *shown.hellos), "not sorted"),
        "unsorted": (lambda world, shown: shown.hellos[::-1], "not sorted"),
    }


@pytest.mark.parametrize("name", hello_lies())
def test_a_bad_list_of_hellos_is_refused(name: str) -> None:
    lie, reason = hello_lies()[name]
    world = World(5)
    world.lie_to([VICTIM], Hellos, lambda shown: Hellos(lie(world, shown)))
    world.open()
    (closed,) = world.events_of(VICTIM, SessionClosed)
    assert isinstance(closed, SessionClosed)
    assert reason in closed.reason
    assert VICTIM not in {sender for sender, _, _ in world.sent(KIND.ACCEPT)}
    # The other four begin their session at once: the refusal reached the coordinator.
    world.play()
    assert world.sums()[0].contributors == ("org-0", "org-2", "org-3", "org-4")


def accept_by(world: World, signer: str, agreed: bytes) -> bytes:
    key = world.participants[signer]._joining.session_key  # type: ignore[union-attr]
    return sign_envelope(KIND.ACCEPT, signer, Accept(agreed, bytes(32)).encode(), key, world.setup_context())


SESSION_LIES: dict[str, tuple[Callable[[World, Session], Session], str]] = {
    "too few members": (
        lambda world, session: dataclasses.replace(session, accepts=session.accepts[:2]),
        "2 members take part",
    ),
    "other Hellos": (
        lambda world, session: dataclasses.replace(session, hellos=session.hellos[:4], accepts=session.accepts[:4]),
        "other Hellos",
    ),
    "own Accept missing": (
        lambda world, session: dataclasses.replace(session, accepts=session.accepts[:1] + session.accepts[2:]),
        "without this member",
    ),
    "an Accept of other Hellos": (
        lambda world, session: dataclasses.replace(
            session, accepts=(accept_by(world, "org-0", bytes(32)), *session.accepts[1:])
        ),
        "other Hellos",
    ),
    "an Accept twice": (
        lambda world, session: dataclasses.replace(session, accepts=(session.accepts[0], *session.accepts)),
        "not sorted",
    ),
    "another place in the chain": (
        lambda world, session: dataclasses.replace(session, first_round=2),
        "broken chain",
    ),
    "another chain": (lambda world, session: dataclasses.replace(session, previous=bytes(32)), "broken chain"),
}


@pytest.mark.parametrize("name", SESSION_LIES)
def test_a_bad_opening_of_the_session_is_refused(name: str) -> None:
    lie, reason = SESSION_LIES[name]
    world = World(5)
    world.lie_to([VICTIM], Session, lambda session: lie(world, session))
    world.open()
    (closed,) = world.events_of(VICTIM, SessionClosed)
    assert isinstance(closed, SessionClosed)
    assert reason in closed.reason
    world.play()
    assert world.sums()[0].contributors == ("org-0", "org-2", "org-3", "org-4")


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


def test_a_coordinator_that_swaps_capsules_is_found_out() -> None:
    world = World(4)

    def swapped(delivery: Delivery) -> Delivery:
        (first, one, path), (second, two, other) = delivery.capsules[:2]
        return Delivery(((first, two, path), (second, one, other), *delivery.capsules[2:]))

    world.lie_to(["org-2"], Delivery, swapped, setup=True)
    world.open()
    (closed,) = world.events_of("org-2", SessionClosed)
    assert isinstance(closed, SessionClosed)
    assert "capsule check failed" in closed.reason


def test_a_coordinator_that_withholds_capsules_is_found_out() -> None:
    world = World(4)
    world.lie_to(["org-2"], Delivery, lambda delivery: Delivery(delivery.capsules[1:]), setup=True)
    world.open()
    (closed,) = world.events_of("org-2", SessionClosed)
    assert isinstance(closed, SessionClosed)
    assert "without the capsules" in closed.reason


def test_a_ninth_attempt_is_refused_by_both_sides() -> None:
    world = World(3)
    with pytest.raises(InputError, match="outside 1 to 8"):
        world.terms(9)
    world.join("org-0")
    context = setup_context(world.roster, world.terms(8), 9)
    with pytest.raises(PeerError, match="not awaited"):
        world.participants["org-0"].receive(world.forge(Invitation("run-1", 9), context), 0.0)
