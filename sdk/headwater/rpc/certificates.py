"""What client and server read from X.509 certificates."""

from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from headwater.errors import InputError, PeerError

__all__ = ["check_in_force", "check_issued_by", "common_name", "load_certificate", "sha256_of"]


def load_certificate(pem: bytes, what: str) -> x509.Certificate:
    """Read one PEM certificate.

    Args:
        pem: the certificate.
        what: what it is, for the error: "the member's certificate".

    Raises:
        InputError: it is not one PEM certificate.
    """
    try:
        return x509.load_pem_x509_certificate(pem)
    except (ValueError, x509.InvalidVersion) as error:
        raise InputError(f"{what} is not a PEM certificate; restore the file, or enrol again") from error


def sha256_of(certificate: x509.Certificate) -> str:
    """SHA-256 of the certificate's DER form, 64 hexadecimal digits: what invitations and charters pin."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def common_name(certificate: x509.Certificate) -> str:
    """The one common name in the certificate's subject.

    Raises:
        PeerError: there is none, or more than one: which of them names the member must not be a matter of taste.
    """
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if len(names) != 1:
        raise PeerError(f"a certificate has {len(names)} common names, one is expected; enrol again")
    return str(names[0].value)


def check_in_force(certificate: x509.Certificate, now: datetime, what: str, remedy: str) -> None:
    """Check that `now` lies within the certificate's validity.

    Raises:
        InputError: expired, or not valid yet.
    """
    if now > certificate.not_valid_after_utc:
        raise InputError(f"{what} expired on {_day(certificate.not_valid_after_utc)}; {remedy}")
    if now < certificate.not_valid_before_utc:
        raise InputError(
            f"{what} is not valid before {_day(certificate.not_valid_before_utc)}; check this machine's clock"
        )


def check_issued_by(certificate: x509.Certificate, ca: x509.Certificate, what: str) -> None:
    """Check that the CA signed the certificate.

    Raises:
        PeerError: it did not.
    """
    try:
        certificate.verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature) as error:
        raise PeerError(f"{what} is not signed by the consortium's CA; do not go on, ask the operator") from error


def _day(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
