"""Protocol 7, item 2: nobody gives both kinds of share of one dealer, however it is asked."""

from headwater.secagg.envelope import MessageType, open_envelope
from headwater.secagg.messages import (
    Confirm,
    Reveal,
    Survivors,
)
from support.lies import KIND, VICTIM, uploaded_digest
from support.network import World, kind_of


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
