"""The pipe between one member's gRPC stream and its run's session."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from headwater.errors import HeadwaterError, InputError, PeerError
from headwater.rpc.v1 import aggregation_pb2, aggregation_pb2_grpc
from headwater.secagg.wire.codec import MAXIMUM_TOGETHER
from headwater_server.services.hub import AggregationHub
from headwater_server.services.identity import authenticated_member
from headwater_server.services.ports import MemberStore
from headwater_server.services.session import AggregationSession
from headwater_server.services.stream import MemberStream

__all__ = ["RUN_METADATA", "AggregationService"]

RUN_METADATA = "headwater-run"


class AggregationService(aggregation_pb2_grpc.AggregationServicer):
    """The service on the mutually authenticated listener."""

    def __init__(self, members: MemberStore, hub: AggregationHub) -> None:
        """Take what the service acts on."""
        self._members = members
        self._hub = hub

    async def Participate(self, request_iterator: Any, context: Any) -> AsyncIterator[aggregation_pb2.Parcel]:
        """Carry messages both ways until the session or the stream ends."""
        # protocol 4.9: identity and membership come before the first byte is read.
        member = await authenticated_member(context, self._members)
        session, stream = self._hub.session_of(_run_id(context), member)
        reader: asyncio.Task[None] | None = None
        try:
            await session.attach(stream)
            reader = asyncio.create_task(_read(request_iterator, session, stream), name=f"read {member}")
            async for messages in stream.parcels():
                yield aggregation_pb2.Parcel(messages=messages)
        finally:
            stream.finish()
            session.detach(stream)
            if reader is not None:
                reader.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await reader


async def _read(request_iterator: Any, session: AggregationSession, stream: MemberStream) -> None:
    """Deliver a member's parcels one by one; its error ends the stream, not this task."""
    try:
        async for parcel in request_iterator:
            # A parcel is dealt with as one, and deadlines wait for it.
            if len(parcel.messages) > MAXIMUM_TOGETHER:
                raise PeerError(f"{len(parcel.messages):,} messages came together, {MAXIMUM_TOGETHER} are the most")
            await session.deliver(stream, *parcel.messages)
        stream.finish()
    except HeadwaterError as error:
        stream.fail(error)
    except Exception:
        stream.finish()
        raise


def _run_id(context: Any) -> str:
    values = [value for key, value in context.invocation_metadata() or () if key == RUN_METADATA]
    if len(values) != 1:
        raise InputError(f"metadata {RUN_METADATA!r} names {len(values)} runs, one is expected")
    return str(values[0])
