"""Protocol 7, item 17: recorded traffic with the state of members after a round opens nothing of it."""

import pytest

from headwater.errors import OutOfOrder
from headwater.secagg.envelope import MessageType
from support.network import World, kind_of


def test_revealing_erases_the_round() -> None:
    world = World(3)
    world.open()
    world.to_member = lambda member, data: [] if kind_of(data) is MessageType.RECEIPT else [data]
    world.play()
    for name in world.names:
        current = world.participants[name]._round
        assert current is not None
        assert (current.shares, current.pair_secrets) == ({}, {})
        seed = current.self_seed
        assert seed is not None
        # The receipt ends what an inquiry could still ask for (protocol 4.8).
        receipt = next(data for data in reversed(world.chain))
        world.deliver_to_member(name, receipt)
        assert world.participants[name]._round is None
        assert (current.check_masks, current.self_seed) == ({}, None)
        assert seed.erased


def test_masking_erases_the_pair_secrets_before_the_first_byte() -> None:
    world = World(3, answering=False)
    world.open()
    world.begin()
    world.run()
    member = world.participants["org-0"]
    current = member._round
    assert current is not None
    secrets = list(current.pair_secrets.values())
    assert len(secrets) == 2
    member.upload(1, world.vectors["org-0"])
    assert all(secret.erased for secret in secrets)


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
