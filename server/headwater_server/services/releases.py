"""Releases that wait, as members look at them, fetch them and decide on them."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from headwater.agreement.charter import Charter
from headwater.agreement.plan import Plan
from headwater.agreement.release_decision import SignedReleaseDecision, tally_release
from headwater.audit.canaries.commitment import CanarySecret, verify_commitment
from headwater.canonical import sha256_hex
from headwater.errors import InputError, OutOfOrder, PeerError, StorageError
from headwater.release.dsse import is_statement_signed_by
from headwater.release.hashing import hash_file
from headwater.release.layout import ATTESTATION, CHECKSUMS, MANIFEST
from headwater.release.policy.waiver import SignedWaiver, Waiver
from headwater.release.verification import read_manifest
from headwater.rpc.v1 import release_pb2, release_pb2_grpc
from headwater_server.services.identity import authenticated_member
from headwater_server.services.ports import (
    CanaryOpening,
    CharterStore,
    MemberStore,
    ReleaseFiles,
    ReleaseRecord,
    ReleaseStore,
    RunStore,
    WaiverRecord,
)

__all__ = ["CHUNK_BYTES", "ReleasesService"]

_DIGEST = re.compile("[0-9a-f]{64}")

CHUNK_BYTES = 2**20
"""Bytes of a file in one message."""

_AT_ONCE = 8
"""Files that are sent at the same time, over all members: each holds a file open."""


class ReleasesService(release_pb2_grpc.ReleasesServicer):
    """The service on the mutually authenticated listener; the rules are `headwater.agreement`'s and the storage's."""

    def __init__(
        self,
        members: MemberStore,
        charters: CharterStore,
        runs: RunStore,
        releases: ReleaseStore,
        files: ReleaseFiles,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Take what the service acts on; `clock` tells aware time."""
        self._members = members
        self._charters = charters
        self._runs = runs
        self._releases = releases
        self._files = files
        self._clock = clock
        self._fetches = asyncio.Semaphore(_AT_ONCE)

    async def ListReleases(
        self, request: release_pb2.ListReleasesRequest, context: Any
    ) -> release_pb2.ListReleasesResponse:
        """Show the releases of charters that name the caller."""
        member_id = await authenticated_member(context, self._members)
        statuses = []
        for record in await asyncio.to_thread(self._releases.releases):
            charter = await self._charter(record.charter_digest)
            if member_id in charter.keys:
                statuses.append(_status(record, charter))
        return release_pb2.ListReleasesResponse(releases=statuses)

    async def GetRelease(self, request: release_pb2.GetReleaseRequest, context: Any) -> release_pb2.GetReleaseResponse:
        """Show one release's signed documents to a member of its charter."""
        record, charter, _ = await self._release(context, request.release_digest)
        return release_pb2.GetReleaseResponse(
            status=_status(record, charter),
            signed_manifest=await asyncio.to_thread(self._files.manifest, record),
            attestation=await asyncio.to_thread(self._files.attestation, record, charter),
        )

    async def FetchFile(
        self, request: release_pb2.FetchFileRequest, context: Any
    ) -> AsyncIterator[release_pb2.FetchFileResponse]:
        """Send one file, from an offset on."""
        record, charter, _ = await self._release(context, request.release_digest)
        async with self._fetches:
            file, size, digest = await asyncio.to_thread(self._open, record, charter, request.path, request.offset)
            try:
                yield release_pb2.FetchFileResponse(size_bytes=size, sha256=digest)
                while data := await asyncio.to_thread(file.read, CHUNK_BYTES):
                    yield release_pb2.FetchFileResponse(data=data)
            finally:
                file.close()

    async def DecideRelease(
        self, request: release_pb2.DecideReleaseRequest, context: Any
    ) -> release_pb2.DecideReleaseResponse:
        """Record the caller's decision, whose signatures are checked first."""
        signed = SignedReleaseDecision.from_bytes(request.signed_decision)
        said = signed.decision
        record, charter, member_id = await self._release(context, said.release_digest)
        if said.member != member_id:
            raise PeerError(f"{member_id!r} sent a decision of {said.member!r}; each member sends its own")
        if (said.run_id, said.statement_digest) != (record.run_id, sha256_hex(record.statement)):
            raise PeerError(f"{member_id!r} decided on another run or statement; fetch the release and review it again")
        signed.verify(charter)
        made = signed.statement_signature
        if made is not None and not is_statement_signed_by(charter.keys[member_id], record.statement, made):
            raise PeerError(f"the signature of {member_id!r} over the statement is wrong; it must sign again")
        record = await asyncio.to_thread(self._releases.record_release_decision, signed, self._clock())
        return release_pb2.DecideReleaseResponse(status=_status(record, charter))

    async def GetCandidate(
        self, request: release_pb2.GetCandidateRequest, context: Any
    ) -> release_pb2.GetCandidateResponse:
        """Name the candidate of a finished run to a member of its charter."""
        await self._of_run(context, request.run_id)
        return release_pb2.GetCandidateResponse(candidate=await asyncio.to_thread(self._candidate, request.run_id))

    async def OpenCanaries(
        self, request: release_pb2.OpenCanariesRequest, context: Any
    ) -> release_pb2.OpenCanariesResponse:
        """Record the caller's opened canaries, which are held to its signed approval first."""
        member_id, plan = await self._of_run(context, request.run_id)
        if not plan.canaries or plan.privacy == "none":
            raise OutOfOrder("only canaries of a run under a privacy budget are opened; keep the secret")
        candidate = await asyncio.to_thread(self._candidate, request.run_id)
        if not candidate:
            raise OutOfOrder("the run has no candidate yet; canaries are opened when it is fixed")
        if request.candidate != candidate:
            raise PeerError(f"{member_id!r} opened its canaries for another candidate than the run's; ask the operator")
        opened = CanarySecret(request.secret, request.salt)
        approvals = await asyncio.to_thread(self._releases.approvals, request.run_id)
        committed = [
            signed.approval.canary_commitment
            for signed in approvals
            if (signed.approval.member, signed.approval.decision) == (member_id, "approve")
        ]
        if not any(each and verify_commitment(opened, request.run_id, member_id, each) for each in committed):
            raise PeerError(f"{member_id!r} opened another secret than the one it committed to; ask the operator")
        opening = CanaryOpening(request.run_id, member_id, candidate, opened)
        await asyncio.to_thread(self._releases.add_canary_opening, opening)
        return release_pb2.OpenCanariesResponse()

    async def ListWaivers(
        self, request: release_pb2.ListWaiversRequest, context: Any
    ) -> release_pb2.ListWaiversResponse:
        """Show the waivers of runs whose charter names the caller."""
        member_id = await authenticated_member(context, self._members)
        mine = [
            _signed_waiver(record).to_bytes()
            for record in await asyncio.to_thread(self._releases.waivers)
            if member_id in (await self._charter_of_run(record.run_id)).keys
        ]
        return release_pb2.ListWaiversResponse(waivers=mine)

    async def SignWaiver(self, request: release_pb2.SignWaiverRequest, context: Any) -> release_pb2.SignWaiverResponse:
        """Add the caller's signature to a waiver."""
        member_id = await authenticated_member(context, self._members)
        known = {each.waiver_digest: each for each in await asyncio.to_thread(self._releases.waivers)}
        record = known.get(request.waiver_digest)
        if record is None:
            raise InputError("there is no waiver with this digest; headwater-org release waivers lists all")
        charter = await self._charter_of_run(record.run_id)
        if member_id not in charter.keys:
            raise _not_named(member_id)
        waiver = Waiver.from_bytes(record.document)
        for put_up in await asyncio.to_thread(self._releases.releases):
            if f"{put_up.name}/{put_up.version}" == waiver.release:
                # Its audit.json names who answered; nobody answers afterwards.
                raise OutOfOrder(
                    f"{waiver.release} is {put_up.state} already with the waivers that it has; this one of "
                    f"{waiver.gate} is over, and nothing was signed"
                )
        if not waiver.is_signed_by(charter.keys[member_id], request.signature):
            raise PeerError(f"the signature of {member_id!r} on the waiver is wrong; it must sign again")
        signed = await asyncio.to_thread(
            self._releases.add_waiver_signature, request.waiver_digest, member_id, request.signature
        )
        return release_pb2.SignWaiverResponse(waiver=_signed_waiver(signed).to_bytes())

    async def _release(self, context: Any, digest: str) -> tuple[ReleaseRecord, Charter, str]:
        """A release and its charter, if that names the caller; others do not learn which releases there are."""
        member_id = await authenticated_member(context, self._members)
        record = await asyncio.to_thread(self._releases.release, digest)
        if record is None:
            # Without the digest that was asked for: it is the caller's text and may be anything.
            raise InputError("there is no release with this digest; see headwater-org release list")
        charter = await self._charter(record.charter_digest)
        if member_id not in charter.keys:
            raise _not_named(member_id)
        return record, charter, member_id

    async def _of_run(self, context: Any, run_id: str) -> tuple[str, Plan]:
        """The calling member, if the charter of this run names it, and the run's plan."""
        member_id = await authenticated_member(context, self._members)
        proposal = await asyncio.to_thread(self._runs.proposal, run_id)
        if proposal is None:
            # Without the id that was asked for: it is the caller's text and may be anything.
            raise InputError("there is no run with this id; see headwater-org plan list")
        if member_id not in (await self._charter(proposal.proposal.charter_digest)).keys:
            raise _not_named(member_id)
        return member_id, proposal.proposal.plan

    def _candidate(self, run_id: str) -> str:
        """SHA-256 of a finished run's candidate; "" where there is none."""
        run, result = self._runs.run(run_id), self._releases.result(run_id)
        if run is None or run.state != "finished" or result is None:
            return ""
        candidate = str(result.get("candidate", ""))
        return candidate if _DIGEST.fullmatch(candidate) else ""

    async def _charter(self, digest: str) -> Charter:
        signed = await asyncio.to_thread(self._charters.charter_by_digest, digest)
        if signed is None:
            raise OutOfOrder("the release has no charter here; ask the operator to prepare it again")
        return signed.charter

    async def _charter_of_run(self, run_id: str) -> Charter:
        proposal = await asyncio.to_thread(self._runs.proposal, run_id)
        if proposal is None:
            raise OutOfOrder("the waiver is for a run that is not here; ask the operator to prepare it again")
        return await self._charter(proposal.proposal.charter_digest)

    def _open(self, record: ReleaseRecord, charter: Charter, path: str, offset: int) -> tuple[BinaryIO, int, str]:
        """A file at an offset, with its size and digest."""
        if path == ATTESTATION:
            data = self._files.attestation(record, charter)
            return _at(BytesIO(data), len(data), offset), len(data), sha256_hex(data)
        folder = self._files.folder(record)
        size, digest = self._listed(record, folder, path)
        try:
            file = (folder / path).open("rb")
        except OSError as error:
            raise StorageError(f"{folder / path} cannot be read: {error.strerror}; mend its permissions") from error
        return _at(file, size, offset), size, digest

    def _listed(self, record: ReleaseRecord, folder: Path, path: str) -> tuple[int, str]:
        # A path is compared with the manifest's own before it becomes part of one on this machine.
        if path in (MANIFEST, CHECKSUMS):
            return hash_file(folder / path)
        entry = read_manifest(self._files.manifest(record)).manifest.file(path)
        if entry is None:
            raise InputError("the release has no such file; its manifest lists all")
        return entry.size_bytes, entry.sha256


def _at(file: BinaryIO, size: int, offset: int) -> BinaryIO:
    if offset > size:
        file.close()
        raise InputError(f"byte {offset:,} of a file of {size:,} bytes was asked for; fetch it from its beginning")
    file.seek(offset)
    return file


def _signed_waiver(record: WaiverRecord) -> SignedWaiver:
    return SignedWaiver(waiver=Waiver.from_bytes(record.document), signatures=record.signatures)


def _not_named(member_id: str) -> PeerError:
    return PeerError(
        f"{member_id!r} is enrolled but not in the charter that this needs; headwater-org charter show tells which "
        "version names it, the operator proposes the next"
    )


def _status(record: ReleaseRecord, charter: Charter) -> release_pb2.ReleaseStatus:
    decisions = [signed.decision for signed in record.decisions]
    return release_pb2.ReleaseStatus(
        release_digest=record.release_digest,
        run_id=record.run_id,
        name=record.name,
        version=record.version,
        state=record.state.value,
        created=record.created,
        verdict=record.verdict,
        detail=tally_release(charter, decisions).in_words,
        decisions={decision.member: decision.decision for decision in decisions},
    )
