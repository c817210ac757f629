"""Protocol 7, item 2: nobody gives both kinds of share of one dealer, however it is asked."""

import dataclasses

import pytest

from headwater.errors import InputError, PeerError
from headwater.secagg import Participant
from headwater.secagg.protocol.events import RoundRefused
from headwater.secagg.wire.envelope import MessageType, open_envelope
from headwater.secagg.wire.messages import Confirm, Quorum, Reveal, Start, Survivors
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


def test_one_message_cannot_ask_for_both_kinds_of_one_dealer() -> None:
    # Who dropped is derived from who survived, so a list that names a dealer in both roles cannot be written,
    twice = (("org-0", bytes(32)), ("org-0", bytes(32)))
    with pytest.raises(InputError, match="none repeated"):
        Survivors(1, bytes(32), twice).encode()
    # and of the three messages that a coordinator may send after Start none has a place for a second list.
    assert [field.name for field in dataclasses.fields(Survivors)] == ["round", "rho", "uploads"]
    assert [field.name for field in dataclasses.fields(Quorum)] == ["round", "confirms"]


def test_a_second_quorum_for_the_other_list_gets_nothing() -> None:
    # The second message: after the Reveal over all five, Survivors and Quorum that call org-4 dropped.
    world = World(5)
    world.open()
    world.to_member = lambda member, data: [] if kind_of(data) in (KIND.RECEIPT, KIND.ABORT) else [data]
    world.play()
    uploads = tuple((name, uploaded_digest(world, name)) for name in world.names[:4])
    confirms = [data for _, _, data in world.sent(KIND.CONFIRM)]
    rho = Confirm.decode(open_envelope(confirms[0])).rho
    before = len(list(world.sent(KIND.REVEAL)))
    for name in world.names[:4]:
        world.deliver_to_member(name, world.forge(Survivors(1, rho, uploads)))
        world.deliver_to_member(name, world.forge(Quorum(1, tuple(confirms[:4]))))
    assert len(list(world.sent(KIND.REVEAL))) == before == 5
    assert [text for _, text in world.errors] == [
        "a second, different list of survivors came; one was accepted and stays"
    ] * 4


def test_the_shares_of_one_round_are_not_dealt_into_the_next() -> None:
    # Over two rounds: round 1 opens b of everybody; a Start of round 2 with round 1's Deal would open its w.
    world = World(5)
    world.open()
    world.play()
    first = Start.decode(open_envelope(next(data for _, to, data in world.sent(KIND.START) if to == VICTIM)))
    old = next(row for row in first.entries if row[0] == "org-0")

    def change(start: Start) -> Start:
        return dataclasses.replace(start, entries=tuple(old if row[0] == "org-0" else row for row in start.entries))

    world.lie_to([VICTIM], Start, change)
    world.play()
    (refusal,) = world.events_of(VICTIM, RoundRefused)
    assert isinstance(refusal, RoundRefused)
    assert "is not of org-0 for round 2; it belongs elsewhere" in refusal.reason
    assert not [data for sender, _, data in world.sent(KIND.REVEAL) if sender == VICTIM][1:]


def test_a_restarted_member_gives_no_share_of_the_round_it_left() -> None:
    # After a restart: the victim had confirmed that org-4 survived; its new process is asked the other way round.
    world = World(5)
    world.open()
    world.to_member = lambda member, data: [] if kind_of(data) is KIND.QUORUM else [data]
    world.play()
    old = [data for sender, to, data in world.traffic if sender == "" and to == VICTIM]
    uploads = tuple((name, uploaded_digest(world, name)) for name in world.names[:4])
    rho = next(Confirm.decode(open_envelope(data)).rho for _, _, data in world.sent(KIND.CONFIRM))
    restarted = Participant(world.roster, world.terms(2), VICTIM, world.identity[VICTIM])
    asked = [*old, world.forge(Survivors(1, rho, uploads)), world.forge(Quorum(1, ()))]
    for data in asked:
        if kind_of(data) is KIND.INVITATION:
            # Of an attempt that was used: ignored.
            assert restarted.receive(data, world.now) == []
            continue
        with pytest.raises(PeerError):
            restarted.receive(data, world.now)
