"""What one organisation has on disk: it outlives its process."""

from dataclasses import dataclass, field

from headwater.secagg.protocol.events import AttemptStarted, CohortConfirmed, MemberEvent, PeersSeen, RoundClosed

__all__ = ["Store"]


@dataclass
class Store:
    """The durable records of protocol 4.10, as an organisation's own store keeps them.

    Attributes:
        attempt: the last attempt that it entered.
        documents: its chain of receipts and aborts.
        written: durable records that it ever made.
        seen: the highest such number of each peer.
        excluded: whom an abort blames (protocol 4.8).
    """

    attempt: int = 0
    documents: list[bytes] = field(default_factory=list)
    written: int = 0
    seen: dict[str, int] = field(default_factory=dict)
    excluded: set[str] = field(default_factory=set)

    def keep(self, event: MemberEvent) -> None:
        """Store what an event asks to be stored."""
        match event:
            case AttemptStarted(attempt):
                assert attempt > self.attempt, f"attempt {attempt} was used twice"
                self.attempt, self.written = attempt, self.written + 1
            case PeersSeen(seen):
                self.seen = {peer: max(count, self.seen.get(peer, 0)) for peer, count in seen.items()}
            case CohortConfirmed():
                self.written += 1
            case RoundClosed():
                self.documents.append(event.document)
                self.excluded |= {*event.blamed}
                self.written += 1
            case _:
                pass
