"""Protocol 7, item 13: where randomness comes from, and how often a key is used."""

import ast
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import headwater.secagg
from headwater.secagg.crypto.keys import Secret
from headwater.secagg.crypto.masks import MaskStream
from headwater.secagg.crypto.sealing import seal
from headwater.secagg.member import round as member_round
from headwater.secagg.protocol import dealing
from headwater.secagg.protocol.phases import CoordinatorPhase
from headwater.secagg.wire.envelope import MessageType
from support.network import World, kind_of

PACKAGE = Path(headwater.secagg.__file__).parent


def imported(path: Path) -> Iterator[str]:
    """Names of all modules that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Attribute) and node.attr == "random":
            yield "random"


def test_no_seedable_generator_clock_or_transport_is_near_the_protocol() -> None:
    forbidden = {"random", "time", "datetime", "logging", "socket", "os", "grpc", "torch", "pickle", "asyncio"}
    for path in PACKAGE.glob("*.py"):
        assert not forbidden & {name.split(".")[0] for name in imported(path)}, path.name


def test_no_key_serves_two_masks(monkeypatch: pytest.MonkeyPatch) -> None:
    used: Counter[bytes] = Counter()

    class Recorded(MaskStream):
        def __init__(self, added: Iterable[Secret], subtracted: Iterable[Secret], **ring: int) -> None:
            added, subtracted = list(added), list(subtracted)
            used.update(key.value for key in (*added, *subtracted))
            super().__init__(added, subtracted, **ring)

    monkeypatch.setattr(member_round, "MaskStream", Recorded)
    world = World(4)
    world.open()
    for _ in range(3):
        world.play()
    world.new_attempt()
    for name in world.names:
        world.join(name, last_receipt=world.chain[-1])
    world.run()
    world.play()
    # Four rounds of 4 own masks and 6 pair masks; a pair mask is used by its two ends, with opposite signs.
    assert Counter(used.values()) == {1: 4 * 4, 2: 4 * 6}


def test_no_sealing_key_serves_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    used: Counter[bytes] = Counter()

    def recorded(key: Secret, plain: bytes, associated: bytes) -> bytes:
        used[key.value] += 1
        return seal(key, plain, associated)

    monkeypatch.setattr(dealing, "seal", recorded)
    world = World(4)
    world.open()
    world.play()
    world.disconnect("org-0")
    world.connect("org-0")
    world.run()
    world.play()
    assert set(used.values()) == {1}
    # Three Deals of 4 members: 3 receivers and a bundle each.
    assert len(used) == 3 * 4 * 4


def test_the_package_stands_on_errors_alone() -> None:
    for path in PACKAGE.glob("*.py"):
        ours = {name for name in imported(path) if name.startswith("headwater")}
        assert all(name == "headwater.errors" or name.startswith("headwater.secagg") for name in ours), path.name


class Ledger:
    """Every key that masks or seals anything, and for whom, while it is in place."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.masks: Counter[bytes] = Counter()
        self.seals: Counter[bytes] = Counter()
        ledger = self

        class Recorded(MaskStream):
            def __init__(self, added: Iterable[Secret], subtracted: Iterable[Secret], **ring: int) -> None:
                added, subtracted = list(added), list(subtracted)
                ledger.masks.update(key.value for key in (*added, *subtracted))
                super().__init__(added, subtracted, **ring)

        def recorded(key: Secret, plain: bytes, associated: bytes) -> bytes:
            ledger.seals[key.value] += 1
            return seal(key, plain, associated)

        monkeypatch.setattr(member_round, "MaskStream", Recorded)
        monkeypatch.setattr(dealing, "seal", recorded)


ACCIDENTS = ["play", "break", "restart", "setup", "lose a quorum", "replay"]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(ACCIDENTS), min_size=4, max_size=9), st.integers(0, 3))
def test_no_key_and_nonce_serve_twice_whatever_breaks_and_restarts(accidents: list[str], place: int) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        ledger = Ledger(monkeypatch)
        world = World(4, rounds=50)
        world.open()
        member = world.names[place]
        for accident in accidents:
            happen(world, accident, member)
        # The nonce is constant, so a key seals once; a pair mask has two ends, an own mask one.
        assert set(ledger.seals.values()) <= {1}
        assert set(ledger.masks.values()) <= {1, 2}


def happen(world: World, accident: str, member: str) -> None:
    """One thing that goes right or wrong."""
    match accident:
        case "play":
            if world.aggregator.phase is CoordinatorPhase.READY:
                world.play()
        case "break":
            world.disconnect(member)
            world.connect(member)
            world.run()
        case "restart":
            world.disconnect(member)
            known = world.documents_of(member)
            world.join(member, attempt=min(8, world.attempt + 1), last_receipt=known[-1] if known else None)
            world.run()
        case "setup" if world.attempt < 8:
            world.new_attempt()
            for name in world.names:
                known = world.documents_of(name)
                world.join(name, last_receipt=known[-1] if known else None)
            world.run()
        case "lose a quorum":
            world.to_member = lambda name, data: [] if kind_of(data) is MessageType.QUORUM else [data]
            happen(world, "play", member)
            world.to_member = lambda name, data: [data]
            world.tick(1000)
            world.run()
        case "replay":
            for data in [data for sender, to, data in world.traffic if sender == "" and to == member]:
                world.deliver_to_member(member, data)
            world.run()
        case _:
            pass


NEXT_AFTER_SEED_ONE = (random.Random(1).random(), np.random.RandomState(1).random())


def test_seeded_generators_decide_nothing() -> None:
    # The bug this is for: masks from a generator that somebody can seed or read out.
    def drawn() -> Counter[bytes]:
        random.seed(1)
        np.random.seed(1)
        with pytest.MonkeyPatch.context() as patch:
            ledger = Ledger(patch)
            world = World(3)
            world.open()
            world.play()
        assert len(world.sums()) == 1
        return ledger.masks + ledger.seals

    first, second = drawn(), drawn()
    assert not set(first) & set(second)
    # Nor was anything drawn from them: they stand where seeding put them.
    assert (random.random(), np.random.random()) == NEXT_AFTER_SEED_ONE


def test_mask_keys_have_all_their_entropy(monkeypatch: pytest.MonkeyPatch) -> None:
    # The regression of 28 bits: base64 text folded by XOR leaves bits that never change. Here each of 256 bits does.
    ledger = Ledger(monkeypatch)
    world = World(6, rounds=8)
    world.open()
    for _ in range(6):
        world.play()
    keys = list(ledger.masks)
    assert len(keys) == 6 * (6 + 15)
    assert {len(key) for key in keys} == {32}
    bits = np.unpackbits(np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(len(keys), 32), axis=1)
    # 126 fair bits stay below 25 or above 101 with probability 2^-38; 256 columns are looked at.
    assert ((bits.sum(axis=0) > 25) & (bits.sum(axis=0) < 101)).all()
    assert max(key.count(byte) for key in keys for byte in set(key)) < 8
