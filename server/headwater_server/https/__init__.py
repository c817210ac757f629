"""The HTTPS listener: TLS settings, limits on what a connection may cost, and the server."""

from headwater_server.https.server import https_server, serving
from headwater_server.https.tls import tls_context

__all__ = ["https_server", "serving", "tls_context"]
