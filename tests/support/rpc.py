"""A coordinator's gRPC side on loopback: real servers and TLS over stores in memory."""

import asyncio
import functools
import threading
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from headwater.agreement.approval import SignedApproval, SignedProposal
from headwater.agreement.charter import SignedCharter
from headwater.agreement.invitation import Invitation
from headwater.agreement.troubles import Trouble
from headwater.errors import OutOfOrder, PeerError
from headwater.rpc.certificates import load_certificate, sha256_of
from headwater.rpc.v1 import catalogue_pb2_grpc
from headwater_client.keystore import KeyStore
from headwater_client.transport.channel import Identity
from headwater_client.transport.diagnosis import Endpoint
from headwater_server.authority import Authority
from headwater_server.services.aggregation import AggregationService
from headwater_server.services.consortium import ConsortiumService
from headwater_server.services.enrolment import EnrolmentService, Listeners
from headwater_server.services.hub import AggregationHub
from headwater_server.services.ports import EnrolledMember, RunRecord
from headwater_server.services.releases import ReleasesService
from headwater_server.services.server import Listener, enrolment_listener, member_listener

__all__ = ["LOOPBACK", "LoopThread", "MemoryStore", "RpcCoordinator", "shared_loop", "stored_identity", "tls_identity"]

LOOPBACK = "127.0.0.1"
_T = TypeVar("_T")


@functools.cache
def shared_loop() -> "LoopThread":
    """The one loop of a test process: gRPC's asyncio side is made for one."""
    return LoopThread()


class LoopThread:
    """An event loop on a thread of its own, for servers beside synchronous clients."""

    def __init__(self) -> None:
        """Start the thread."""
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, _T], timeout: float = 30.0) -> _T:
        """Run a coroutine there and wait for it."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(timeout)

    def submit(self, coroutine: Coroutine[Any, Any, _T]) -> "asyncio.Future[_T]":
        """Run a coroutine there; a future to wait on from here."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)  # type: ignore[return-value]


@dataclass
class _Invited:
    member_id: str
    name: str
    expires: datetime
    used: bool = False


