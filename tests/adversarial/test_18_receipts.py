"""Protocol 7, item 18: the chain of a run, verified by somebody who was not there."""

import dataclasses

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.errors import PeerError
from headwater.secagg.protocol.events import Persist, RoundRefused
from headwater.secagg.protocol.receipts import (
    close_unfinished,
    document_digest,
    read_document,
    read_opening,
    verify_chain,
)
from headwater.secagg.wire.envelope import MessageType, open_envelope
from headwater.secagg.wire.messages import Abort, Receipt
from support.lies import VICTIM
from support.network import World, kind_of


@pytest.fixture(scope="module")
def world() -> World:
    """Three rounds in two sessions, the second of them aborted."""
    world = World(3)
    world.open()
    world.play()
    world.to_coordinator = lambda member, data: (
        [] if kind_of(data) is MessageType.REVEAL and member == "org-0" else [data]
    )
    world.begin()
    world.run()
    world.tick(30)
    world.to_coordinator = lambda member, data: [data]
    world.run()
    world.new_attempt()
    for name in world.names:
        world.join(name, last_receipt=world.chain[-1])
    world.run()
    world.play()
    return world


def openings(world: World) -> dict[int, bytes]:
    """Attempt → opening, as persisted."""
    kept = [e.data for e in world.aggregator_events if isinstance(e, Persist) and e.kind == "session"]
    return dict(enumerate(kept, start=1))


def test_a_true_chain_verifies_with_and_without_openings(world: World) -> None:
    documents = verify_chain(world.chain, world.roster, world.terms(1))
    for known in ({}, openings(world)):
        assert verify_chain(world.chain, world.roster, world.terms(1), known) == documents
    assert [(document.round, document.completed) for document in documents] == [(1, True), (2, False), (3, True)]
    assert documents[0].members == tuple(world.names)
    aborted = documents[1].content
    assert aborted.reason == "2 members revealed, a round needs 3"  # type: ignore[union-attr]
    assert aborted.phase == "reveal"  # type: ignore[union-attr]


def test_a_dropped_reordered_or_repeated_link_is_noticed(world: World) -> None:
    first, second, third = world.chain
    for chain in ([second, third], [first, third], [first, second, second], [second, first, third], [third]):
        with pytest.raises(PeerError, match="does not continue"):
            verify_chain(chain, world.roster, world.terms(1))


def test_an_edited_link_is_noticed(world: World) -> None:
    for place in range(60, len(world.chain[0]), 97):
        edited = bytearray(world.chain[0])
        edited[place] ^= 1
        with pytest.raises(PeerError):
            verify_chain([bytes(edited), *world.chain[1:]], world.roster, world.terms(1))


def test_a_chain_of_another_run_or_coordinator_is_refused(world: World) -> None:
    with pytest.raises(PeerError, match="does not continue"):
        verify_chain(world.chain, world.roster, dataclasses.replace(world.terms(1), run_id="run-2"))
    key = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    with pytest.raises(PeerError, match="not theirs"):
        verify_chain(world.chain, dataclasses.replace(world.roster, coordinator_key=key), world.terms(1))


def test_a_receipt_without_its_quorum_is_refused(world: World) -> None:
    receipt = Receipt.decode(open_envelope(world.chain[0]))
    for confirms in ((), receipt.confirms[:2], (*receipt.confirms[:2], receipt.confirms[0])):
        forged = world.forge(dataclasses.replace(receipt, confirms=confirms), receipt.sid)
        with pytest.raises(PeerError):
            verify_chain([forged], world.roster, world.terms(1), openings(world))
    two = world.forge(dataclasses.replace(receipt, confirms=receipt.confirms[:2]), receipt.sid)
    with pytest.raises(PeerError, match="too few Confirms"):
        verify_chain([two], world.roster, world.terms(1))


def test_a_document_in_a_members_name_is_refused(world: World) -> None:
    with pytest.raises(PeerError, match="where an ABORT was expected"):
        read_document(openings(world)[1], world.roster)


def test_an_opening_is_for_one_attempt(world: World) -> None:
    facts, _ = read_opening(openings(world)[1], world.roster, world.terms(1), 1)
    assert facts.members == tuple(world.names)
    with pytest.raises(PeerError):
        read_opening(openings(world)[1], world.roster, world.terms(1), 2)


