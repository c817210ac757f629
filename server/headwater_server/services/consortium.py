"""The charter and the runs, as members see and sign them."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from headwater.agreement.approval import SignedApproval
from headwater.agreement.charter import SignedCharter
from headwater.errors import InputError, OutOfOrder, PeerError
from headwater.rpc.v1 import run_pb2, run_pb2_grpc
from headwater_server.services.identity import authenticated_member
from headwater_server.services.ports import CharterStore, MemberStore, RunRecord, RunStore

__all__ = ["ConsortiumService"]


class ConsortiumService(run_pb2_grpc.ConsortiumServicer):
    """The service on the mutually authenticated listener; the rules are `headwater.agreement`'s."""

    def __init__(
        self,
        members: MemberStore,
        charters: CharterStore,
        runs: RunStore,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Take what the service acts on; `clock` tells aware time."""
        self._members = members
        self._charters = charters
        self._runs = runs
        self._clock = clock

    async def GetCharter(self, request: run_pb2.GetCharterRequest, context: Any) -> run_pb2.GetCharterResponse:
        """Show the charter to any enrolled member."""
        await authenticated_member(context, self._members)
        return run_pb2.GetCharterResponse(signed_charter=(await self._charter()).to_bytes())

    async def SignCharter(self, request: run_pb2.SignCharterRequest, context: Any) -> run_pb2.SignCharterResponse:
        """Add the caller's signature."""
        member_id = await authenticated_member(context, self._members)
        charter = await self._charter()
        if charter.charter.digest != request.charter_digest:
            raise OutOfOrder(
                f"the charter was changed: {charter.charter.digest[:12]} is proposed now; fetch and compare it again"
            )
        charter.with_signature(member_id, request.signature)
        signed = await asyncio.to_thread(
            self._charters.add_charter_signature, request.charter_digest, member_id, request.signature
        )
        return run_pb2.SignCharterResponse(signed_charter=signed.to_bytes())

    async def ListRuns(self, request: run_pb2.ListRunsRequest, context: Any) -> run_pb2.ListRunsResponse:
        """Show all runs to a member of the charter."""
        await self._charter_member(context)
        records = await asyncio.to_thread(self._runs.runs)
        return run_pb2.ListRunsResponse(runs=[_status(record) for record in records])

    async def GetRun(self, request: run_pb2.GetRunRequest, context: Any) -> run_pb2.GetRunResponse:
        """Show one proposal to a member of the charter."""
        await self._charter_member(context)
        proposal = await asyncio.to_thread(self._runs.proposal, request.run_id)
        if proposal is None:
            raise _no_such_run()
        return run_pb2.GetRunResponse(signed_proposal=proposal.to_bytes())

    async def Decide(self, request: run_pb2.DecideRequest, context: Any) -> run_pb2.DecideResponse:
        """Record the caller's decision."""
        member_id, charter = await self._charter_member(context)
        approval = SignedApproval.from_bytes(request.signed_approval)
        if approval.approval.member != member_id:
            raise PeerError(f"{member_id!r} sent a decision of {approval.approval.member!r}; each member sends its own")
        proposal = await asyncio.to_thread(self._runs.proposal, approval.approval.run_id)
        if proposal is None:
            raise _no_such_run()
        approval.verify(charter.charter, proposal.proposal)
        await asyncio.to_thread(self._runs.record_decision, approval, self._clock())
        return run_pb2.DecideResponse()

    async def GetRunStatus(self, request: run_pb2.GetRunStatusRequest, context: Any) -> run_pb2.GetRunStatusResponse:
        """Show where a run is to a member of the charter."""
        await self._charter_member(context)
        record = await asyncio.to_thread(self._runs.run, request.run_id)
        if record is None:
            raise _no_such_run()
        return run_pb2.GetRunStatusResponse(status=_status(record))

    async def _charter(self) -> SignedCharter:
        charter = await asyncio.to_thread(self._charters.charter)
        if charter is None:
            raise OutOfOrder(
                "no charter is proposed yet; wait for the operator's `headwater-coordinator charter propose`"
            )
        return charter

    async def _charter_member(self, context: Any) -> tuple[str, SignedCharter]:
        member_id = await authenticated_member(context, self._members)
        charter = await self._charter()
        if all(member.id != member_id for member in charter.charter.members):
            raise PeerError(
                f"{member_id!r} is enrolled but not in the charter; ask the operator to propose one with it"
            )
        return member_id, charter


def _no_such_run() -> InputError:
    # Without the id that was asked for: it is the caller's text and may be anything.
    return InputError("there is no run with this id; see headwater-org plan list")


def _status(record: RunRecord) -> run_pb2.RunStatus:
    return run_pb2.RunStatus(
        run_id=record.run_id,
        plan_name=record.plan_name,
        plan_digest=record.plan_digest,
        state=record.state,
        rounds_done=record.rounds_done,
        rounds_planned=record.rounds_planned,
        created=record.created,
        detail=record.detail,
        decisions=dict(record.decisions),
    )
