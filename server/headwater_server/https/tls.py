"""The TLS that the HTTPS listener speaks."""

import ssl
from pathlib import Path

from headwater.errors import InputError

__all__ = ["tls_context"]


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.3, and 1.2 with forward secrecy and authenticated encryption alone.

    Args:
        certificate: PEM file, the server's certificate first.
        key: PEM file of its private key, without a passphrase.

    Raises:
        InputError: a file cannot be read, or the two do not belong together.

    Source: RFC 9325 (recommendations for TLS).
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Of 1.2. Those of 1.3 are all of this kind; OpenSSL prefers AES-GCM, the fastest where the processor has AES.
    context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
    # CRIME and renegotiation by the client; the order of ciphers is the server's.
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    # A client that speaks another protocol on this port is told so in the handshake (ALPACA).
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise InputError(
            f"the listener's certificate {certificate.name} and key {key.name} cannot be used "
            f"({type(error).__name__}); they must be readable and belong together"
        ) from error
    return context
