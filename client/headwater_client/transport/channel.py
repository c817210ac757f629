"""A mutually authenticated gRPC channel to the coordinator, trusting the consortium's CA alone."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Self, cast

import grpc

from headwater.errors import HeadwaterError
from headwater.rpc.certificates import check_in_force, load_certificate
from headwater.rpc.status import CODE_METADATA, error_of_status
from headwater.secagg.wire.codec import MAXIMUM_MESSAGE
from headwater_client.transport.diagnosis import Endpoint, diagnose

__all__ = ["MAXIMUM_MESSAGE_BYTES", "CoordinatorChannel", "Identity", "channel_options", "error_of_call"]

MAXIMUM_MESSAGE_BYTES = MAXIMUM_MESSAGE + 1024
"""Largest message in either direction (protocol 4.9)."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a member shows and what it trusts, PEM."""

    ca_pem: bytes
    certificate_pem: bytes
    key_pem: bytes = field(repr=False)


def channel_options(endpoint: Endpoint) -> list[tuple[str, int]]:
    """Options that every channel has: message bound, keepalive, no proxy on loopback."""
    options = [
        ("grpc.max_receive_message_length", MAXIMUM_MESSAGE_BYTES),
        ("grpc.max_send_message_length", MAXIMUM_MESSAGE_BYTES),
        # A firewall that forgets an idle connection says nothing; a ping notices within a minute.
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.http2.max_pings_without_data", 0),
        # Two channels of one process must be two connections, with their own fate.
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.initial_reconnect_backoff_ms", 500),
        ("grpc.max_reconnect_backoff_ms", 10_000),
    ]
    if _is_loopback(endpoint.host):
        options.append(("grpc.enable_http_proxy", 0))
    return options


def error_of_call(error: grpc.RpcError, endpoint: Endpoint, ca_pem: bytes) -> HeadwaterError:
    """The error to raise for a failed call, with the reason when the connection itself failed.

    Args:
        error: as gRPC raised it.
        endpoint: who was called.
        ca_pem: the pinned CA.
    """
    # What gRPC raises is an RpcError and a Call at once, which its types do not say.
    call = cast("grpc.Call", error)
    status, text = call.code(), call.details() or ""
    from_service = any(key == CODE_METADATA for key, _ in call.trailing_metadata() or ())
    if status is grpc.StatusCode.UNAVAILABLE and not from_service:
        reason = diagnose(endpoint, ca_pem)
        if reason is not None:
            return reason
    return error_of_status(status, text, str(endpoint), from_service=from_service)


class CoordinatorChannel:
    """One connection to the coordinator's member listener; connects when first used, and again when it broke."""

    def __init__(self, endpoint: Endpoint, identity: Identity, now: datetime | None = None) -> None:
        """Check what is at hand and prepare the connection.

        Args:
            endpoint: the member listener.
            identity: from the key store.
            now: aware time; the machine's by default.

        Raises:
            InputError: this organisation's certificate is malformed, expired or not valid yet.
        """
        certificate = load_certificate(identity.certificate_pem, "this organisation's certificate (tls.crt)")
        check_in_force(
            certificate,
            now or datetime.now(UTC),
            "this organisation's certificate",
            "ask the operator for a new invitation and enrol again",
        )
        load_certificate(identity.ca_pem, "the consortium's CA certificate (ca.crt)")
        self.endpoint = endpoint
        self._ca_pem = identity.ca_pem
        credentials = grpc.ssl_channel_credentials(identity.ca_pem, identity.key_pem, identity.certificate_pem)
        options: Sequence[tuple[str, int]] = channel_options(endpoint)
        self.grpc = grpc.secure_channel(str(endpoint), credentials, options=options)

    def error_of(self, error: grpc.RpcError) -> HeadwaterError:
        """The error to raise for a failed call on this channel."""
        return error_of_call(error, self.endpoint, self._ca_pem)

    def close(self) -> None:
        """Close the connection; calls under way end as cut off."""
        self.grpc.close()

    def __enter__(self) -> Self:
        """Use the channel in a `with` block, which closes it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
