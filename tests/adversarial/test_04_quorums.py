"""Protocol 7, item 4: split views of the survivors, and quorums that are none."""

import dataclasses

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.secagg import messages
from headwater.secagg.envelope import open_envelope, sign_envelope
from headwater.secagg.events import RoundRefused
from headwater.secagg.messages import (
    Confirm,
    Quorum,
    Survivors,
)
from headwater.secagg.rounds import view_digest
from support.lies import KIND, LIAR, VICTIM, lie_as, play_to_the_end
from support.network import World


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


Uploads = tuple[tuple[str, bytes], ...]


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


def test_a_confirm_of_another_view_is_refused() -> None:
    world = World(5)
    world.open()
    lie_as(world, messages.Confirm, lambda confirm: dataclasses.replace(confirm, view=bytes(32)))
    play_to_the_end(world)
    assert ("", f"{LIAR} confirms another view of the round than it was sent") in world.errors
    np.testing.assert_array_equal(world.sums()[0].vector, world.expected(world.names))
