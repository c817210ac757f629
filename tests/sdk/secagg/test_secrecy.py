"""Guarantees about secrets: which parties agree on them, and what they are bound to."""

from headwater.secagg.protocol.rounds import rho
from support.network import World


def test_both_ends_of_a_pair_agree_and_nobody_else_does() -> None:
    world = World(3)
    world.open()
    ratchets = {}
    for name in world.names:
        session = world.participants[name]._player.session
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
