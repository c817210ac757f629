"""Enrolment over real TLS: the good way, and what each wrong thing costs."""

import stat
from datetime import timedelta
from pathlib import Path

import grpc
import pytest

from headwater.agreement.invitation import Invitation
from headwater.agreement.signing import public_key_hex
from headwater.errors import InputError, PeerError, TransportError
from headwater.rpc.certificates import common_name, load_certificate
from headwater.rpc.v1 import enrolment_pb2, enrolment_pb2_grpc
from headwater_client.keystore import KeyStore
from headwater_client.transport.channel import CoordinatorChannel
from headwater_client.transport.consortium import ConsortiumClient
from headwater_client.transport.diagnosis import Endpoint
from headwater_client.transport.enrolment import _request, enrol, fetch_authority
from headwater_server.authority import Authority
from support.rpc import LOOPBACK, LoopThread, RpcCoordinator, stored_identity


def _keys(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path / "keys")


def test_an_invited_organisation_gets_a_certificate_that_the_member_listener_takes(
    coordinator: RpcCoordinator, tmp_path: Path
) -> None:
    keys = _keys(tmp_path)
    enrolled = enrol(Invitation.from_token(coordinator.invite("org-1").to_token()), keys)
    keys.save_certificates(enrolled.certificate_pem, enrolled.ca_pem)
    assert common_name(load_certificate(enrolled.certificate_pem, "certificate")) == "org-1"
    assert enrolled.members == coordinator.members
    recorded = coordinator.store.members["org-1"]
    assert recorded.identity_key == public_key_hex(keys.identity_key())
    assert recorded.flower_public_key.encode() == keys.flower_public_key()
    with CoordinatorChannel(enrolled.members, stored_identity(keys)) as channel:
        assert ConsortiumClient(channel).runs is not None
        with pytest.raises(Exception, match="no charter is proposed yet"):
            ConsortiumClient(channel).charter()


def test_a_used_token_is_refused_and_leaves_the_first_member_as_it_is(
    coordinator: RpcCoordinator, tmp_path: Path
) -> None:
    invitation = coordinator.invite("org-1")
    enrol(invitation, KeyStore(tmp_path / "first"))
    before = coordinator.store.members["org-1"]
    with pytest.raises(PeerError, match="used before"):
        enrol(invitation, KeyStore(tmp_path / "second"))
    assert coordinator.store.members["org-1"] == before


def test_an_unknown_secret_is_refused(coordinator: RpcCoordinator, tmp_path: Path) -> None:
    invitation = coordinator.invite("org-1").model_copy(update={"secret": "00" * 32})
    with pytest.raises(PeerError, match="no such invitation"):
        enrol(invitation, _keys(tmp_path))


def test_an_expired_invitation_is_refused(coordinator: RpcCoordinator, tmp_path: Path) -> None:
    invitation = coordinator.invite("org-1", expires=coordinator.now - timedelta(hours=1))
    with pytest.raises(PeerError, match="expired"):
        enrol(invitation, _keys(tmp_path))


def test_a_token_for_one_member_enrols_no_other(coordinator: RpcCoordinator, tmp_path: Path) -> None:
    invitation = coordinator.invite("org-1").model_copy(update={"member_id": "org-2"})
    with pytest.raises(PeerError, match="another member"):
        enrol(invitation, _keys(tmp_path))


def test_a_coordinator_with_another_ca_never_sees_the_secret(coordinator: RpcCoordinator, tmp_path: Path) -> None:
    other = Authority.create("Somebody else", coordinator.now)
    invitation = coordinator.invite("org-1").model_copy(update={"ca_sha256": other.digest})
    with pytest.raises(PeerError, match="nothing secret was sent"):
        enrol(invitation, _keys(tmp_path))
    assert not coordinator.store.invited[invitation.secret_sha256].used
    assert not (tmp_path / "keys").exists()


