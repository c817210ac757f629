"""What the services need of the coordinator's storage.

Every method is synchronous and may block on a database: the services call it in a worker thread, several at a time.
Each is one transaction. Besides the errors that are named, all may raise `StorageError`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from headwater.agreement.approval import SignedApproval, SignedProposal
from headwater.agreement.charter import Charter, SignedCharter
from headwater.agreement.release_decision import SignedReleaseDecision
from headwater.agreement.troubles import Trouble
from headwater.audit.canaries.commitment import CanarySecret

__all__ = [
    "CanaryOpening",
    "CharterRecord",
    "CharterState",
    "CharterStore",
    "EnrolledMember",
    "EnrolmentStore",
    "MemberStore",
    "OpenInvitation",
    "ReleaseFiles",
    "ReleaseRecord",
    "ReleaseState",
    "ReleaseStore",
    "RunRecord",
    "RunStore",
    "WaiverRecord",
]


@dataclass(frozen=True, slots=True)
class EnrolledMember:
    """What enrolment leaves behind of a member.

    Attributes:
        member_id: as in the invitation; also the certificate's common name.
        name: as in the invitation.
        identity_key: raw Ed25519 key, 64 hexadecimal digits.
        flower_public_key: ECDSA P-384, one OpenSSH line.
        certificate_pem: the certificate that was issued.
        certificate_sha256: its SHA-256 (DER), 64 hexadecimal digits: the one certificate that speaks for the member.
    """

    member_id: str
    name: str
    identity_key: str
    flower_public_key: str
    certificate_pem: bytes = field(repr=False)
    certificate_sha256: str


@dataclass(frozen=True, slots=True)
class OpenInvitation:
    """An invitation that somebody can still use.

    Attributes:
        member_id: for whom it is.
        name: as people know the organisation.
        expires: UTC, "2026-11-21T09:30:00Z".
    """

    member_id: str
    name: str
    expires: str


class EnrolmentStore(Protocol):
    """Invitations, and the members that came of them."""

    def redeem(self, secret_sha256: str, member: EnrolledMember, now: datetime) -> None:
        """Use up the invitation with this secret and record the member, both or neither.

        A member that is enrolled already is replaced: its old certificate no longer speaks for it.

        Raises:
            PeerError: no such invitation, used before, expired, or made out to another member id or name. The message
                is shown to the caller.
        """
        ...


class MemberStore(Protocol):
    """Who may connect."""

    def certificate_sha256(self, member_id: str) -> str | None:
        """SHA-256 (DER) of the one certificate that speaks for the member; None for a stranger."""
        ...


class CharterState(StrEnum):
    """What became of a charter that was proposed."""

    PROPOSED = "proposed"
    IN_FORCE = "in force"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class CharterRecord:
    """One charter that was ever proposed.

    Attributes:
        signed: with the signatures that it has.
        state: in force stays in force; the newest such version is the one that new runs are proposed under.
    """

    signed: SignedCharter
    state: CharterState


class CharterStore(Protocol):
    """The versions of the charter."""

    def charter(self, version: int | None = None) -> SignedCharter | None:
        """A version that is in force or proposed, with the signatures that it has; None if there is none such.

        Args:
            version: from 1; the newest by default.
        """
        ...

    def charter_by_digest(self, digest: str) -> SignedCharter | None:
        """The charter with this digest, whatever became of it."""
        ...

    def add_charter_signature(self, charter_digest: str, member_id: str, signature: str) -> SignedCharter:
        """Record the signature of a member of this version or of the one before; again is the same as once.

        The signature that completes a version brings it in force at once (protocol 1.1).

        Returns:
            The charter with it.

        Raises:
            OutOfOrder: the newest charter has another digest.
            PeerError: the signature is not the member's over this charter.
        """
        ...


@dataclass(frozen=True, slots=True)
class RunRecord:
    """Where a run is, for people.

    Attributes:
        run_id: 32 hexadecimal digits.
        plan_name: the plan's name.
        plan_digest: 64 hexadecimal digits.
        state: proposed, running, finished, failed or stopped.
        rounds_done: secure sums so far.
        rounds_planned: the most that the plan allows.
        created: UTC, "2026-11-21T09:30:00Z".
        detail: one line on what it does now or why it ended.
        decisions: "approve" or "refuse" by member id.
    """

    run_id: str
    plan_name: str
    plan_digest: str
    state: str
    rounds_done: int
    rounds_planned: int
    created: str
    detail: str = ""
    decisions: Mapping[str, str] = field(default_factory=dict)


class RunStore(Protocol):
    """Runs, their proposals, the members' decisions."""

    def runs(self) -> Sequence[RunRecord]:
        """All runs, oldest first."""
        ...

    def run(self, run_id: str) -> RunRecord | None:
        """One run; None if there is none with this id."""
        ...

    def proposal(self, run_id: str) -> SignedProposal | None:
        """A run's proposal as it was signed; None if there is no such run."""
        ...

    def record_trouble(self, run_id: str, member_id: str, trouble: Trouble) -> None:
        """Record what a member says keeps it from its part; what it said last is not recorded again.

        Raises:
            OutOfOrder: the run is over, or the member has said enough.
        """
        ...

    def record_decision(self, approval: SignedApproval, now: datetime) -> None:
        """Record a member's decision, which the caller has verified; a later one replaces it.

        Raises:
            OutOfOrder: the run has started or is over.
        """
        ...


