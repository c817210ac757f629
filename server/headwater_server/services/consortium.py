"""The charter and the runs, as members see and sign them."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from headwater.agreement.approval import RunProposal, SignedApproval, SignedProposal
from headwater.agreement.charter import SignedCharter
from headwater.agreement.troubles import Trouble
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
        self._named: dict[str, frozenset[str]] = {}

    async def GetCharter(self, request: run_pb2.GetCharterRequest, context: Any) -> run_pb2.GetCharterResponse:
        """Show a version of the charter to any enrolled organisation."""
        await authenticated_member(context, self._members)
        signed = await self._newest()
        if request.version not in (0, signed.charter.version):
            asked = await asyncio.to_thread(self._charters.charter, request.version)
            if asked is None:
                raise InputError(
                    f"there is no version {request.version} of the charter, the newest is {signed.charter.version}; "
                    "see headwater-org charter show"
                )
            signed = asked
        return run_pb2.GetCharterResponse(signed_charter=signed.to_bytes())

    async def SignCharter(self, request: run_pb2.SignCharterRequest, context: Any) -> run_pb2.SignCharterResponse:
        """Add the caller's signature."""
        member_id = await authenticated_member(context, self._members)
        newest = await self._newest()
        if newest.charter.digest != request.charter_digest:
            raise OutOfOrder(
                f"the charter was changed: {newest.charter.digest[:12]} is the newest now; fetch and compare it again"
            )
        former = None
        if newest.charter.previous is not None:
            former = await asyncio.to_thread(self._charters.charter_by_digest, newest.charter.previous)
        newest.with_signature(member_id, request.signature, None if former is None else former.charter)
        signed = await asyncio.to_thread(
            self._charters.add_charter_signature, request.charter_digest, member_id, request.signature
        )
        return run_pb2.SignCharterResponse(signed_charter=signed.to_bytes())

    async def ListRuns(self, request: run_pb2.ListRunsRequest, context: Any) -> run_pb2.ListRunsResponse:
        """Show the runs of charters that name the caller."""
        member_id = await authenticated_member(context, self._members)
        records = await asyncio.to_thread(self._runs.runs)
        mine = [record for record in records if member_id in (await self._members_of(record.run_id) or ())]
        newest = (await self._newest()).charter
        if not mine and member_id not in newest.keys:
            raise _not_named(member_id)
        return run_pb2.ListRunsResponse(runs=[_status(record) for record in mine])

    async def GetRun(self, request: run_pb2.GetRunRequest, context: Any) -> run_pb2.GetRunResponse:
        """Show one proposal to a member of its charter."""
        await self._caller(context, request.run_id)
        return run_pb2.GetRunResponse(signed_proposal=(await self._proposal(request.run_id)).to_bytes())

    async def Decide(self, request: run_pb2.DecideRequest, context: Any) -> run_pb2.DecideResponse:
        """Record the caller's decision."""
        approval = SignedApproval.from_bytes(request.signed_approval)
        member_id = await self._caller(context, approval.approval.run_id)
        if approval.approval.member != member_id:
            raise PeerError(f"{member_id!r} sent a decision of {approval.approval.member!r}; each member sends its own")
        proposal = (await self._proposal(approval.approval.run_id)).proposal
        approval.verify((await self._charter_of(proposal)).charter, proposal)
        await asyncio.to_thread(self._runs.record_decision, approval, self._clock())
        return run_pb2.DecideResponse()

    async def GetRunStatus(self, request: run_pb2.GetRunStatusRequest, context: Any) -> run_pb2.GetRunStatusResponse:
        """Show where a run is to a member of its charter."""
        await self._caller(context, request.run_id)
        record = await asyncio.to_thread(self._runs.run, request.run_id)
        if record is None:
            raise _no_such_run()
        return run_pb2.GetRunStatusResponse(status=_status(record))

    async def Report(self, request: run_pb2.ReportRequest, context: Any) -> run_pb2.ReportResponse:
        """Record what keeps the caller from its part in a run, for the operator."""
        member_id = await self._caller(context, request.run_id)
        try:
            trouble = Trouble(request.trouble)
        except ValueError as error:
            # Without the word that came: it is the caller's text and may be anything.
            raise InputError(f"a trouble is one of {', '.join(Trouble)}; update headwater") from error
        await asyncio.to_thread(self._runs.record_trouble, request.run_id, member_id, trouble)
        return run_pb2.ReportResponse()

    async def _newest(self) -> SignedCharter:
        charter = await asyncio.to_thread(self._charters.charter)
        if charter is None:
            raise OutOfOrder(
                "no charter is proposed yet; wait for the operator's `headwater-coordinator charter propose`"
            )
        return charter

    async def _caller(self, context: Any, run_id: str) -> str:
        """The calling member, if the run's charter names it; others do not learn which runs there are."""
        member_id = await authenticated_member(context, self._members)
        named = await self._members_of(run_id)
        if named is None and member_id in (await self._newest()).charter.keys:
            raise _no_such_run()
        if named is None or member_id not in named:
            raise _not_named(member_id)
        return member_id

    async def _members_of(self, run_id: str) -> frozenset[str] | None:
        """Whom the charter names that a run was proposed under, which never changes; None if there is no such run."""
        if run_id not in self._named:
            proposal = await asyncio.to_thread(self._runs.proposal, run_id)
            if proposal is None:
                return None
            self._named[run_id] = frozenset((await self._charter_of(proposal.proposal)).charter.keys)
        return self._named[run_id]

    async def _proposal(self, run_id: str) -> SignedProposal:
        proposal = await asyncio.to_thread(self._runs.proposal, run_id)
        if proposal is None:
            raise _no_such_run()
        return proposal

    async def _charter_of(self, proposal: RunProposal) -> SignedCharter:
        charter = await asyncio.to_thread(self._charters.charter_by_digest, proposal.charter_digest)
        if charter is None:
            raise OutOfOrder(f"run {proposal.run_id} has no charter here; ask the operator to propose it again")
        return charter


def _no_such_run() -> InputError:
    # Without the id that was asked for: it is the caller's text and may be anything.
    return InputError("there is no run with this id; see headwater-org plan list")


def _not_named(member_id: str) -> PeerError:
    return PeerError(
        f"{member_id!r} is enrolled but not in the charter that this needs; headwater-org charter show tells which "
        "version names it, the operator proposes the next"
    )


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
