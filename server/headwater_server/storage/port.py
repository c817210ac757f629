"""What the coordinator asks of its storage; every method is one transaction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from headwater.agreement.approval import SignedApproval, SignedProposal
from headwater.agreement.charter import SignedCharter
from headwater_server.sampling.jobs import SampleStore
from headwater_server.services.ports import (
    CharterRecord,
    CharterStore,
    EnrolledMember,
    EnrolmentStore,
    MemberStore,
    OpenInvitation,
    ReleaseRecord,
    ReleaseState,
    ReleaseStore,
    RunStore,
    WaiverRecord,
)
from headwater_server.storage.access_port import AccessStore

__all__ = ["TRANSITIONS", "RoundEntry", "RunState", "Storage"]


class RunState(StrEnum):
    """Where a run is."""

    PROPOSED = "proposed"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"

    @property
    def over(self) -> bool:
        """Nothing follows."""
        return self in (RunState.FINISHED, RunState.FAILED, RunState.STOPPED)


TRANSITIONS: Mapping[RunState, frozenset[RunState]] = {
    RunState.PROPOSED: frozenset({RunState.STARTING, RunState.STOPPED}),
    RunState.STARTING: frozenset({RunState.RUNNING, RunState.FAILED, RunState.STOPPING, RunState.STOPPED}),
    RunState.RUNNING: frozenset({RunState.FINISHED, RunState.FAILED, RunState.STOPPING, RunState.STOPPED}),
    RunState.STOPPING: frozenset({RunState.STOPPED, RunState.FAILED, RunState.FINISHED}),
    RunState.FINISHED: frozenset(),
    RunState.FAILED: frozenset(),
    RunState.STOPPED: frozenset(),
}
"""The one table of what may follow what."""


@dataclass(frozen=True, slots=True)
class RoundEntry:
    """One durable record of a run's aggregation (protocol 4.8).

    Attributes:
        kind: session, start, receipt or abort.
        data: as the aggregator gave it.
    """

    kind: str
    data: bytes = field(repr=False)


class Storage(EnrolmentStore, MemberStore, CharterStore, RunStore, ReleaseStore, AccessStore, SampleStore, Protocol):
    """Everything durable but blobs. All methods may raise `StorageError`."""

    def add_invitation(self, secret_sha256: str, member_id: str, name: str, expires: datetime) -> None:
        """Record an invitation; a new one for the same member makes the old ones useless."""
        ...

    def members(self) -> Sequence[EnrolledMember]:
        """Everybody who enrolled, by id."""
        ...

    def open_invitations(self, now: datetime) -> Sequence[OpenInvitation]:
        """Invitations that somebody can still use, by member id."""
        ...

    def add_charter(self, charter: SignedCharter) -> None:
        """Record a proposed version of the charter; one that is not in force yet is withdrawn and kept.

        Raises:
            OutOfOrder: it does not follow the version in force, or a first version is signed by members already.
        """
        ...

    def charter_in_force(self, version: int | None = None) -> SignedCharter | None:
        """A version that is or was in force, the newest by default; None while there is none such."""
        ...

    def charters_in_force(self) -> Sequence[SignedCharter]:
        """Every version that is or was in force, oldest first: a `CharterHistory`."""
        ...

    def charter_records(self) -> Sequence[CharterRecord]:
        """Every charter that was ever proposed, oldest first, with what became of it."""
        ...

    def add_run(self, proposal: SignedProposal) -> None:
        """Record a proposed run."""
        ...

    def approvals(self, run_id: str) -> Sequence[SignedApproval]:
        """The newest decision of each member on a run."""
        ...

    def run_state(self, run_id: str) -> RunState:
        """Where a run is.

        Raises:
            InputError: there is no such run.
        """
        ...

    def move_run(self, run_id: str, state: RunState, detail: str = "") -> None:
        """Change a run's state as `TRANSITIONS` allows.

        Raises:
            OutOfOrder: the change is not allowed.
            InputError: there is no such run.
        """
        ...

    def runs_in(self, *states: RunState) -> Sequence[str]:
        """Ids of runs in one of these states, oldest first."""
        ...

    def add_round_entry(self, run_id: str, entry: RoundEntry) -> None:
        """Store a record of the aggregation durably before the next is performed (protocol 4.8)."""
        ...

    def round_entries(self, run_id: str) -> Sequence[RoundEntry]:
        """Every record of a run's aggregation, in order."""
        ...

    def add_progress(self, run_id: str, record: Mapping[str, object]) -> None:
        """Append a record of a run's progress."""
        ...

    def progress(self, run_id: str, after: int = 0) -> Sequence[tuple[int, Mapping[str, object]]]:
        """Records of a run's progress with numbers above `after`, in order."""
        ...

    def set_result(self, run_id: str, result: Mapping[str, object]) -> None:
        """What a finished run left: digests of its blobs and figures."""
        ...

    def result(self, run_id: str) -> Mapping[str, object] | None:
        """What a run left; None while there is nothing."""
        ...

    def add_release(self, record: ReleaseRecord) -> None:
        """Record a release that waits; its decisions are not looked at.

        Raises:
            OutOfOrder: its name has this version already, or it is recorded.
            InputError: there is no such run.
        """
        ...

    def releases_in(self, *states: ReleaseState) -> Sequence[ReleaseRecord]:
        """Releases in one of these states, oldest first."""
        ...

    def next_version(self, name: str) -> int:
        """One more than the highest version of a dataset that was ever recorded, whatever became of it."""
        ...

    def mark_published(self, release_digest: str) -> None:
        """Record that the files of an approved release are published; again is the same as once.

        Raises:
            OutOfOrder: the release is not approved.
            InputError: there is no such release.
        """
        ...

    def attempts(self, run_id: str) -> Sequence[bytes]:
        """Every attempt to release a run or another of its plan's name, oldest first, each as its document."""
        ...

    def add_attempt(self, run_id: str, make: Callable[[Sequence[bytes]], bytes]) -> bytes:
        """Append an attempt to the chain of all runs of this one's plan's name.

        Args:
            run_id: of the run.
            make: given all attempts before, what the next one is; no other attempt comes in between.

        Returns:
            What `make` gave.

        Raises:
            InputError: there is no such run.
        """
        ...

    def add_waiver(self, record: WaiverRecord) -> None:
        """Record a waiver that nobody signed yet; the same one again is the same as once.

        Raises:
            InputError: there is no such run.
        """
        ...
