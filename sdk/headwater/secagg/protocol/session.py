"""What makes a session: Hellos and Accepts checked, TH and SID derived: protocol 3.1 to 3.3."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from headwater.errors import InputError, PeerError
from headwater.secagg.crypto.capsules import check_encapsulation_key
from headwater.secagg.crypto.keys import digest, number
from headwater.secagg.protocol.terms import MAXIMUM_ATTEMPTS, Roster, SessionTerms, cohort_problem, threshold
from headwater.secagg.wire.envelope import Envelope, open_envelope
from headwater.secagg.wire.messages import SUITE, Accept, Hello, Invitation

__all__ = [
    "SessionFacts",
    "check_hellos",
    "genesis",
    "hellos_digest",
    "read_accept",
    "read_hello",
    "read_invitation",
    "session_from",
    "setup_context",
]

_ANY_KEY = X25519PrivateKey.from_private_bytes(bytes(31) + b"\1")
"""No secret: it only shows whether a point is of small order."""


@dataclass(frozen=True)
class SessionFacts:
    """What every member of a session knows of it; nothing here is secret.

    Attributes:
        sid: 32 bytes.
        members: sorted ids; a member's rank is its place here.
        session_keys: member → 32-byte Ed25519 session key.
        exchange_keys: member → 32-byte X25519 key.
        capsule_roots: member → root over the capsules that its Accept commits to.
        quorum: T(n).
        least_cohort: max(T, minimum cohort), the least |C_t| and |U_t|.
    """

    sid: bytes
    members: tuple[str, ...]
    session_keys: Mapping[str, bytes]
    exchange_keys: Mapping[str, bytes]
    capsule_roots: Mapping[str, bytes]
    quorum: int
    least_cohort: int

    def rank(self, member: str) -> int:
        """The member's place in the sorted session, from 0; never taken from the wire (protocol 4.11)."""
        return self._ranks[member]

    @cached_property
    def _ranks(self) -> Mapping[str, int]:
        return {member: rank for rank, member in enumerate(self.members)}


def setup_context(roster: Roster, terms: SessionTerms, attempt: int) -> bytes:
    """What signatures are bound to before there is an SID: this run, plan, charter and attempt."""
    return digest("setup", terms.run_id.encode(), number(attempt), roster.charter_digest, terms.plan_digest)


def genesis(roster: Roster, terms: SessionTerms) -> bytes:
    """The digest that stands before the first receipt or abort of a run."""
    return digest("genesis", terms.run_id.encode(), roster.charter_digest, terms.plan_digest)


def read_invitation(envelope: Envelope, roster: Roster, terms: SessionTerms) -> int:
    """Check that the coordinator opened a setup of this run (protocol 3.3: at most 8 a run).

    Returns:
        The number of the setup attempt.

    Raises:
        PeerError: another signature, run or number.
    """
    invitation = Invitation.decode(envelope)
    attempt = invitation.attempt
    envelope.verify(roster.coordinator_key, setup_context(roster, terms, attempt))
    if invitation.run_id != terms.run_id or not 1 <= attempt <= MAXIMUM_ATTEMPTS:
        raise PeerError(f"an invitation is for setup {attempt} of run '{invitation.run_id}', which is not awaited")
    return attempt


def read_hello(data: bytes, roster: Roster, terms: SessionTerms, attempt: int) -> tuple[str, Hello]:
    """Check one Hello against the pinned charter and the own approval (protocol 3.2).

    Returns:
        The member's id and its Hello.

    Raises:
        PeerError: a stranger, a wrong signature, another suite, run, attempt, charter or plan, or a bad key.
    """
    envelope = open_envelope(data)
    identity = roster.members.get(envelope.sender)
    if identity is None:
        raise PeerError(f"a Hello comes from '{envelope.sender}', who is not a member of the charter")
    hello = Hello.decode(envelope)
    expected = {
        "suite": (hello.suite, SUITE),
        "run": (hello.run_id, terms.run_id),
        "attempt": (hello.attempt, attempt),
        "charter": (hello.charter_digest, roster.charter_digest),
        "plan": (hello.plan_digest, terms.plan_digest),
    }
    for what, (got, wanted) in expected.items():
        if got != wanted:
            raise PeerError(f"the Hello of {envelope.sender} names another {what}; all members must agree on it")
    envelope.verify(identity, setup_context(roster, terms, attempt))
    try:
        # protocol 3.2: a small-order point gives the all-zero secret with any key, which `exchange` refuses.
        _ANY_KEY.exchange(X25519PublicKey.from_public_bytes(hello.exchange_key))
    except ValueError as error:
        raise PeerError(f"the Hello of {envelope.sender} has an exchange key of small order") from error
    try:
        check_encapsulation_key(hello.encapsulation_key)
    except PeerError as error:
        raise PeerError(f"the Hello of {envelope.sender} is unusable: {error}") from error
    return envelope.sender, hello