@dataclass
class MemoryStore:
    """All ports of the services, under one lock."""

    invited: dict[str, _Invited] = field(default_factory=dict)
    members: dict[str, EnrolledMember] = field(default_factory=dict)
    certificates: dict[str, str] = field(default_factory=dict)
    charters: list[SignedCharter] = field(default_factory=list)
    proposals: dict[str, SignedProposal] = field(default_factory=dict)
    records: dict[str, RunRecord] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    decisions: list[SignedApproval] = field(default_factory=list)
    troubles: list[tuple[str, str, Trouble]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def invite(self, invitation: Invitation, expires: datetime) -> None:
        """Store an invitation."""
        self.invited[invitation.secret_sha256] = _Invited(invitation.member_id, invitation.name, expires)

    def redeem(self, secret_sha256: str, member: EnrolledMember, now: datetime) -> None:
        """As `EnrolmentStore`."""
        with self.lock:
            self.asked.append(secret_sha256)
            invited = self.invited.get(secret_sha256)
            if invited is None:
                raise PeerError("there is no such invitation; ask the operator for a new one")
            if invited.used:
                raise PeerError("this invitation was used before; ask the operator for a new one")
            if now > invited.expires:
                raise PeerError("this invitation has expired; ask the operator for a new one")
            if (invited.member_id, invited.name) != (member.member_id, member.name):
                raise PeerError("this invitation is another member's; ask the operator for one")
            invited.used = True
            self.members[member.member_id] = member
            self.certificates[member.member_id] = member.certificate_sha256

    def certificate_sha256(self, member_id: str) -> str | None:
        """As `MemberStore`."""
        return self.certificates.get(member_id)

    @property
    def signed_charter(self) -> SignedCharter | None:
        """The newest version, which a test may replace."""
        return self.charters[-1] if self.charters else None

    @signed_charter.setter
    def signed_charter(self, signed: SignedCharter | None) -> None:
        before = 0 if signed is None else signed.charter.version - 1
        self.charters = self.charters[:before] + ([] if signed is None else [signed])

    def charter(self, version: int | None = None) -> SignedCharter | None:
        """As `CharterStore`."""
        if version is None:
            return self.signed_charter
        return self.charters[version - 1] if 0 < version <= len(self.charters) else None

    def charter_by_digest(self, digest: str) -> SignedCharter | None:
        """As `CharterStore`."""
        return next((signed for signed in self.charters if signed.charter.digest == digest), None)

    def add_charter_signature(self, charter_digest: str, member_id: str, signature: str) -> SignedCharter:
        """As `CharterStore`."""
        with self.lock:
            signed = self.signed_charter
            if signed is None or signed.charter.digest != charter_digest:
                raise OutOfOrder("the charter was changed; fetch and compare it again")
            former = self.charters[-2].charter if len(self.charters) > 1 else None
            self.charters[-1] = signed.with_signature(member_id, signature, former)
            return self.charters[-1]

    def runs(self) -> Sequence[RunRecord]:
        """As `RunStore`."""
        return list(self.records.values())

    def run(self, run_id: str) -> RunRecord | None:
        """As `RunStore`."""
        return self.records.get(run_id)

    def proposal(self, run_id: str) -> SignedProposal | None:
        """As `RunStore`."""
        return self.proposals.get(run_id)

    def record_trouble(self, run_id: str, member_id: str, trouble: Trouble) -> None:
        """As `RunStore`."""
        with self.lock:
            self.troubles.append((run_id, member_id, trouble))

    def record_decision(self, approval: SignedApproval, now: datetime) -> None:
        """As `RunStore`."""
        with self.lock:
            self.decisions.append(approval)


class RpcCoordinator:
    """Both listeners on free ports of loopback."""

    def __init__(self, loop: LoopThread, server_now: datetime | None = None) -> None:
        """Start everything.

        Args:
            loop: where the servers run.
            server_now: when the server's certificate was made; the past makes an expired one.
        """
        self.loop = loop
        self.now = datetime.now(UTC)
        self.authority = Authority.create("Test consortium", self.now - timedelta(days=3000))
        self.pair = self.authority.issue_server("coordinator", [LOOPBACK], server_now or self.now)
        self.store = MemoryStore()
        self.hub = AggregationHub()
        self.releases: ReleasesService | None = None
        self.catalogue: catalogue_pb2_grpc.CatalogueServicer | None = None
        self.members_listener = loop.run(self._start_members(0))
        self.enrolment_listener = loop.run(self._start_enrolment())

    @property
    def members(self) -> Endpoint:
        """Where members dial."""
        return Endpoint(LOOPBACK, self.members_listener.port)

    def invite(self, member_id: str, *, name: str = "Clinic", expires: datetime | None = None) -> Invitation:
        """Make and store an invitation."""
        invitation = Invitation.create(
            host=LOOPBACK,
            port=self.enrolment_listener.port,
            ca_sha256=self.authority.digest,
            member_id=member_id,
            name=name,
        )
        self.store.invite(invitation, expires or self.now + timedelta(hours=1))
        return invitation

    def admit(self, member_id: str, *, now: datetime | None = None) -> Identity:
        """A member with a certificate on record, without the ceremony."""
        identity = tls_identity(self.authority, member_id, now or self.now)
        certificate = load_certificate(identity.certificate_pem, "certificate")
        self.store.certificates[member_id] = sha256_of(certificate)
        return identity

    def serve_releases(self, releases: ReleasesService) -> None:
        """Serve releases beside the rest, on the same port."""
        self.releases = releases
        self.stop_members()
        self.restart_members()

    def serve_catalogue(self, catalogue: catalogue_pb2_grpc.CatalogueServicer) -> None:
        """Serve what is published beside the rest, on the same port."""
        self.catalogue = catalogue
        self.stop_members()
        self.restart_members()

    def stop_members(self) -> None:
        """Take the member listener away, as a crash would."""
        self.loop.run(self.members_listener.stop(0))

    def restart_members(self) -> None:
        """Bring the member listener back on its port."""
        self.members_listener = self.loop.run(self._start_members(self.members_listener.port))

    def close(self) -> None:
        """Stop everything."""
        self.loop.run(self.hub.close())
        self.loop.run(self.members_listener.stop(0))
        self.loop.run(self.enrolment_listener.stop(0))

    async def _start_members(self, port: int) -> Listener:
        listener = member_listener(
            ConsortiumService(self.store, self.store, self.store),
            AggregationService(self.store, self.hub),
            self.pair,
            self.authority.certificate_pem,
            LOOPBACK,
            port,
            releases=self.releases,
            catalogue=self.catalogue,
        )
        await listener.start()
        return listener

    def enrolment_service(self) -> EnrolmentService:
        """The enrolment service over this store."""
        return EnrolmentService(self.store, self.authority, Listeners(LOOPBACK, self.members.port, 1))

    async def _start_enrolment(self) -> Listener:
        listener = enrolment_listener(self.enrolment_service(), self.pair, LOOPBACK, 0)
        await listener.start()
        return listener


def tls_identity(authority: Authority, member_id: str, now: datetime) -> Identity:
    """A TLS key with a certificate of this authority, in memory."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    certificate = authority.issue_member(_request(key, member_id), member_id, now)
    return Identity(authority.certificate_pem, certificate, pem)


def stored_identity(keys: KeyStore) -> Identity:
    """The identity that a key store holds after enrolment."""
    return Identity(keys.ca_pem(), keys.certificate_pem(), keys.tls_key_pem())


def _request(key: ec.EllipticCurvePrivateKey, member_id: str) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, member_id)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return request.public_bytes(Encoding.PEM)
