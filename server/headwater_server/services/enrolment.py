"""Enrolment: an invitation's secret against a client certificate."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_ssh_public_key
from pydantic import ValidationError

from headwater.agreement.documents import first_problem
from headwater.agreement.enrolment import EnrolmentClaim
from headwater.agreement.invitation import SECRET_BYTES, secret_digest
from headwater.errors import InputError, PeerError
from headwater.rpc.certificates import load_certificate, sha256_of
from headwater.rpc.v1 import enrolment_pb2, enrolment_pb2_grpc
from headwater_server.authority import Authority
from headwater_server.services.ports import EnrolledMember, EnrolmentStore

__all__ = ["EnrolmentService", "Listeners", "admit"]


@dataclass(frozen=True, slots=True)
class Listeners:
    """Where a new member finds the coordinator's other listeners."""

    host: str
    members_port: int
    catalogue_port: int


def admit(request: enrolment_pb2.EnrolRequest, authority: Authority, now: datetime) -> EnrolledMember:
    """Check an enrolment for all that can be told without the invitation, and issue the certificate.

    Raises:
        InputError: a field is malformed.
        PeerError: the proof is not the identity key's.
    """
    if len(request.secret) != SECRET_BYTES:
        raise InputError(f"the invitation's secret has {len(request.secret)} bytes, {SECRET_BYTES} are expected")
    try:
        flower_public_key = request.flower_public_key.decode("ascii")
        claim = EnrolmentClaim(
            member_id=request.member_id,
            name=request.name,
            identity_key=request.identity_key.hex(),
            secret_sha256=secret_digest(request.secret),
            csr_sha256=sha256(request.csr_pem).hexdigest(),
            flower_public_key=flower_public_key,
        )
    except ValidationError as error:
        raise InputError(f"the enrolment is malformed at {first_problem(error)}; enrol with headwater-org") from error
    except UnicodeDecodeError as error:
        raise InputError("the Flower key is not one OpenSSH line; enrol with headwater-org") from error
    if not claim.is_proved_by(request.proof):
        raise PeerError("the enrolment is not signed by the identity key that it names; enrol with headwater-org")
    _check_flower_key(request.flower_public_key)
    certificate_pem = authority.issue_member(request.csr_pem, claim.member_id, now)
    return EnrolledMember(
        member_id=claim.member_id,
        name=claim.name,
        identity_key=claim.identity_key,
        flower_public_key=flower_public_key,
        certificate_pem=certificate_pem,
        certificate_sha256=sha256_of(load_certificate(certificate_pem, "the new certificate")),
    )


class EnrolmentService(enrolment_pb2_grpc.EnrolmentServicer):
    """The service on the server-authenticated listener."""

    def __init__(
        self,
        store: EnrolmentStore,
        authority: Authority,
        listeners: Listeners,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Take what the service acts on; `clock` tells aware time."""
        self._store = store
        self._authority = authority
        self._listeners = listeners
        self._clock = clock

    async def GetAuthority(
        self, request: enrolment_pb2.GetAuthorityRequest, context: Any
    ) -> enrolment_pb2.GetAuthorityResponse:
        """Show the CA certificate."""
        return enrolment_pb2.GetAuthorityResponse(ca_certificate_pem=self._authority.certificate_pem)

    async def Enrol(self, request: enrolment_pb2.EnrolRequest, context: Any) -> enrolment_pb2.EnrolResponse:
        """Admit one member."""
        now = self._clock()
        member = admit(request, self._authority, now)
        # Last of all: a malformed request leaves the invitation good, a certificate leaves only with its redemption.
        await asyncio.to_thread(self._store.redeem, secret_digest(request.secret), member, now)
        where = self._listeners
        return enrolment_pb2.EnrolResponse(
            certificate_pem=member.certificate_pem,
            ca_certificate_pem=self._authority.certificate_pem,
            members=enrolment_pb2.Endpoint(host=where.host, port=where.members_port),
            catalogue=enrolment_pb2.Endpoint(host=where.host, port=where.catalogue_port),
        )


def _check_flower_key(line: bytes) -> None:
    try:
        key = load_ssh_public_key(line)
    except (ValueError, UnsupportedAlgorithm, NotImplementedError) as error:
        # The last is what cryptography raises for a compressed point.
        raise InputError("the Flower key is not one OpenSSH line; enrol with headwater-org") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp384r1":
        # flower.md: ed25519 node keys are refused by Flower.
        raise InputError("the Flower key is not ECDSA P-384; enrol with headwater-org")
