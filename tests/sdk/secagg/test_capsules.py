"""ML-KEM capsules under a committed tree: protocol 3.1 to 3.4."""

import dataclasses

import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey

from headwater.errors import PeerError
from headwater.secagg.crypto.capsules import (
    CapsuleTree,
    check_encapsulation_key,
    encapsulate,
    open_capsule,
)
from headwater.secagg.protocol.events import SessionClosed
from headwater.secagg.wire.envelope import MessageType, open_envelope, sign_envelope
from headwater.secagg.wire.messages import Capsules, Hello
from support.network import World

MEMBERS = ("a", "b", "c", "d", "e")


CONTEXT = bytes(range(32))


def made(sender: str) -> tuple[dict[str, MLKEM768PrivateKey], dict[str, bytes], tuple[bytes, ...], tuple[str, ...]]:
    later = tuple(member for member in MEMBERS if member > sender)
    keys = {member: MLKEM768PrivateKey.generate() for member in later}
    public = {member: key.public_key().public_bytes_raw() for member, key in keys.items()}
    secrets, capsules = encapsulate(public)
    return keys, {member: secret.value for member, secret in secrets.items()}, capsules, later


@pytest.mark.parametrize("sender", ["a", "c", "d"])
def test_both_ends_hold_the_same_secret(sender: str) -> None:
    keys, secrets, capsules, later = made(sender)
    tree = CapsuleTree(CONTEXT, sender, later, capsules)
    for place, receiver in enumerate(later):
        opened = open_capsule(
            keys[receiver], CONTEXT, tree.root, MEMBERS, sender, receiver, capsules[place], tree.path(place)
        )
        assert opened.value == secrets[receiver]
    assert len(set(secrets.values())) == len(later)


def test_a_capsule_of_another_receiver_is_refused() -> None:
    keys, _, capsules, later = made("a")
    tree = CapsuleTree(CONTEXT, "a", later, capsules)
    with pytest.raises(PeerError, match="capsule of a is not the one"):
        open_capsule(keys["b"], CONTEXT, tree.root, MEMBERS, "a", "b", capsules[1], tree.path(1))


def test_a_tree_needs_one_capsule_for_each_later_member() -> None:
    _, _, capsules, later = made("a")
    for wrong in (capsules[:-1], (*capsules[:-1], b"short")):
        with pytest.raises(PeerError, match="one for each of 4"):
            CapsuleTree(CONTEXT, "a", later, wrong)


def test_the_last_member_commits_to_no_capsule() -> None:
    assert CapsuleTree(CONTEXT, "e", (), ()).root != CapsuleTree(CONTEXT, "d", (), ()).root


@pytest.mark.parametrize("key", [b"", bytes(1183), b"\xff" * 1184], ids=["empty", "short", "coefficients out of range"])
def test_an_unusable_key_is_refused(key: bytes) -> None:
    with pytest.raises(PeerError, match="FIPS 203"):
        check_encapsulation_key(key)


def test_capsules_that_the_accept_does_not_name_are_refused() -> None:
    world = World(3)
    world.join()
    world.run(until=lambda: any(True for _ in world.sent(MessageType.CAPSULES)))
    key = world.participants["org-0"]._joining.session_key  # type: ignore[union-attr]
    _, _, capsules, _ = made("c")
    forged = sign_envelope(MessageType.CAPSULES, "org-0", Capsules(capsules).encode(), key, world.setup_context())
    accept = next(data for sender, _, data in world.sent(MessageType.ACCEPT) if sender == "org-0")
    world.aggregator.receive("org-0", accept, world.now)
    with pytest.raises(PeerError, match="not those that its Accept commits to"):
        world.aggregator.receive("org-0", forged, world.now)


def test_a_bad_encapsulation_key_is_refused_at_the_door() -> None:
    world = World(3)
    world.join("org-0")
    world.run()
    good = next(data for _, _, data in world.sent(MessageType.HELLO))
    hello = dataclasses.replace(Hello.decode(open_envelope(good)), encapsulation_key=b"\xff" * 1184)
    data = sign_envelope(MessageType.HELLO, "org-1", hello.encode(), world.identity["org-1"], world.setup_context())
    with pytest.raises(PeerError, match="FIPS 203"):
        world.aggregator.receive("org-1", data, world.now)


def test_a_rolled_back_store_is_noticed_by_every_peer() -> None:
    world = World(4)
    world.records = {"org-1": 3}
    world.seen = {"org-1": 9}
    world.open()
    for member in ("org-0", "org-2", "org-3"):
        (closed,) = world.events_of(member, SessionClosed)
        assert isinstance(closed, SessionClosed)
        assert "org-1 counts 4 durable records, 9 were shown before" in closed.reason
