"""What an attacker with a raw gRPC client meets."""

from collections.abc import Iterator

import grpc
import pytest

from headwater.errors import InputError
from headwater.rpc.v1 import aggregation_pb2, aggregation_pb2_grpc
from headwater.secagg.wire.codec import MAXIMUM_TOGETHER
from headwater_client.transport.channel import Identity
from headwater_server.services.server import MAXIMUM_MESSAGE_BYTES, enrolment_listener
from support.plain_sum import PlainAggregator
from support.rpc import LOOPBACK, LoopThread, RpcCoordinator

RUN = "ab" * 16
MEMBERS = ("org-1", "org-2", "org-3")


class Counting(PlainAggregator):
    """An aggregator that counts what reaches it."""

    def __init__(self) -> None:
        super().__init__(frozenset(MEMBERS))
        self.seen = 0

    def receive(self, member, message, now):  # type: ignore[no-untyped-def]
        self.seen += 1
        return super().receive(member, message, now)


def _raw(coordinator: RpcCoordinator, identity: Identity) -> grpc.Channel:
    credentials = grpc.ssl_channel_credentials(identity.ca_pem, identity.key_pem, identity.certificate_pem)
    return grpc.secure_channel(str(coordinator.members), credentials)


def _participate(
    channel: grpc.Channel, messages: Iterator[aggregation_pb2.Parcel], metadata: tuple[tuple[str, str], ...]
) -> grpc.StatusCode:
    call = aggregation_pb2_grpc.AggregationStub(channel).Participate(messages, metadata=metadata, timeout=20)
    try:
        for _ in call:
            pass
    except grpc.RpcError as error:
        return error.code()
    return call.code()


def test_a_message_above_the_limit_is_refused_and_never_reaches_the_aggregator(
    loop: LoopThread, coordinator: RpcCoordinator
) -> None:
    aggregator = Counting()
    session = loop.run(coordinator.hub.open_session(RUN, aggregator, MEMBERS, persist=lambda record: None))
    identity = coordinator.admit("org-1")
    with _raw(coordinator, identity) as channel:
        huge = iter([aggregation_pb2.Parcel(messages=[bytes(MAXIMUM_MESSAGE_BYTES + 1)])])
        status = _participate(channel, huge, (("headwater-run", RUN),))
    assert status is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert aggregator.seen == 0
    assert not session.over


def test_a_parcel_of_too_many_messages_is_refused_before_any_of_them_is_looked_at(
    loop: LoopThread, coordinator: RpcCoordinator
) -> None:
    aggregator = Counting()
    session = loop.run(coordinator.hub.open_session(RUN, aggregator, MEMBERS, persist=lambda record: None))
    with _raw(coordinator, coordinator.admit("org-1")) as channel:
        many = iter([aggregation_pb2.Parcel(messages=[b""] * (MAXIMUM_TOGETHER + 1))])
        status = _participate(channel, many, (("headwater-run", RUN),))
    assert status is grpc.StatusCode.PERMISSION_DENIED
    assert aggregator.seen == 0
    assert not session.over


def test_bytes_that_are_no_protobuf_end_the_stream_alone(loop: LoopThread, coordinator: RpcCoordinator) -> None:
    aggregator = PlainAggregator(frozenset(MEMBERS))
    session = loop.run(coordinator.hub.open_session(RUN, aggregator, MEMBERS, persist=lambda record: None))
    with _raw(coordinator, coordinator.admit("org-1")) as channel:
        method: grpc.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(
            "/headwater.rpc.v1.Aggregation/Participate"
        )
        call = method(iter([b"\xff\xff\xff"]), metadata=(("headwater-run", RUN),), timeout=20)
        with pytest.raises(grpc.RpcError) as caught:
            for _ in call:
                pass
    assert caught.value.code() is not grpc.StatusCode.DEADLINE_EXCEEDED
    assert not session.over


@pytest.mark.parametrize("metadata", [(), (("headwater-run", RUN), ("headwater-run", RUN))])
def test_a_stream_must_name_exactly_one_run(coordinator: RpcCoordinator, metadata: tuple[tuple[str, str], ...]) -> None:
    with _raw(coordinator, coordinator.admit("org-1")) as channel:
        assert _participate(channel, iter(()), metadata) is grpc.StatusCode.INVALID_ARGUMENT


def test_a_stranger_is_refused_before_its_run_is_looked_up(coordinator: RpcCoordinator) -> None:
    identity = coordinator.admit("org-1")
    del coordinator.store.certificates["org-1"]
    with _raw(coordinator, identity) as channel:
        assert _participate(channel, iter(()), ()) is grpc.StatusCode.PERMISSION_DENIED


def test_a_client_without_a_certificate_gets_nothing(coordinator: RpcCoordinator) -> None:
    credentials = grpc.ssl_channel_credentials(coordinator.authority.certificate_pem)
    with grpc.secure_channel(str(coordinator.members), credentials) as channel:
        assert _participate(channel, iter(()), (("headwater-run", RUN),)) is grpc.StatusCode.UNAVAILABLE


def test_a_taken_port_is_one_clear_line(loop: LoopThread, coordinator: RpcCoordinator) -> None:
    async def bind() -> None:
        enrolment_listener(
            coordinator.enrolment_service(), coordinator.pair, LOOPBACK, coordinator.members_listener.port
        )

    with pytest.raises(InputError, match=rf"cannot take {LOOPBACK}:\d+: the port is in use"):
        loop.run(bind())