def test_an_impostor_that_passes_the_true_ca_on_still_never_sees_the_secret(
    loop: LoopThread, coordinator: RpcCoordinator, tmp_path: Path
) -> None:
    # The impostor has a certificate of its own making and shows the consortium's public CA certificate.
    impostor = RpcCoordinator(loop)
    try:
        genuine = coordinator.authority.certificate
        object.__setattr__(impostor.authority, "certificate", genuine)
        invitation = coordinator.invite("org-1").model_copy(update={"port": impostor.enrolment_listener.port})
        assert fetch_authority(Endpoint(LOOPBACK, invitation.port), invitation.ca_sha256)
        with pytest.raises(PeerError, match="not signed by this consortium's CA"):
            enrol(invitation, _keys(tmp_path))
        assert impostor.store.asked == []
    finally:
        impostor.close()


def test_an_expired_server_certificate_is_named(loop: LoopThread, coordinator: RpcCoordinator, tmp_path: Path) -> None:
    expired = RpcCoordinator(loop, server_now=coordinator.now - timedelta(days=2000))
    try:
        with pytest.raises(TransportError, match="has expired; the operator must renew it"):
            enrol(expired.invite("org-1"), _keys(tmp_path))
    finally:
        expired.close()


def test_a_coordinator_that_is_away_gives_one_clear_line(coordinator: RpcCoordinator, tmp_path: Path) -> None:
    invitation = coordinator.invite("org-1")
    coordinator.loop.run(coordinator.enrolment_listener.stop(0))
    with pytest.raises(TransportError) as caught:
        enrol(invitation, _keys(tmp_path))
    line = str(caught.value)
    assert line.startswith(f"cannot reach {LOOPBACK}:{invitation.port} (")
    assert line.endswith("; is headwater-coordinator serve running?")


def test_an_enrolment_signed_by_another_identity_key_is_refused_and_the_token_stays_good(
    coordinator: RpcCoordinator, tmp_path: Path
) -> None:
    invitation, keys = coordinator.invite("org-1"), _keys(tmp_path)
    keys.create_missing()
    request = _request(invitation, keys)
    forged = enrolment_pb2.EnrolRequest.FromString(request.SerializeToString())
    forged.identity_key = bytes(32)
    assert _status_of(coordinator, forged) is grpc.StatusCode.PERMISSION_DENIED
    assert not coordinator.store.invited[invitation.secret_sha256].used
    assert _status_of(coordinator, request) is grpc.StatusCode.OK


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("secret", b"short"),
        ("member_id", "Org 1"),
        ("name", ""),
        ("csr_pem", b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"),
        ("identity_key", b"\x01"),
        ("flower_public_key", b"ssh-ed25519 AAAA"),
        ("flower_public_key", b"\xff"),
        ("proof", b""),
    ],
)
def test_a_malformed_enrolment_is_refused_before_the_token_is_used(
    coordinator: RpcCoordinator, tmp_path: Path, field: str, value: object
) -> None:
    invitation, keys = coordinator.invite("org-1"), _keys(tmp_path)
    keys.create_missing()
    request = _request(invitation, keys)
    setattr(request, field, value)
    refused = {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.PERMISSION_DENIED}
    assert _status_of(coordinator, request) in refused
    assert not coordinator.store.invited[invitation.secret_sha256].used


def test_a_key_that_others_can_read_is_not_used(coordinator: RpcCoordinator, tmp_path: Path) -> None:
    keys = _keys(tmp_path)
    keys.create_missing()
    (tmp_path / "keys" / "identity.key").chmod(0o640)
    with pytest.raises(InputError, match="chmod 600"):
        enrol(coordinator.invite("org-1"), keys)
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700


def _status_of(coordinator: RpcCoordinator, request: enrolment_pb2.EnrolRequest) -> grpc.StatusCode:
    credentials = grpc.ssl_channel_credentials(coordinator.authority.certificate_pem)
    address = f"{LOOPBACK}:{coordinator.enrolment_listener.port}"
    with grpc.secure_channel(address, credentials) as channel:
        try:
            enrolment_pb2_grpc.EnrolmentStub(channel).Enrol(request, timeout=20)
        except grpc.RpcError as error:
            return error.code()
    return grpc.StatusCode.OK
