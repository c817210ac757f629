"""Who may take part in a session, under which terms, and how many must: protocol 1.2."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from headwater.errors import InputError
from headwater.secagg.crypto.ring import RING_BITS, RingBits, check_headroom, ring_type
from headwater.secagg.wire.limits import MAXIMUM_LENGTH, MAXIMUM_MEMBERS

__all__ = [
    "MAXIMUM_ATTEMPTS",
    "Deadlines",
    "Roster",
    "SessionTerms",
    "cohort_problem",
    "largest_collusion",
    "threshold",
]

MAXIMUM_ATTEMPTS = 8
"""Setups that one run may have (protocol 3.3)."""


IDENTIFIER_BYTES = 64
"""Longest member or run id in UTF-8."""


def threshold(members: int) -> int:
    """T(n) = ⌊2n/3⌋ + 1, the number of members that can open a round (protocol 1.2)."""
    return 2 * members // 3 + 1


def largest_collusion(members: int) -> int:
    """The largest c that a session of n members can bear: 2T > n + c and T − c ≥ 2 (protocol 1.2)."""
    quorum = threshold(members)
    return max(0, min(2 * quorum - members - 1, quorum - 2))


def cohort_problem(members: int, minimum_cohort: int, colluders: int) -> str | None:
    """Say why a session of `members` may not begin, or None when it may (protocol 1.2).

    Args:
        members: the session's final n.
        minimum_cohort: the charter's or plan's least n, at least 3.
        colluders: c, the members that may collude with the coordinator.
    """
    quorum = threshold(members)
    if members < max(3, minimum_cohort):
        return f"{members} members take part, at least {max(3, minimum_cohort)} must"
    if 2 * quorum <= members + colluders or quorum - colluders < 2:
        bearable = largest_collusion(members)
        return f"{members} members bear at most {bearable} colluding ones, the plan allows for {colluders}"
    return None


@dataclass(frozen=True)
class Roster:
    """The members of a run by the charter that this party pinned (protocol 1.1).

    Attributes:
        members: member id → 32-byte Ed25519 identity key.
        coordinator_key: the coordinator's 32-byte Ed25519 key.
        charter_digest: 32 bytes.
        minimum_cohort: the least number of members in a session and in a round, at least 3.
        colluders: c, members that may collude with the coordinator, its own organisation included.

    Raises:
        InputError: a key or digest has the wrong size, an id is unusable, or the numbers cannot hold.
    """

    members: Mapping[str, bytes]
    coordinator_key: bytes
    charter_digest: bytes
    minimum_cohort: int = 3
    colluders: int = 1

    def __post_init__(self) -> None:
        """Check everything once, and keep an unchangeable copy of the members."""
        for member, key in self.members.items():
            _check_identifier("member id", member)
            _check_size(f"identity key of {member}", key, 32)
        _check_size("coordinator key", self.coordinator_key, 32)
        _check_size("charter digest", self.charter_digest, 32)
        keys = {*self.members.values(), self.coordinator_key}
        if len(keys) != len(self.members) + 1:
            raise InputError("two parties of the charter have the same key; each needs its own, correct the charter")
        if self.minimum_cohort < 3 or self.colluders < 1:
            raise InputError("minimum cohort and colluders are at least 3 and 1; correct the charter or plan")
        if len(self.members) > MAXIMUM_MEMBERS:
            raise InputError(f"the charter has {len(self.members)} members, at most {MAXIMUM_MEMBERS} can take part")
        object.__setattr__(self, "members", MappingProxyType(dict(self.members)))


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long the coordinator waits in each phase, in seconds (protocol 4.9)."""

    hello: float = 60.0
    accept: float = 30.0
    deal: float = 30.0
    upload: float = 600.0
    confirm: float = 30.0
    reveal: float = 30.0

    def __post_init__(self) -> None:
        """Refuse waits that never end."""
        for name in ("hello", "accept", "deal", "upload", "confirm", "reveal"):
            value = getattr(self, name)
            if not 0 < value <= 7 * 86400:
                raise InputError(f"the {name} deadline is {value} seconds; give a number above 0 and at most a week")

    @property
    def whole_round(self) -> float:
        """Seconds after which a member gives a round up."""
        # protocol 4.7: who is at fault is asked for at most as long as the Reveals were.
        return self.upload + self.confirm + 2 * self.reveal


@dataclass(frozen=True)
class SessionTerms:
    """What one session may do, from the run and plan that this party approved (protocol 3.3).

    Attributes:
        run_id: the run, from this party's own approval.
        plan_digest: 32 bytes.
        attempt: coordinator: the number of this setup, from 1. Organisation: the least number it accepts,
            one above the last that it stored on `AttemptStarted` (1 at first). At most 8.
        rounds: rounds that the plan has, over all sessions of the run.
        retries: aborted rounds that the plan allows on top (protocol 4.10 iv).
        max_length: most values in one vector.
        value_bits: bits of the largest magnitude that one organisation contributes anywhere, weight included.
        deadlines: seconds for each wait.
        max_payload: most bytes of Task and model together in one Start.
        ring_bits: 32 or 64, the ring that vectors are summed in (protocol 2.1).
        strict: every sum of the run is over one cohort, the first that was asked to confirm (protocol 4.10).

    Raises:
        InputError: a number is outside its range.
    """

    run_id: str
    plan_digest: bytes
    attempt: int
    rounds: int
    retries: int
    max_length: int
    value_bits: int
    deadlines: Deadlines = field(default_factory=Deadlines)
    max_payload: int = 2**30
    ring_bits: RingBits = RING_BITS
    strict: bool = False

    def __post_init__(self) -> None:
        """Check everything once."""
        _check_identifier("run id", self.run_id)
        _check_size("plan digest", self.plan_digest, 32)
        if not 1 <= self.attempt <= MAXIMUM_ATTEMPTS:
            # protocol 3.3: at most 8 attempts a run.
            raise InputError(
                f"setup attempt {self.attempt} of run {self.run_id} is outside 1 to {MAXIMUM_ATTEMPTS}; "
                "propose a new run"
            )
        if not 1 <= self.rounds <= 100_000 or not 0 <= self.retries <= 100_000:
            raise InputError("a plan has 1 to 100000 rounds and 0 to 100000 retries; correct the plan")
        if not 1 <= self.max_length <= MAXIMUM_LENGTH:
            raise InputError(f"the longest vector has {self.max_length} values; give 1 to {MAXIMUM_LENGTH}")
        ring_type(self.ring_bits)
        if not 1 <= self.max_payload <= 2**32:
            raise InputError("the largest Task and model together take 1 byte to 4 GiB; correct the terms")

    @property
    def last_round(self) -> int:
        """The largest round number t that a member accepts (protocol 4.2)."""
        return self.rounds + self.retries

    def check_headroom(self, members: int) -> None:
        """Refuse a session whose sum could wrap around (protocol 2.2).

        Raises:
            InputError: the sum of `members` values does not fit the ring.
        """
        check_headroom(self.value_bits, members, ring_bits=self.ring_bits)


def _check_identifier(what: str, value: str) -> None:
    size = len(value.encode("utf-8", "surrogatepass"))
    if not 1 <= size <= IDENTIFIER_BYTES or not value.isprintable():
        raise InputError(f"a {what} has {size} bytes; use 1 to {IDENTIFIER_BYTES} printable ones")


def _check_size(what: str, value: bytes, size: int) -> None:
    if len(value) != size:
        raise InputError(f"the {what} is not {size} bytes; give the raw bytes, not hexadecimal text")
