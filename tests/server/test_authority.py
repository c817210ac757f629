"""The consortium's CA: what it signs, for whom, and what it refuses to sign."""

import ipaddress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from headwater.errors import InputError, PeerError
from headwater.rpc.certificates import check_in_force, check_issued_by, common_name, load_certificate
from headwater_server.authority import Authority, KeyPair

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create("Test consortium", NOW)


def _request(
    key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | None = None, *, wants_to_be_ca: bool = False
) -> bytes:
    key = key or ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "headwater-coordinator")])
    )
    if wants_to_be_ca:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(Encoding.PEM)


def test_a_server_certificate_is_valid_for_its_name_and_its_address(authority: Authority) -> None:
    pair = authority.issue_server("coordinator", ["coordinator.example", "10.0.0.7", "::1"], NOW)
    certificate = load_certificate(pair.certificate_pem, "certificate")
    store = Store([authority.certificate])
    for subject in (
        x509.DNSName("coordinator.example"),
        x509.IPAddress(ipaddress.ip_address("10.0.0.7")),
        x509.IPAddress(ipaddress.ip_address("::1")),
    ):
        verifier = PolicyBuilder().store(store).time(NOW).build_server_verifier(subject)
        verifier.verify(certificate, [])
    with pytest.raises(VerificationError):
        PolicyBuilder().store(store).time(NOW).build_server_verifier(x509.DNSName("other.example")).verify(
            certificate, []
        )


def test_a_members_certificate_takes_nothing_but_the_key_from_the_request(authority: Authority) -> None:
    pem = authority.issue_member(_request(wants_to_be_ca=True), "org-1", NOW)
    certificate = load_certificate(pem, "certificate")
    assert common_name(certificate) == "org-1"
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    check_issued_by(certificate, authority.certificate, "certificate")


@pytest.mark.parametrize(
    "request_pem",
    [
        b"",
        b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
        _request(ec.generate_private_key(ec.SECP384R1())),
        _request(ed25519.Ed25519PrivateKey.generate()),
    ],
)
def test_a_request_without_a_p256_key_is_refused(authority: Authority, request_pem: bytes) -> None:
    with pytest.raises(InputError, match="enrol again"):
        authority.issue_member(request_pem, "org-1", NOW)


def test_a_request_that_its_key_did_not_sign_is_refused(authority: Authority) -> None:
    der = bytearray(x509.load_pem_x509_csr(_request()).public_bytes(Encoding.DER))
    der[-1] ^= 1
    forged = x509.load_der_x509_csr(bytes(der)).public_bytes(Encoding.PEM)
    with pytest.raises(InputError, match="key of its own"):
        authority.issue_member(forged, "org-1", NOW)


def test_the_authority_comes_back_from_its_files(authority: Authority) -> None:
    again = Authority.load(authority.to_pair())
    assert again.digest == authority.digest
    check_issued_by(
        load_certificate(again.issue_member(_request(), "org-1", NOW), "certificate"),
        authority.certificate,
        "certificate",
    )


def test_files_of_two_authorities_are_not_one(authority: Authority) -> None:
    other = Authority.create("Another", NOW)
    with pytest.raises(InputError, match="do not belong together"):
        Authority.load(KeyPair(other.to_pair().key_pem, authority.certificate_pem))
    with pytest.raises(InputError, match="not an unencrypted PEM key"):
        Authority.load(KeyPair(b"nothing", authority.certificate_pem))


def test_another_authoritys_certificate_is_not_ours(authority: Authority) -> None:
    other = Authority.create("Test consortium", NOW)
    pem = other.issue_member(_request(), "org-1", NOW)
    with pytest.raises(PeerError, match="not signed by the consortium's CA"):
        check_issued_by(load_certificate(pem, "certificate"), authority.certificate, "the certificate")


@pytest.mark.parametrize(("offset", "problem"), [(timedelta(days=366), "expired on"), (timedelta(days=-1), "clock")])
def test_a_certificate_outside_its_time_is_named(authority: Authority, offset: timedelta, problem: str) -> None:
    certificate = load_certificate(authority.issue_member(_request(), "org-1", NOW), "certificate")
    check_in_force(certificate, NOW, "it", "enrol again")
    with pytest.raises(InputError, match=problem):
        check_in_force(certificate, NOW + offset, "it", "enrol again")


@pytest.mark.parametrize("hosts", [[], ["not a host"], ["ex ample.org"], ["\ud800"]])
def test_a_server_without_a_usable_host_is_refused(authority: Authority, hosts: list[str]) -> None:
    with pytest.raises(InputError, match="host"):
        authority.issue_server("coordinator", hosts, NOW)


def test_a_certificate_with_two_names_names_nobody(authority: Authority) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    names = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in ("org-1", "org-2")])
    certificate = (
        x509.CertificateBuilder(names, names, key.public_key(), 1, NOW, NOW + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    with pytest.raises(PeerError, match="2 common names"):
        common_name(certificate)


def test_keys_stand_in_no_repr(authority: Authority) -> None:
    assert "PRIVATE" not in repr(authority.to_pair())
    assert "key" not in repr(authority)