class ReleaseState(StrEnum):
    """Where a release is."""

    WAITING = "waiting"
    APPROVED = "approved"
    PUBLISHED = "published"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class ReleaseRecord:
    """A release that went through the gate.

    Attributes:
        release_digest: of its manifest, 64 hexadecimal digits.
        run_id: that it came from.
        charter_digest: of the charter that the run was proposed under: its members decide.
        name: of the dataset.
        version: of the dataset; it stays taken whatever becomes of the release.
        statement: the attestation's statement, the very bytes that are signed.
        verdict: of the gate.
        state: approved is what its files are not published for yet.
        created: UTC, "2026-11-21T09:30:00Z".
        decisions: the newest of each member, by member id.
    """

    release_digest: str
    run_id: str
    charter_digest: str
    name: str
    version: int
    statement: bytes = field(repr=False)
    verdict: str
    state: ReleaseState
    created: str
    decisions: Sequence[SignedReleaseDecision] = ()


@dataclass(frozen=True, slots=True)
class WaiverRecord:
    """A waiver that was prepared, with the signatures that it has.

    Attributes:
        waiver_digest: SHA-256 of the document, 64 hexadecimal digits.
        run_id: whose release it is for.
        document: what members sign.
        signatures: by member id, each 128 hexadecimal digits.
    """

    waiver_digest: str
    run_id: str
    document: bytes = field(repr=False)
    signatures: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CanaryOpening:
    """The secret behind a member's canaries in a run, opened after the candidate was fixed.

    Attributes:
        run_id: of the run.
        member_id: whose canaries they are.
        candidate: that they were opened for, 64 hexadecimal digits.
        opened: the one that its approval commits to.
    """

    run_id: str
    member_id: str
    candidate: str
    opened: CanarySecret = field(repr=False)


class ReleaseStore(Protocol):
    """Releases that wait for the organisations, opened canaries, and waivers."""

    def approvals(self, run_id: str) -> Sequence[SignedApproval]:
        """The newest decision of each member on a run."""
        ...

    def result(self, run_id: str) -> Mapping[str, object] | None:
        """What a run left; None while there is nothing."""
        ...

    def add_canary_opening(self, opening: CanaryOpening) -> None:
        """Record a member's opened secret, which the caller has verified; again is the same as once.

        Raises:
            InputError: there is no such run.
        """
        ...

    def canary_openings(self, run_id: str) -> Sequence[CanaryOpening]:
        """What was opened of a run, by member id."""
        ...

    def releases(self) -> Sequence[ReleaseRecord]:
        """All releases, oldest first."""
        ...

    def release(self, release_digest: str) -> ReleaseRecord | None:
        """One release; None if there is none with this digest."""
        ...

    def record_release_decision(self, decision: SignedReleaseDecision, now: datetime) -> ReleaseRecord:
        """Record a member's decision, which the caller has verified; a later one replaces it.

        The decision that makes the charter's quorum approves the release at once, and one that makes it unreachable
        refuses it; neither is ever taken back.

        Returns:
            The release with it.

        Raises:
            InputError: there is no such release.
            OutOfOrder: it waits no longer.
        """
        ...

    def waivers(self) -> Sequence[WaiverRecord]:
        """All waivers, oldest first."""
        ...

    def add_waiver_signature(self, waiver_digest: str, member_id: str, signature: str) -> WaiverRecord:
        """Record a member's signature, which the caller has verified; again is the same as once.

        Returns:
            The waiver with it.

        Raises:
            InputError: there is no such waiver.
        """
        ...


class ReleaseFiles(Protocol):
    """The files of releases, wherever they lie while they wait and when they are published."""

    def folder(self, record: ReleaseRecord) -> Path:
        """Where the files of a release are now.

        Raises:
            OutOfOrder: it was refused: the rows are gone.
            StorageError: they are not where they should be.
        """
        ...

    def attestation(self, record: ReleaseRecord, charter: Charter) -> bytes:
        """The attestation with the coordinator's signature and of whoever approved so far: a DSSE envelope, JSON.

        Raises:
            StorageError: it is not where it should be.
        """
        ...

    def manifest(self, record: ReleaseRecord) -> bytes:
        """The signed manifest, canonical JSON; of a refused release too.

        Raises:
            StorageError: it is not where it should be.
        """
        ...
