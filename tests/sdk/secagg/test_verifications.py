"""In a round no party verifies one signature twice, and none is taken for verified that was not."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from headwater.secagg.protocol.events import COORDINATOR
from headwater.secagg.wire.envelope import Envelope
from headwater.secagg.wire.messages import Receipt
from support.network import World


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Callable[[World], Counter[tuple[str, bytes]]]:
    """Counts how often each party of a world verifies each message, from the call on."""
    counts, verify, party = Counter[tuple[str, bytes]](), Envelope.verify, [COORDINATOR]

    def counting(self: Envelope, key: bytes, context: bytes) -> None:
        counts[party[-1], self.data] += 1
        verify(self, key, context)

    @contextmanager
    def working(member: str) -> Iterator[None]:
        party.append(member)
        yield
        party.pop()

    def watch(world: World) -> Counter[tuple[str, bytes]]:
        world.faults = {name: lambda name=name: working(name) for name in world.names}  # type: ignore[misc]
        monkeypatch.setattr(Envelope, "verify", counting)
        return counts

    return watch


def test_in_a_round_each_party_verifies_each_signature_once(
    counted: Callable[[World], Counter[tuple[str, bytes]]],
) -> None:
    world = World(5)
    world.open()
    counts = counted(world)
    world.play()
    before = Counter(party for party, _ in counts)
    world.play()
    after = Counter(party for party, _ in counts)
    assert len(world.sums()) == 2
    assert set(counts.values()) == {1}
    # A steady round: Start, n − 1 Deal headers, survivors, quorum, n Confirms, receipt.
    assert {after[name] - before[name] for name in world.names} == {2 * 5 + 3}


def test_a_receipt_with_another_confirm_than_the_quorum_had_is_refused() -> None:
    world = World(4)
    world.open()

    def spoilt(receipt: Receipt) -> Receipt:
        last = receipt.confirms[-1]
        return dataclasses.replace(receipt, confirms=(*receipt.confirms[:-1], last[:-1] + bytes([last[-1] ^ 1])))

    world.lie_to(["org-0"], Receipt, spoilt)
    world.play()
    assert any(who == "org-0" and "signature" in reason for who, reason in world.errors)
    assert world.documents_of("org-0") == []
    assert len(world.documents_of("org-1")) == 1
