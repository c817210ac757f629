"""The consortium's certificate authority: one EC P-256 root that signs servers and members directly."""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from headwater.errors import InputError
from headwater.rpc.certificates import load_certificate, sha256_of

__all__ = ["Authority", "KeyPair"]

_CA_DAYS = 3650
_SERVER_DAYS = 730
_MEMBER_DAYS = 365
# A member's clock may be a little behind the coordinator's; its new certificate must not look unborn.
_CLOCK_SKEW = timedelta(minutes=5)
_COMMON_NAME_LIMIT = 64
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DNS_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A private key and the certificate over its public half, both PEM."""

    key_pem: bytes = field(repr=False)
    certificate_pem: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Authority:
    """The root that every TLS connection of the consortium chains to.

    It signs leaves alone (path length 0), each for one side: a member's certificate cannot pose as a server, nor a
    server's as a member.
    """

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    @classmethod
    def create(cls, consortium: str, now: datetime) -> "Authority":
        """Make a new root, valid for ten years.

        Args:
            consortium: the consortium's name; becomes part of the certificate's subject.
            now: aware time from which it is valid.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name(f"{consortium[: _COMMON_NAME_LIMIT - 3]} CA")
        public = key.public_key()
        certificate = (
            _builder(name, name, public, now, _CA_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .sign(key, hashes.SHA256())
        )
        return cls(certificate, key)

    @classmethod
    def load(cls, pair: KeyPair) -> "Authority":
        """Read a root back.

        Raises:
            InputError: not a P-256 key, not a CA certificate, or the two do not belong together.
        """
        certificate = load_certificate(pair.certificate_pem, "the CA certificate (ca.crt)")
        try:
            key = load_pem_private_key(pair.key_pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise InputError("the CA key (ca.key) is not an unencrypted PEM key; restore it from a backup") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            raise InputError("ca.key and ca.crt do not belong together; restore both from one backup")
        return cls(certificate, key)

    @property
    def certificate_pem(self) -> bytes:
        """The root's certificate, PEM; public."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def digest(self) -> str:
        """SHA-256 of the root's certificate (DER), 64 hexadecimal digits: what invitations and charters pin."""
        return sha256_of(self.certificate)

    def to_pair(self) -> KeyPair:
        """The root for safe keeping (file of mode 0600)."""
        return KeyPair(_key_pem(self.key), self.certificate_pem)

    def issue_server(self, common_name: str, hosts: Sequence[str], now: datetime) -> KeyPair:
        """Make a key and a certificate for a TLS server, valid for two years.

        Args:
            common_name: for people only; clients compare the hosts.
            hosts: DNS names and IP addresses under which the server is dialled; at least one.
            now: aware time from which it is valid.

        Raises:
            InputError: no host, or one that is neither a DNS name nor an IP address.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            self._leaf(_name(common_name), key.public_key(), now, _SERVER_DAYS, ExtendedKeyUsageOID.SERVER_AUTH)
            .add_extension(x509.SubjectAlternativeName(_alternative_names(hosts)), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        return KeyPair(_key_pem(key), certificate.public_bytes(Encoding.PEM))

    def issue_member(self, csr_pem: bytes, member_id: str, now: datetime, days: int = _MEMBER_DAYS) -> bytes:
        """Sign a member's certificate request.

        Args:
            csr_pem: PKCS #10, PEM. Only its public key is used; subject and extensions that it asks for are not.
            member_id: becomes the common name, which is the member's identity on every connection.
            now: aware time from which it is valid.
            days: how long it is valid.

        Returns:
            The certificate, PEM, for TLS clients only.

        Raises:
            InputError: no request, not signed by its own key, or the key is not EC P-256.
        """
        try:
            request = x509.load_pem_x509_csr(csr_pem)
            sound = request.is_signature_valid
            public = request.public_key()
        except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
            raise InputError(
                "the certificate request is not PKCS #10 in PEM; enrol again with headwater-org"
            ) from error
        if not sound or not isinstance(public, ec.EllipticCurvePublicKey) or public.curve.name != "secp256r1":
            raise InputError("the certificate request is not signed by an EC P-256 key of its own; enrol again")
        leaf = self._leaf(_name(member_id), public, now, days, ExtendedKeyUsageOID.CLIENT_AUTH)
        return leaf.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def _leaf(
        self,
        subject: x509.Name,
        public: ec.EllipticCurvePublicKey,
        now: datetime,
        days: int,
        purpose: x509.ObjectIdentifier,
    ) -> x509.CertificateBuilder:
        issuer = self.key.public_key()
        return (
            _builder(subject, self.certificate.subject, public, now, days)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer), critical=False)
        )


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + timedelta(days=days))
    )


def _name(common_name: str) -> x509.Name:
    try:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    except ValueError as error:
        raise InputError(
            f"{common_name!r} cannot stand in a certificate; use 1 to {_COMMON_NAME_LIMIT} characters"
        ) from error


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative_names(hosts: Sequence[str]) -> list[x509.GeneralName]:
    if not hosts:
        raise InputError("a server certificate needs at least one host; give the name or address that is dialled")
    names: list[x509.GeneralName] = []
    for host in dict.fromkeys(hosts):
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            names.append(x509.DNSName(_dns_name(host)))
    return names


def _dns_name(host: str) -> str:
    problem = f"{host!r} is neither a DNS name nor an IP address; correct the host"
    try:
        name = host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise InputError(problem) from error
    if _DNS_NAME.fullmatch(name) is None:
        raise InputError(problem)
    return name


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
