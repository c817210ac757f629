"""Bytes sent to a TLS port as they are, for requests that no client would make."""

import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

__all__ = ["connect", "exchange"]


def connect(url: str, ca: Path, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
    """A connection to the server of a URL; what it is told and tells has ten seconds."""
    place = urlsplit(url)
    plain = socket.create_connection((place.hostname or "", place.port or 443), timeout=10)
    context = context or ssl.create_default_context(cafile=str(ca))
    try:
        return context.wrap_socket(plain, server_hostname=place.hostname)
    except BaseException:
        plain.close()
        raise


def exchange(url: str, ca: Path, request: bytes) -> bytes:
    """Everything that the server answers until it closes the connection."""
    answer = bytearray()
    with connect(url, ca) as line:
        line.sendall(request)
        while piece := line.recv(65536):
            answer += piece
    return bytes(answer)
