"""Enrolment from the newcomer's side: trust first, then the secret."""

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

import grpc
from cryptography import x509

from headwater.agreement.enrolment import EnrolmentClaim
from headwater.agreement.invitation import Invitation
from headwater.agreement.signing import public_key_hex
from headwater.errors import HeadwaterError, InputError, PeerError
from headwater.rpc.certificates import (
    check_in_force,
    check_issued_by,
    common_name,
    load_certificate,
    sha256_of,
)
from headwater.rpc.v1 import enrolment_pb2, enrolment_pb2_grpc
from headwater_client.keystore import KeyStore
from headwater_client.transport.channel import channel_options, error_of_call
from headwater_client.transport.diagnosis import Endpoint, shown_certificate

__all__ = ["Enrolled", "enrol", "fetch_authority"]


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What enrolment brought, checked.

    Attributes:
        member_id: the member's id, also its certificate's common name.
        certificate_pem: the member's certificate over its own TLS key.
        ca_pem: the consortium's CA, with the digest that the invitation gave.
        members: the listener for charter, runs and aggregation.
        catalogue: the HTTPS listener.
    """

    member_id: str
    certificate_pem: bytes
    ca_pem: bytes
    members: Endpoint
    catalogue: Endpoint


def fetch_authority(endpoint: Endpoint, ca_sha256: str, timeout_seconds: float = 20.0) -> bytes:
    """The consortium's CA certificate, checked against the digest that came out of band.

    The connection trusts whichever certificate the other side shows, since the newcomer has no root yet: nothing but
    the public question goes over it, and nothing but bytes with the right SHA-256 is accepted from it. So an attacker
    on the path can only pass the true certificate on.

    Args:
        endpoint: the enrolment listener.
        ca_sha256: 64 hexadecimal digits, from the invitation.
        timeout_seconds: for the call.

    Returns:
        PEM.

    Raises:
        TransportError: nobody answers.
        PeerError: the CA has another digest.
    """
    shown = shown_certificate(endpoint)
    # The certificate stands as its own root. Its host name is still checked, which a wrong SAN fails early.
    with _channel(endpoint, shown) as channel:
        try:
            reply = enrolment_pb2_grpc.EnrolmentStub(channel).GetAuthority(
                enrolment_pb2.GetAuthorityRequest(), timeout=timeout_seconds
            )
        except grpc.RpcError as error:
            raise error_of_call(error, endpoint, shown) from error
    try:
        digest = sha256_of(load_certificate(reply.ca_certificate_pem, "the CA certificate"))
    except InputError as error:
        raise PeerError(f"{endpoint} sent no CA certificate; is it the enrolment address?") from error
    if not hmac.compare_digest(digest, ca_sha256):
        raise PeerError(
            f"the CA of {endpoint} has SHA-256 {digest[:16]}…, the invitation says {ca_sha256[:16]}…; nothing "
            "secret was sent: somebody else answers there, or the coordinator was set up anew, ask the operator"
        )
    return bytes(reply.ca_certificate_pem)


def enrol(
    invitation: Invitation, keys: KeyStore, *, timeout_seconds: float = 20.0, now: datetime | None = None
) -> Enrolled:
    """Trade the invitation for a certificate.

    Keys are made (if missing) once the coordinator's CA is known to be the right one. The caller keeps the result,
    with `KeyStore.save_certificates` first.

    Args:
        invitation: from the token.
        keys: where this organisation's keys are made.
        timeout_seconds: for each of the two calls.
        now: aware time; the machine's by default.

    Raises:
        TransportError: nobody answers, or the connection broke; the invitation may be tried again.
        PeerError: the CA is not the invitation's, the invitation was refused, or the reply does not fit.
        InputError: a key file is unusable.
        StorageError: the keys cannot be written.
    """
    endpoint = Endpoint(invitation.host, invitation.port)
    ca_pem = fetch_authority(endpoint, invitation.ca_sha256, timeout_seconds)
    keys.create_missing()
    request = _request(invitation, keys)
    with _channel(endpoint, ca_pem) as channel:
        try:
            reply = enrolment_pb2_grpc.EnrolmentStub(channel).Enrol(request, timeout=timeout_seconds)
        except grpc.RpcError as error:
            raise error_of_call(error, endpoint, ca_pem) from error
    try:
        _check_reply(reply, ca_pem, request, now or datetime.now(UTC))
    except HeadwaterError as error:
        raise PeerError(f"{endpoint} sent a reply that does not fit ({error}); nothing was kept") from error
    return Enrolled(
        member_id=invitation.member_id,
        certificate_pem=bytes(reply.certificate_pem),
        ca_pem=ca_pem,
        members=Endpoint(reply.members.host, reply.members.port),
        catalogue=Endpoint(reply.catalogue.host, reply.catalogue.port),
    )


def _channel(endpoint: Endpoint, root_pem: bytes) -> grpc.Channel:
    return grpc.secure_channel(str(endpoint), grpc.ssl_channel_credentials(root_pem), options=channel_options(endpoint))


def _request(invitation: Invitation, keys: KeyStore) -> enrolment_pb2.EnrolRequest:
    identity = keys.identity_key()
    csr_pem = keys.certificate_request(invitation.member_id)
    flower_public_key = keys.flower_public_key()
    claim = EnrolmentClaim(
        member_id=invitation.member_id,
        name=invitation.name,
        identity_key=public_key_hex(identity),
        secret_sha256=invitation.secret_sha256,
        csr_sha256=sha256(csr_pem).hexdigest(),
        flower_public_key=flower_public_key.decode("ascii"),
    )
    return enrolment_pb2.EnrolRequest(
        secret=bytes.fromhex(invitation.secret),
        member_id=claim.member_id,
        name=claim.name,
        csr_pem=csr_pem,
        identity_key=bytes.fromhex(claim.identity_key),
        flower_public_key=flower_public_key,
        proof=claim.signed_by(identity),
    )


def _check_reply(
    reply: enrolment_pb2.EnrolResponse, ca_pem: bytes, request: enrolment_pb2.EnrolRequest, now: datetime
) -> None:
    if reply.ca_certificate_pem != ca_pem:
        raise PeerError("it names another CA than before")
    certificate = load_certificate(reply.certificate_pem, "the new certificate")
    check_issued_by(certificate, load_certificate(ca_pem, "the CA certificate"), "the new certificate")
    check_in_force(certificate, now, "the new certificate", "ask the operator to check the coordinator's clock")
    if common_name(certificate) != request.member_id:
        raise PeerError("the new certificate is another member's")
    if certificate.public_key() != x509.load_pem_x509_csr(request.csr_pem).public_key():
        raise PeerError("the new certificate is for another key")
    for where in (reply.members, reply.catalogue):
        if not where.host or not 1 <= where.port <= 65535:
            raise PeerError("it names no address for the other listeners")
