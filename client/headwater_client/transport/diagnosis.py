"""Why a coordinator cannot be reached, in words: what gRPC folds into UNAVAILABLE."""

import socket
import ssl
from dataclasses import dataclass

from headwater.errors import HeadwaterError, PeerError, TransportError

__all__ = ["Endpoint", "diagnose", "shown_certificate"]

_TIMEOUT_SECONDS = 5.0

# OpenSSL's verification results, x509_vfy.h.
_EXPIRED = frozenset({10})
_NOT_YET_VALID = frozenset({9})
_OTHER_HOST = frozenset({62, 64})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a listener is: a DNS name, IPv4 or IPv6 address, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        """HOST:PORT, an IPv6 address in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def diagnose(endpoint: Endpoint, ca_pem: bytes) -> HeadwaterError | None:
    """Try a TLS handshake and say what is wrong with the other side.

    Args:
        endpoint: as dialled.
        ca_pem: the pinned certificate.

    Returns:
        The error to raise; None when the other side is there and shows a good certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # As gRPC does: any pinned certificate is an anchor. A newcomer pins the server's own at first.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=ca_pem.decode("ascii"))
    context.set_alpn_protocols(["h2"])
    try:
        with _connect(endpoint) as plain, context.wrap_socket(plain, server_hostname=endpoint.host):
            return None
    except ssl.SSLCertVerificationError as error:
        return _bad_certificate(endpoint, error)
    except ssl.SSLError:
        return TransportError(f"{endpoint} answers, but not with TLS; is it the coordinator's address and port?")
    except OSError as error:
        return _unreachable(endpoint, error)


def shown_certificate(endpoint: Endpoint) -> bytes:
    """The certificate that the endpoint shows, PEM, verified by nobody: for public purposes only.

    Raises:
        TransportError: nobody answers there, or not with TLS.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # What comes back is compared with a digest that came out of band, or not used at all.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    try:
        with _connect(endpoint) as plain, context.wrap_socket(plain) as wrapped:
            der = wrapped.getpeercert(binary_form=True)
    except ssl.SSLError as error:
        raise TransportError(
            f"{endpoint} answers, but not with TLS; is it the coordinator's address and port?"
        ) from error
    except OSError as error:
        raise _unreachable(endpoint, error) from error
    if der is None:
        raise TransportError(f"{endpoint} shows no certificate; is it the coordinator's address and port?")
    return ssl.DER_cert_to_PEM_cert(der).encode("ascii")


def _connect(endpoint: Endpoint) -> socket.socket:
    return socket.create_connection((endpoint.host, endpoint.port), timeout=_TIMEOUT_SECONDS)


def _unreachable(endpoint: Endpoint, error: OSError) -> TransportError:
    reason = "the name is unknown" if isinstance(error, socket.gaierror) else (error.strerror or "no answer").lower()
    return TransportError(f"cannot reach {endpoint} ({reason}); is headwater-coordinator serve running?")


def _bad_certificate(endpoint: Endpoint, error: ssl.SSLCertVerificationError) -> HeadwaterError:
    if error.verify_code in _EXPIRED:
        return TransportError(f"the certificate of {endpoint} has expired; the operator must renew it")
    if error.verify_code in _NOT_YET_VALID:
        return TransportError(f"the certificate of {endpoint} is not valid yet; check this machine's clock")
    if error.verify_code in _OTHER_HOST:
        return PeerError(
            f"the certificate of {endpoint} is for another host; dial the name that the operator gave, or ask for a "
            "certificate that names this one"
        )
    return PeerError(
        f"the certificate of {endpoint} is not signed by this consortium's CA; somebody else answers there, or the "
        "coordinator was set up anew: ask the operator"
    )
