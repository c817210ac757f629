"""Guarantees about secrets: where they come from, how often they are used, and when they are gone."""

import ast
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import headwater.secagg
from headwater.errors import OutOfOrder
from headwater.secagg import dealing, member_round
from headwater.secagg.envelope import MessageType, open_envelope
from headwater.secagg.keys import Secret
from headwater.secagg.masks import MaskStream
from headwater.secagg.messages import Reveal
from headwater.secagg.rounds import rho
from headwater.secagg.sealing import seal
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


def test_the_package_stands_on_errors_alone() -> None:
    for path in PACKAGE.glob("*.py"):
        ours = {name for name in imported(path) if name.startswith("headwater")}
        assert all(name == "headwater.errors" or name.startswith("headwater.secagg") for name in ours), path.name


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


def test_revealing_erases_the_round() -> None:
    world = World(3)
    world.open()
    world.to_member = lambda member, data: [] if kind_of(data) is MessageType.RECEIPT else [data]
    world.play()
    for name in world.names:
        current = world.participants[name]._round
        assert current is not None
        assert (current.shares, current.pair_secrets, current.self_seed) == ({}, {}, None)


def test_masking_erases_the_seeds_before_the_first_byte() -> None:
    world = World(3, answering=False)
    world.open()
    world.begin()
    world.run()
    member = world.participants["org-0"]
    current = member._round
    assert current is not None
    seeds = [*current.pair_secrets.values(), current.self_seed]
    member.upload(1, world.vectors["org-0"])
    assert all(seed is not None and seed.erased for seed in seeds)


def test_the_state_after_a_round_opens_nothing_of_it() -> None:
    world = World(3)
    world.open()
    session = world.participants["org-0"]._session
    assert session is not None
    before = session.ratchets.pair_secret("org-1").value
    old = [pair.chain for pair in session.ratchets._pairs.values()]
    world.play()
    assert all(secret.erased for secret in old)
    assert session.ratchets.position == 2
    assert session.ratchets.pair_secret("org-1").value != before


def test_closing_erases_the_session() -> None:
    world = World(3)
    world.open()
    participant = world.participants["org-0"]
    session = participant._session
    assert session is not None
    deal = session.deal
    assert deal is not None
    participant.close("stopped")
    assert deal.self_seed.erased
    assert deal.shares.self_share.erased
    with pytest.raises(OutOfOrder, match="session is over"):
        session.ratchets.pair_secret("org-1")
    assert participant.close("again") == []
    assert participant.receive(next(data for _, to, data in world.traffic if to == "org-0"), 0.0) == []


def test_both_ends_of_a_pair_agree_and_nobody_else_does() -> None:
    world = World(3)
    world.open()
    ratchets = {}
    for name in world.names:
        session = world.participants[name]._session
        assert session is not None
        ratchets[name] = session.ratchets
    pairs = {frozenset((a, b)): ratchets[a].pair_secret(b).value for a in world.names for b in world.names if a != b}
    assert len(set(pairs.values())) == 3
    for a, b in (("org-0", "org-1"), ("org-1", "org-2")):
        assert ratchets[a].pair_secret(b) == ratchets[b].pair_secret(a)
        assert ratchets[a].outgoing_key(b) == ratchets[b].incoming_key(a)
        assert ratchets[a].outgoing_key(b) != ratchets[a].incoming_key(b)


def test_every_input_of_a_round_changes_rho() -> None:
    base = {
        "sid": bytes(32),
        "round_number": 1,
        "length": 5,
        "task_digest": bytes(32),
        "model_digest": bytes(32),
        "charge": b"",
        "plan_digest": bytes(32),
        "deals": (("a", bytes(32)), ("b", bytes(32))),
        "previous": bytes(32),
    }
    changes: dict[str, list[object]] = {
        "sid": [b"1" * 32],
        "round_number": [2],
        "length": [6],
        "task_digest": [b"2" * 32],
        "model_digest": [b"3" * 32],
        "charge": [b"{}"],
        "plan_digest": [b"4" * 32],
        "deals": [(("a", bytes(32)),), (("a", b"5" * 32), ("b", bytes(32))), (("a", bytes(32)), ("c", bytes(32)))],
        "previous": [b"6" * 32],
    }
    values = {rho(**base)}  # type: ignore[arg-type]
    for name, others in changes.items():
        values |= {rho(**{**base, name: other}) for other in others}  # type: ignore[arg-type]
    assert len(values) == 1 + sum(len(others) for others in changes.values())


def test_nothing_shown_of_a_machine_holds_a_secret() -> None:
    world = World(3, answering=False)
    world.open()
    world.begin()
    world.run()
    participant = world.participants["org-0"]
    session, current = participant._session, participant._round
    assert session is not None
    assert current is not None
    assert current.self_seed is not None
    shown = repr([session.deal, current, participant, world.aggregator, world.member_events["org-0"]])
    assert repr(current.self_seed.value)[2:-1] not in shown
    assert "TASK" not in shown
    assert str(world.member_events["org-0"]).count("data=") == 0


def test_reveals_hold_one_kind_of_share_of_each_dealer() -> None:
    world = World(5)
    world.vectors.pop("org-4")
    world.open()
    world.begin()
    world.run()
    world.tick(600)
    world.run()
    reveals = [Reveal.decode(open_envelope(data)) for _, _, data in world.sent(MessageType.REVEAL)]
    assert len(reveals) == 4
    for reveal in reveals:
        assert [dealer for dealer, _ in reveal.self_shares] == ["org-0", "org-1", "org-2", "org-3"]
        assert [dealer for dealer, _ in reveal.bundle_shares] == ["org-4"]
