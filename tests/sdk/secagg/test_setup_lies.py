"""A coordinator that lies in the setup: each check of a member, met with a list or opening that fails it."""

import dataclasses
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.secagg import Participant
from headwater.secagg.envelope import MessageType, open_envelope, sign_envelope
from headwater.secagg.events import SessionClosed
from headwater.secagg.messages import Accept, Hello, Hellos, Session
from support.network import World

KIND = MessageType
VICTIM = "org-1"


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


@pytest.mark.parametrize("count", [3, 4])
def test_a_session_shrunk_below_what_bears_the_colluders_is_refused(count: int) -> None:
    world = World(5, colluders=2)
    world.lie_to([VICTIM], Session, lambda session: dataclasses.replace(session, accepts=session.accepts[:count]))
    world.open()
    (closed,) = world.events_of(VICTIM, SessionClosed)
    assert isinstance(closed, SessionClosed)
    assert "bear at most 1 colluding" in closed.reason


def test_a_required_member_must_take_part() -> None:
    world = World(4)
    world.join(*world.names[1:])
    terms = world.terms(1)
    picky = Participant(world.roster, terms, "org-1", world.identity["org-1"], required_members=["org-0"])
    world.participants["org-1"] = picky
    world.run()
    world.tick(60)
    world.run()
    assert world.events_of("org-1", SessionClosed) == [SessionClosed("this organisation takes no part without org-0")]
