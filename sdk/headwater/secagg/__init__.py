"""Secure aggregation HW-SecAgg/1: a participant and an aggregator without input or output.

The coordinator learns the sum of the organisations' vectors and nothing else of them. Clause numbers in this
package are those of the protocol's specification.

Organisation:

```python
Participant(roster, terms, member_id, identity_key, last_receipt=None, *, required_members=(),
            records=0, outstanding=None, seen={}, distrusted=(), cohorts={}, excluded=())
    .start() -> list[MemberEvent]                        # once
    .receive(message: bytes, now: float) -> list[MemberEvent]    # PeerError: refused, nothing changed
    .upload(round: int, vector: RingVector, family: Family | None = None) -> Iterator[bytes]  # may run in a thread
    .refuse(round: int, reason: str) -> list[MemberEvent]
    .tick(now) -> list[MemberEvent]; .next_deadline -> float | None
    .close(reason) -> list[MemberEvent]
    .closed -> bool
```

Coordinator:

```python
Aggregator(roster, terms, coordinator_key, *, now: float, chain=(), spool: Spool | None = None, threads=1)
    .connected(member, now) / .disconnected(member, now) -> list[AggregatorEvent]
    .receive(member, message, now) -> list[AggregatorEvent]
    .begin_round(task: bytes, model: bytes, length: int, now, charge: bytes = b"") -> list[AggregatorEvent]
    .tick(now) -> list[AggregatorEvent]; .next_deadline -> float | None
    .close(reason, now) -> list[AggregatorEvent]
    .closed -> bool
```

`chain` is every receipt and abort of the run so far, in order; `last_receipt` is the last one that this
organisation stored, as bytes. The coordinator invites on `connected` and the participant answers an invitation, so
a stream that returns needs no call but the coordinator's `connected`.
"""

from headwater.secagg.coordinator.aggregator import Aggregator
from headwater.secagg.member.participant import Participant
from headwater.secagg.protocol.terms import Deadlines, Roster, SessionTerms, largest_collusion, threshold

__all__ = ["Aggregator", "Deadlines", "Participant", "Roster", "SessionTerms", "largest_collusion", "threshold"]