def test_only_a_record_of_this_coordinator_is_closed(world: World) -> None:
    record = next(e.data for e in world.aggregator_events if isinstance(e, Persist) and e.kind == "start")
    document = read_document(close_unfinished(record, world.coordinator_key), world.roster)
    assert (document.round, document.completed) == (1, False)
    with pytest.raises(PeerError, match="not theirs"):
        close_unfinished(record, Ed25519PrivateKey.generate())
    with pytest.raises(PeerError):
        close_unfinished(world.chain[0], world.coordinator_key)


def test_receipts_with_other_contents_than_confirmed_are_refused() -> None:
    for changes, reason in (
        ({"rho": bytes(32)}, "another view"),
        ({"confirms": ()}, "0 members confirmed"),
        ({"previous": bytes(32)}, "does not continue the chain"),
        ({"sid": bytes(32)}, "not theirs"),
    ):
        world = World(3)
        world.open()
        world.lie_to([VICTIM], Receipt, lambda receipt, c=changes: dataclasses.replace(receipt, **c))  # type: ignore[misc]
        world.play()
        assert reason in world.errors[-1][1]
        assert world.documents_of(VICTIM) == []


@pytest.mark.parametrize("kind", [Receipt, Abort])
def test_a_document_of_a_session_that_never_was_is_refused_in_a_live_one(kind: type) -> None:
    # It continues the chain and the coordinator signed it, but nobody confirmed anything: the session is invented.
    world = World(3)
    world.open()
    world.play()
    sid, head = b"s" * 32, document_digest(world.chain[-1])
    document = (
        Receipt(sid, 2, bytes(32), (), (), bytes(32), bytes(32), bytes(32), b"", head)
        if kind is Receipt
        else Abort(sid, 2, bytes(32), "upload", (), "why", (), (), head)
    )
    world.deliver_to_member(VICTIM, world.forge(document, sid))
    assert world.errors == [(VICTIM, "the document of round 2 is of another session than the one in progress")]
    world.play()
    assert world.sums()[-1].contributors == tuple(world.names)


def test_members_who_were_told_different_outcomes_never_sum_together_again() -> None:
    # A fork: the victim is told that the round was aborted, the others hold its receipt.
    world = World(5)
    world.open()

    def tap(member: str, data: bytes) -> list[bytes]:
        if member != VICTIM or kind_of(data) is not MessageType.RECEIPT:
            return [data]
        true = Receipt.decode(open_envelope(data))
        told = Abort(true.sid, true.round, true.rho, "reveal", true.uploads, "it broke", (), (), true.previous)
        return [world.forge(told)]

    world.to_member = tap
    world.play()
    world.to_member = lambda member, data: [data]
    world.play()
    (refusal,) = world.events_of(VICTIM, RoundRefused)
    assert isinstance(refusal, RoundRefused)
    assert "broken chain" in refusal.reason
    assert len(world.sums()) == 1
    # Nor at the next setup: what the victim holds is no document of the chain that the others hold.
    world.new_attempt()
    for name in world.names:
        world.join(name, last_receipt=world.documents_of(name)[-1])
    world.run()
    assert ("", "a member holds a receipt unknown to this coordinator; one of their records was rolled back") in (
        world.errors
    )


def test_a_coordinator_that_rolled_back_or_edited_a_receipt_finds_nobody_to_go_on_with() -> None:
    world = World(3)
    world.open()
    world.play()
    world.play()
    second = Receipt.decode(open_envelope(world.chain[1]))
    edited = world.forge(dataclasses.replace(second, sum_digest=bytes(32)), second.sid)
    held = world.chain[1]
    for chain in (world.chain[:1], [world.chain[0], edited]):
        world.chain = chain
        world.errors.clear()
        world.new_attempt()
        for name in world.names:
            world.join(name, last_receipt=held)
        world.run()
        assert len([text for _, text in world.errors if "unknown to this coordinator" in text]) == 3


def test_a_hidden_abort_is_a_gap_that_every_member_and_verifier_notices(world: World) -> None:
    first, _, third = world.chain
    # Re-chained by the coordinator itself over the abort that it wants to hide: the round number tells.
    receipt = Receipt.decode(open_envelope(third))
    hidden = world.forge(dataclasses.replace(receipt, previous=document_digest(first)), receipt.sid)
    with pytest.raises(PeerError, match="round 3 follows round 1, not the next one"):
        verify_chain([first, hidden], world.roster, world.terms(1))
