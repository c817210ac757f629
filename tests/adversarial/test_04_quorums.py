"""Protocol 7, item 4: split views of the survivors, and quorums that are none."""

import dataclasses

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.secagg.protocol.events import RoundRefused
from headwater.secagg.protocol.rounds import view_digest
from headwater.secagg.protocol.terms import cohort_problem, largest_collusion, threshold
from headwater.secagg.wire import messages
from headwater.secagg.wire.envelope import open_envelope, sign_envelope
from headwater.secagg.wire.messages import (
    Confirm,
    Quorum,
    Survivors,
)
from support.lies import KIND, LIAR, VICTIM, lie_as, play_to_the_end, session_key, uploaded_digest
from support.network import World, kind_of


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


def colluder_confirm(world: World, signer: str, uploads: Uploads) -> bytes:
    """A Confirm that a colluder signs with its true session key, over whatever view it likes."""
    sent = Confirm.decode(open_envelope(next(data for _, _, data in world.sent(KIND.CONFIRM))))
    confirm = dataclasses.replace(sent, view=view_digest(sent.rho, uploads))
    return sign_envelope(KIND.CONFIRM, signer, confirm.encode(), session_key(world, signer), world.sid())


def test_a_quorum_for_another_view_by_true_signatures_opens_nothing() -> None:
    # Not the signature is wrong but what it is for: a colluder confirmed the view without org-0 as well.
    world = World(5)
    world.open()

    def lie(quorum: Quorum) -> Quorum:
        other = tuple((name, uploaded_digest(world, name)) for name in world.names[1:])
        return dataclasses.replace(quorum, confirms=(*quorum.confirms[:3], colluder_confirm(world, "org-4", other)))

    world.lie_to([VICTIM], Quorum, lie)
    world.play()
    (refusal,) = world.events_of(VICTIM, RoundRefused)
    assert isinstance(refusal, RoundRefused)
    assert refusal.reason == "the Confirm of org-4 is for another view of the round"


@pytest.mark.parametrize("shown_all", [1, 2])
def test_two_views_with_all_colluders_on_both_sides_never_both_open(shown_all: int) -> None:
    # n = 5 bears c = 2: the honest three are split, the colluders org-3 and org-4 sign either view.
    world = World(5, colluders=2)
    world.open()
    honest, colluders = world.names[:3], world.names[3:]
    views: dict[str, Uploads] = {}

    def tap(member: str, data: bytes) -> list[bytes]:
        if kind_of(data) is KIND.SURVIVORS and member in honest:
            survivors = Survivors.decode(open_envelope(data))
            shown = survivors.uploads if honest.index(member) < shown_all else survivors.uploads[1:]
            views[member] = shown if member in dict(shown) else survivors.uploads
            return [world.forge(dataclasses.replace(survivors, uploads=views[member]))]
        return [] if kind_of(data) is KIND.QUORUM else [data]

    world.to_member = tap
    world.play()
    confirms = {sender: data for sender, _, data in world.sent(KIND.CONFIRM) if sender in honest}
    world.to_member = lambda member, data: [data]
    for member in honest:
        same = [confirms[other] for other in honest if views[other] == views[member]]
        bought = [colluder_confirm(world, colluder, views[member]) for colluder in colluders]
        world.deliver_to_member(member, world.forge(Quorum(1, (*same, *bought))))
    opened = {views[sender] for sender, _, _ in world.sent(KIND.REVEAL) if sender in honest}
    assert len(set(views.values())) == 2
    assert len(opened) <= 1
    refused = [text for member in honest for text in (event.reason for event in world.events_of(member, RoundRefused))]  # type: ignore[union-attr]
    assert refused
    assert all(text.endswith("members confirmed, 4 must") for text in refused)


@pytest.mark.parametrize("count", range(3, 41))
def test_no_split_of_the_honest_reaches_two_quorums_at_the_largest_collusion(count: int) -> None:
    bearable, quorum = largest_collusion(count), threshold(count)

    def both(colluders: int) -> bool:
        honest = count - colluders
        return any(
            one + colluders >= quorum and honest - one + colluders >= quorum for one in range(max(0, honest) + 1)
        )

    assert not both(bearable)
    assert cohort_problem(count, 3, bearable) is None
    assert cohort_problem(count, 3, bearable + 1) is not None
