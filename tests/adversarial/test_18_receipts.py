"""Protocol 7, item 18: the chain of a run, verified by somebody who was not there."""

import dataclasses

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.errors import PeerError
from headwater.secagg.envelope import MessageType, open_envelope
from headwater.secagg.events import Persist
from headwater.secagg.messages import (
    Receipt,
)
from headwater.secagg.receipts import close_unfinished, read_document, read_opening, verify_chain
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
    with pytest.raises(PeerError, match="where a ABORT was expected"):
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