def check_hellos(raw: Sequence[bytes], roster: Roster, terms: SessionTerms, attempt: int) -> dict[str, Hello]:
    """Check all Hellos of a setup together (protocol 3.2).

    Returns:
        Member → Hello, in the members' order.

    Raises:
        PeerError: one is wrong by itself, a member or a key is repeated, or they are not sorted.
    """
    hellos: dict[str, Hello] = {}
    last = ""
    for data in raw:
        member, hello = read_hello(data, roster, terms, attempt)
        if member <= last:
            raise PeerError("the Hellos are not sorted by member, or one member has two")
        hellos[member] = hello
        last = member
    for name in ("exchange_key", "encapsulation_key", "session_key"):
        if len({getattr(hello, name) for hello in hellos.values()}) != len(hellos):
            raise PeerError(f"two members have the same {name.replace('_', ' ')}; one copied the other's Hello")
    return hellos


def hellos_digest(raw: Sequence[bytes]) -> bytes:
    """TH: H over the sorted Hellos, as received (protocol 3.2)."""
    return digest("hellos", *raw)


def read_accept(data: bytes, hellos: Mapping[str, Hello], agreed: bytes, context: bytes) -> tuple[str, Accept]:
    """Check one Accept by the session key of its sender's Hello (protocol 3.3).

    Returns:
        The member's id and its Accept.

    Raises:
        PeerError: a stranger, a wrong signature, or another TH.
    """
    envelope = open_envelope(data)
    hello = hellos.get(envelope.sender)
    if hello is None:
        raise PeerError(f"an Accept comes from '{envelope.sender}', who sent no Hello")
    accept = Accept.decode(envelope)
    envelope.verify(hello.session_key, context)
    if accept.hellos_digest != agreed:
        raise PeerError(f"the Accept of {envelope.sender} is for other Hellos; members were shown different ones")
    return envelope.sender, accept


def session_from(
    raw_hellos: Sequence[bytes],
    raw_accepts: Sequence[bytes],
    hellos: Mapping[str, Hello],
    roster: Roster,
    terms: SessionTerms,
    attempt: int,
) -> SessionFacts:
    """Derive the session from checked Hellos and all Accepts (protocol 1.2, 2.2, 3.3).

    Raises:
        PeerError: an Accept is wrong, or the final n may not begin: too few, or c or the head-room does not hold.
    """
    agreed, context = hellos_digest(raw_hellos), setup_context(roster, terms, attempt)
    members: list[str] = []
    roots: dict[str, bytes] = {}
    for data in raw_accepts:
        member, accept = read_accept(data, hellos, agreed, context)
        if members and member <= members[-1]:
            raise PeerError("the Accepts are not sorted by member, or one member has two")
        members.append(member)
        roots[member] = accept.capsules_root
    problem = cohort_problem(len(members), roster.minimum_cohort, roster.colluders)
    if problem is not None:
        raise PeerError(f"the session may not begin: {problem}")
    try:
        terms.check_headroom(len(members))
    except InputError as error:
        raise PeerError(f"the session may not begin: {error}") from error
    quorum = threshold(len(members))
    return SessionFacts(
        sid=digest("sid", agreed, *raw_accepts),
        members=tuple(members),
        session_keys={member: hellos[member].session_key for member in members},
        exchange_keys={member: hellos[member].exchange_key for member in members},
        capsule_roots=roots,
        quorum=quorum,
        least_cohort=max(quorum, roster.minimum_cohort),
    )
