"""Releases that wait, fetched and decided on over the member channel."""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from headwater.agreement.release_decision import SignedReleaseDecision
from headwater.audit.canaries.commitment import CanarySecret
from headwater.errors import InputError, PeerError, StorageError, TransportError
from headwater.release.policy.waiver import SignedWaiver
from headwater.rpc.status import one_line
from headwater.rpc.v1 import release_pb2, release_pb2_grpc
from headwater_client.transport.channel import CoordinatorChannel

__all__ = ["ReleaseDocuments", "ReleaseStatus", "ReleasesClient"]

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ReleaseStatus:
    """Where a release is, in the coordinator's words, unsigned: to be shown, never to be decided by.

    Attributes:
        release_digest: of its manifest, 64 hexadecimal digits.
        run_id: that it came from.
        name: of the dataset.
        version: of the dataset.
        state: waiting, approved, published or refused.
        created: UTC, to the second.
        verdict: of the gate.
        detail: one line on who has signed.
        decisions: "approve" or "refuse" by member id.
    """

    release_digest: str
    run_id: str
    name: str
    version: int
    state: str
    created: str
    verdict: str
    detail: str
    decisions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ReleaseDocuments:
    """What is signed about a release, as it came; nothing is believed yet.

    Attributes:
        status: in the coordinator's words.
        manifest: `SignedManifest`, canonical JSON.
        attestation: a DSSE envelope, JSON.
    """

    status: ReleaseStatus
    manifest: bytes
    attestation: bytes


class ReleasesClient:
    """One method for each of the service's calls.

    All may raise `TransportError` (the coordinator is away), `PeerError` (it refused this member, or sent bytes that
    are not what was asked for), `OutOfOrder` and `InputError` as release.proto says.
    """

    def __init__(self, channel: CoordinatorChannel, timeout_seconds: float = 30.0) -> None:
        """Use a channel; each call has `timeout_seconds`, and so has each piece of a file."""
        self._channel = channel
        self._timeout_seconds = timeout_seconds
        self._stub = release_pb2_grpc.ReleasesStub(channel.grpc)

    def releases(self) -> tuple[ReleaseStatus, ...]:
        """All releases of charters that name this member, oldest first."""
        reply = self._call(self._stub.ListReleases, release_pb2.ListReleasesRequest())
        return tuple(_status(status) for status in reply.releases)

    def release(self, release_digest: str) -> ReleaseDocuments:
        """The documents of one release."""
        reply = self._call(self._stub.GetRelease, release_pb2.GetReleaseRequest(release_digest=release_digest))
        return ReleaseDocuments(_status(reply.status), reply.signed_manifest, reply.attestation)

    def fetch(self, release_digest: str, path: str, target: Path, size_bytes: int, sha256: str) -> None:
        """Fetch one file, from where an earlier attempt was cut off.

        Args:
            release_digest: of the release.
            path: as its manifest lists it.
            target: where the file goes, under its name only when it is whole.
            size_bytes: of the file, as the manifest says.
            sha256: of the file, as the manifest says.

        Raises:
            PeerError: what came is another file.
            StorageError: the disk is full or the folder cannot be written.
        """
        part = target.with_name(f"{target.name}.part")
        try:
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._append(release_digest, path, part, size_bytes)
            digest = hashlib.sha256()
            with part.open("rb") as file:
                while data := file.read(2**20):
                    digest.update(data)
            if digest.hexdigest() != sha256:
                # What is wrong stays wrong however often more is appended to it.
                part.unlink()
                raise PeerError(f"the coordinator sent another {path} than the signed manifest lists; fetch it again")
            part.replace(target)
        except OSError as error:
            raise StorageError(f"{target} cannot be written ({error.strerror}); free the disk") from error

    def decide(self, decision: SignedReleaseDecision) -> ReleaseStatus:
        """Send this member's signed decision."""
        request = release_pb2.DecideReleaseRequest(signed_decision=decision.to_bytes())
        return _status(self._call(self._stub.DecideRelease, request).status)

    def waivers(self) -> tuple[SignedWaiver, ...]:
        """Waivers of runs whose charter names this member, oldest first; their signatures are not checked."""
        reply = self._call(self._stub.ListWaivers, release_pb2.ListWaiversRequest())
        return tuple(_waiver(data) for data in reply.waivers)

    def sign_waiver(self, waiver_digest: str, signature: str) -> SignedWaiver:
        """Add this member's signature to a waiver."""
        request = release_pb2.SignWaiverRequest(waiver_digest=waiver_digest, signature=signature)
        return _waiver(self._call(self._stub.SignWaiver, request).waiver)

    def candidate(self, run_id: str) -> str:
        """SHA-256 of a finished run's packed candidate, 64 hexadecimal digits; "" where it has none."""
        reply = self._call(self._stub.GetCandidate, release_pb2.GetCandidateRequest(run_id=run_id))
        return one_line(reply.candidate)

    def open_canaries(self, run_id: str, candidate: str, opened: CanarySecret) -> None:
        """Send the secret behind this member's canaries in a finished run, for one candidate."""
        request = release_pb2.OpenCanariesRequest(
            run_id=run_id, candidate=candidate, secret=opened.secret, salt=opened.salt
        )
        self._call(self._stub.OpenCanaries, request)

    def _append(self, release_digest: str, path: str, part: Path, size_bytes: int) -> None:
        with part.open("ab") as file:
            if file.tell() > size_bytes:
                file.truncate(0)
            done = file.seek(0, 2)
            request = release_pb2.FetchFileRequest(release_digest=release_digest, path=path, offset=done)
            # A large file takes long and its pieces must not: the allowance grows with what is to come.
            allowed = self._timeout_seconds * (1 + (size_bytes - done) / 2**24)
            try:
                for reply in self._stub.FetchFile(request, timeout=allowed):
                    done += len(reply.data)
                    if done > size_bytes:
                        raise PeerError(f"the coordinator sent more of {path} than the signed manifest lists")
                    file.write(reply.data)
            except grpc.RpcError as error:
                raise self._channel.error_of(error) from error
        if done != size_bytes:
            raise TransportError(f"{path} came to {done:,} of {size_bytes:,} bytes; fetch it again, it goes on there")

    def _call(self, method: Callable[..., Any], request: Any) -> Any:
        try:
            return method(request, timeout=self._timeout_seconds)
        except grpc.RpcError as error:
            raise self._channel.error_of(error) from error


def _waiver(data: bytes) -> SignedWaiver:
    try:
        return SignedWaiver.from_bytes(data)
    except InputError as error:
        raise PeerError(f"the coordinator sent something else than was asked for: {error}") from error


def _status(status: release_pb2.ReleaseStatus) -> ReleaseStatus:
    # It names a folder here before anything about it is verified.
    if not _DIGEST.fullmatch(status.release_digest):
        raise PeerError("the coordinator sent a release whose digest is none; do not use it, ask the operator")
    return ReleaseStatus(
        release_digest=one_line(status.release_digest),
        run_id=one_line(status.run_id),
        name=one_line(status.name),
        version=status.version,
        state=one_line(status.state),
        created=one_line(status.created),
        verdict=one_line(status.verdict),
        detail=one_line(status.detail),
        decisions={one_line(member): one_line(decision) for member, decision in status.decisions.items()},
    )
