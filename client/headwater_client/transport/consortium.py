"""The charter and the runs, fetched and signed over the member channel."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc

from headwater.agreement.approval import SignedApproval, SignedProposal
from headwater.agreement.charter import SignedCharter
from headwater.agreement.documents import Document
from headwater.agreement.troubles import Trouble
from headwater.errors import InputError, PeerError
from headwater.rpc.status import one_line
from headwater.rpc.v1 import run_pb2, run_pb2_grpc
from headwater_client.transport.channel import CoordinatorChannel

__all__ = ["ConsortiumClient", "RunStatus"]

_Document = TypeVar("_Document", bound=Document)


@dataclass(frozen=True, slots=True)
class RunStatus:
    """Where a run is, in the coordinator's words, unsigned: to be shown, never to be decided by.

    Attributes:
        run_id: 32 hexadecimal digits.
        plan_name: the plan's name.
        plan_digest: 64 hexadecimal digits.
        state: proposed, running, finished, failed or stopped.
        rounds_done: secure sums so far.
        rounds_planned: the most that the plan allows.
        created: UTC, to the second.
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
    detail: str
    decisions: Mapping[str, str]


class ConsortiumClient:
    """One method for each of the service's calls.

    All may raise `TransportError` (the coordinator is away), `PeerError` (it refused this member, or sent bytes that
    are not what was asked for), `OutOfOrder` and `InputError` as run.proto says.
    """

    def __init__(self, channel: CoordinatorChannel, timeout_seconds: float = 30.0) -> None:
        """Use a channel; each call has `timeout_seconds`."""
        self._channel = channel
        self._timeout_seconds = timeout_seconds
        self._stub = run_pb2_grpc.ConsortiumStub(channel.grpc)

    def charter(self, version: int | None = None) -> SignedCharter:
        """A version of the charter, the newest by default, with the signatures that it has.

        Those by keys of this very version are checked, some may be missing; those by keys of the version before are
        the caller's to check, who knows that version.
        """
        reply = self._call(self._stub.GetCharter, run_pb2.GetCharterRequest(version=version or 0))
        signed = _checked_charter(reply.signed_charter)
        if version not in (None, signed.charter.version):
            raise PeerError(
                f"the coordinator sent version {signed.charter.version} of the charter, version {version} was asked "
                "for; ask the operator"
            )
        return signed

    def sign_charter(self, charter_digest: str, signature: str) -> SignedCharter:
        """Add this member's signature; the charter with it comes back, checked."""
        request = run_pb2.SignCharterRequest(charter_digest=charter_digest, signature=signature)
        reply = self._call(self._stub.SignCharter, request)
        return _checked_charter(reply.signed_charter)

    def runs(self) -> tuple[RunStatus, ...]:
        """All runs, oldest first."""
        reply = self._call(self._stub.ListRuns, run_pb2.ListRunsRequest())
        return tuple(_status(status) for status in reply.runs)

    def proposal(self, run_id: str) -> SignedProposal:
        """One run's proposal; the caller verifies it against the charter that it pinned."""
        reply = self._call(self._stub.GetRun, run_pb2.GetRunRequest(run_id=run_id))
        signed = _parse(SignedProposal, reply.signed_proposal)
        if signed.proposal.run_id != run_id:
            raise PeerError(f"the coordinator sent the proposal of another run than {run_id}; ask the operator")
        return signed

    def decide(self, approval: SignedApproval) -> None:
        """Send this member's signed decision."""
        self._call(self._stub.Decide, run_pb2.DecideRequest(signed_approval=approval.to_bytes()))

    def report(self, run_id: str, trouble: Trouble) -> None:
        """Tell the operator what keeps this organisation from its part in a run."""
        self._call(self._stub.Report, run_pb2.ReportRequest(run_id=run_id, trouble=trouble.value))

    def status(self, run_id: str) -> RunStatus:
        """Where one run is."""
        reply = self._call(self._stub.GetRunStatus, run_pb2.GetRunStatusRequest(run_id=run_id))
        return _status(reply.status)

    def _call(self, method: Callable[..., Any], request: Any) -> Any:
        try:
            return method(request, timeout=self._timeout_seconds)
        except grpc.RpcError as error:
            raise self._channel.error_of(error) from error


def _parse(kind: type[_Document], data: bytes) -> _Document:
    try:
        return kind.from_bytes(data)
    except InputError as error:
        raise PeerError(f"the coordinator sent something else than was asked for: {error}") from error


# An agent asks every few seconds and mostly gets the same bytes.
@functools.lru_cache(maxsize=4)
def _checked_charter(data: bytes) -> SignedCharter:
    signed = _parse(SignedCharter, data)
    signed.check_signatures()
    return signed


def _status(status: run_pb2.RunStatus) -> RunStatus:
    return RunStatus(
        run_id=one_line(status.run_id),
        plan_name=one_line(status.plan_name),
        plan_digest=one_line(status.plan_digest),
        state=one_line(status.state),
        rounds_done=status.rounds_done,
        rounds_planned=status.rounds_planned,
        created=one_line(status.created),
        detail=one_line(status.detail),
        decisions={one_line(member): one_line(decision) for member, decision in status.decisions.items()},
    )
