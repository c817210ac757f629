"""The two gRPC listeners: one for newcomers, one for members."""

from dataclasses import dataclass

import grpc
import grpc.aio

from headwater.errors import InputError
from headwater.rpc.v1 import (
    aggregation_pb2_grpc,
    catalogue_pb2_grpc,
    enrolment_pb2_grpc,
    release_pb2_grpc,
    run_pb2_grpc,
)
from headwater.secagg.wire.codec import MAXIMUM_MESSAGE
from headwater_server.authority import KeyPair
from headwater_server.services.boundary import ErrorBoundary

__all__ = ["MAXIMUM_MESSAGE_BYTES", "Listener", "enrolment_listener", "member_listener"]

MAXIMUM_MESSAGE_BYTES = MAXIMUM_MESSAGE + 1024
"""Largest message of a member; a larger one is refused by its length prefix, before it is buffered (protocol 4.9)."""

_MAXIMUM_ENROLMENT_BYTES = 64 * 2**10
"""Newcomers are not authenticated yet: what they send is small."""

_COMMON_OPTIONS: list[tuple[str, int]] = [
    # Without it two coordinators could share a port, and members would reach one of them by chance.
    ("grpc.so_reuseport", 0),
    # Notice members that vanished (a pulled cable sends nothing), and allow their pings while a round computes.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.http2.max_ping_strikes", 0),
]


@dataclass(frozen=True, slots=True)
class Listener:
    """A server that is bound to its port already: a taken port is noticed before anything starts."""

    server: grpc.aio.Server
    port: int

    async def start(self) -> None:
        """Answer calls."""
        await self.server.start()

    async def stop(self, grace_seconds: float = 1.0) -> None:
        """Refuse new calls, give those under way the grace, then cut them off."""
        await self.server.stop(grace_seconds)


def enrolment_listener(
    service: enrolment_pb2_grpc.EnrolmentServicer, server_pair: KeyPair, host: str, port: int
) -> Listener:
    """Bind the listener for newcomers: the server alone shows a certificate.

    Args:
        service: the enrolment service.
        server_pair: signed by the consortium's CA for the host that invitations name.
        host: address to bind.
        port: port to bind; 0 takes a free one.

    Raises:
        InputError: the port is taken or the address is not this machine's.
    """
    server = _server(_MAXIMUM_ENROLMENT_BYTES)
    enrolment_pb2_grpc.add_EnrolmentServicer_to_server(service, server)
    credentials = grpc.ssl_server_credentials([(server_pair.key_pem, server_pair.certificate_pem)])
    return Listener(server, _bind(server, host, port, credentials, "enrolment"))


def member_listener(
    consortium: run_pb2_grpc.ConsortiumServicer,
    aggregation: aggregation_pb2_grpc.AggregationServicer,
    server_pair: KeyPair,
    ca_pem: bytes,
    host: str,
    port: int,
    *,
    releases: release_pb2_grpc.ReleasesServicer | None = None,
    catalogue: catalogue_pb2_grpc.CatalogueServicer | None = None,
) -> Listener:
    """Bind the listener for members: both sides show a certificate of the consortium's CA.

    Args:
        consortium: the charter and run service.
        aggregation: the aggregation service.
        server_pair: signed by the consortium's CA for the host that members dial.
        ca_pem: the only root that clients are verified against.
        host: address to bind.
        port: port to bind; 0 takes a free one.
        releases: the service of releases that wait for signatures; None where runs alone are served.
        catalogue: the service of what is published; None where runs alone are served.

    Raises:
        InputError: the port is taken or the address is not this machine's.
    """
    server = _server(MAXIMUM_MESSAGE_BYTES)
    run_pb2_grpc.add_ConsortiumServicer_to_server(consortium, server)
    aggregation_pb2_grpc.add_AggregationServicer_to_server(aggregation, server)
    if releases is not None:
        release_pb2_grpc.add_ReleasesServicer_to_server(releases, server)
    if catalogue is not None:
        catalogue_pb2_grpc.add_CatalogueServicer_to_server(catalogue, server)
    credentials = grpc.ssl_server_credentials(
        [(server_pair.key_pem, server_pair.certificate_pem)], root_certificates=ca_pem, require_client_auth=True
    )
    return Listener(server, _bind(server, host, port, credentials, "gRPC"))


def _server(maximum_message_bytes: int) -> grpc.aio.Server:
    options = [("grpc.max_receive_message_length", maximum_message_bytes), *_COMMON_OPTIONS]
    return grpc.aio.server(interceptors=[ErrorBoundary()], options=options)


def _bind(server: grpc.aio.Server, host: str, port: int, credentials: grpc.ServerCredentials, what: str) -> int:
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        return server.add_secure_port(address, credentials)
    except RuntimeError as error:
        raise InputError(
            f"the {what} listener cannot take {address}: the port is in use or the address is not this machine's; "
            "stop the other program or choose another port in settings.toml"
        ) from error
