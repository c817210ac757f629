"""What a participant or an aggregator asks its driver to do, as data.

The machines perform no input or output. Every step returns a list of these events, to be performed in the given
order: a `Persist` or `AttemptStarted` is durable before any later event of the list is performed (protocol 3.3).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from headwater.secagg.crypto.ring import RingVector
from headwater.secagg.protocol.families import Cohort, Family

__all__ = [
    "COORDINATOR",
    "AggregatorEvent",
    "AttemptStarted",
    "CohortConfirmed",
    "MemberDropped",
    "MemberEvent",
    "PeersRolledBack",
    "PeersSeen",
    "Persist",
    "RoundAborted",
    "RoundClosed",
    "RoundRefused",
    "RoundRequested",
    "RoundSummed",
    "Send",
    "SessionClosed",
    "SessionFailed",
    "SessionReady",
]

COORDINATOR = ""
"""The receiver or sender that is the coordinator; no member's id is empty."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send one protocol message.

    Attributes:
        member: the receiving member's id; `COORDINATOR` (the empty string) when a participant sends.
        data: at most `codec.MAXIMUM_MESSAGE` bytes.
    """

    member: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SessionReady:
    """A session began: its members are final and its secrets are derived.

    Attributes:
        members: sorted ids of the session's members.
        sid: the 32-byte session identifier.
        opening: the message that opened the session; with it a receipt's Confirms can be verified offline.
    """

    members: tuple[str, ...]
    sid: bytes
    opening: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PeersSeen:
    """Participant: store the highest count of each member, over all runs (protocol 4.10: a rolled-back store shows).

    Attributes:
        records: member → the count of durable records that all its later Hellos exceed, as its Hello says.
    """

    records: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class PeersRolledBack:
    """Participant: store durably that these members' stores were set back, until a person trusts them (protocol 4.10).

    A store that was set back counts up again with every setup that it tries, so the count alone would refuse it for a
    few setups and then no longer.

    Attributes:
        records: member → the count of durable records in its Hello, which is not above the one that it showed before.
    """

    records: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class AttemptStarted:
    """Participant: store this attempt number durably, then go on (protocol 3.3: one SID per attempt).

    Attributes:
        attempt: its number.
        records: the count of durable records that the Hello shows, this attempt included; if the store's count moved on
            since the `Participant` was made, end it without storing anything and make another (protocol 4.10).
    """

    attempt: int
    records: int


@dataclass(frozen=True, slots=True)
class RoundRequested:
    """Participant: compute the vector that the Task asks for and call `Participant.upload`, or `refuse`.

    Attributes:
        round: the round number t, counted over the whole run.
        task: the Task's exact bytes, opaque to the protocol.
        model: the model's exact bytes, empty when the Task needs none.
        length: the number of values that `upload` must be given.
        members: sorted ids of C_t, the members asked in this round.
        charge: what the coordinator says that the round costs a privacy ledger; compare it with the plan's.
    """

    round: int
    task: bytes = field(repr=False)
    model: bytes = field(repr=False)
    length: int
    members: tuple[str, ...]
    charge: bytes = b""


@dataclass(frozen=True, slots=True)
class CohortConfirmed:
    """Participant: store durably that this family is summed over these members, then go on (protocol 4.10).

    Attributes:
        round: the round number t.
        family: as given to `upload`.
        members: sorted ids of U_t.
    """

    round: int
    family: Family
    members: Cohort


@dataclass(frozen=True, slots=True)
class RoundRefused:
    """Participant: this organisation takes no further part in the round, for the named reason."""

    round: int
    reason: str


@dataclass(frozen=True, slots=True)
class RoundClosed:
    """Participant: a round of the run ended; store the signed document, the next link of the run's chain.

    Exactly one of `receipt` and `abort` is given. Documents of rounds without this member come too.

    Attributes:
        round: the round number t.
        receipt: the signed receipt of a completed round.
        abort: the signed abort of a round without a sum.
        reason: why it was aborted; empty for a receipt.
        blamed: sorted ids of the members whose fault the abort states; the run goes on without them.
    """

    round: int
    receipt: bytes | None = field(default=None, repr=False)
    abort: bytes | None = field(default=None, repr=False)
    reason: str = ""
    blamed: tuple[str, ...] = ()

    @property
    def document(self) -> bytes:
        """The receipt or the abort, whichever it is."""
        return self.receipt if self.receipt is not None else (self.abort or b"")


@dataclass(frozen=True, slots=True)
class SessionClosed:
    """Participant: the session is over and its secrets are dropped; a next setup needs a new Participant."""

    reason: str


@dataclass(frozen=True, slots=True)
class Persist:
    """Aggregator: store this record durably before any later event is performed (protocol 4.8).

    Attributes:
        kind: "session" (an opening), "start" (a round begun), "receipt" or "abort" (a round ended).
        data: the record, for the matching function of `headwater.secagg.protocol.receipts`.
    """

    kind: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class MemberDropped:
    """Aggregator: a member takes no further part in the setup or round that is in the named phase."""

    member: str
    phase: str
    reason: str


@dataclass(frozen=True, slots=True)
class RoundSummed:
    """Aggregator: the round's sum, exact modulo 2^32, or 2^64 in the ring of 64 bits.

    Attributes:
        round: the round number t.
        vector: uint32 or uint64 by the session's ring, shape (length,): the sum of the contributors' vectors.
        contributors: sorted ids of U_t, whose vectors are in the sum.
        receipt: the signed receipt, as persisted.
    """

    round: int
    vector: RingVector = field(repr=False)
    contributors: tuple[str, ...]
    receipt: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class RoundAborted:
    """Aggregator: the round ended without a sum; the next one may begin.

    Attributes:
        round: the round number t, used up.
        reason: the named reason.
        abort: the signed abort, as persisted.
        blamed: sorted ids of the members whose fault is shown; the run goes on without them.
        disputes: sorted pairs (accuser, accused) of whom one lies; no later cohort of the run has both.
    """

    round: int
    reason: str
    abort: bytes = field(repr=False)
    blamed: tuple[str, ...] = ()
    disputes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class SessionFailed:
    """Aggregator: the session is over; going on needs a new Aggregator with the next attempt number."""

    reason: str


MemberEvent = (
    Send
    | PeersSeen
    | PeersRolledBack
    | SessionReady
    | AttemptStarted
    | RoundRequested
    | CohortConfirmed
    | RoundRefused
    | RoundClosed
    | SessionClosed
)
AggregatorEvent = Send | SessionReady | Persist | MemberDropped | RoundSummed | RoundAborted | SessionFailed
