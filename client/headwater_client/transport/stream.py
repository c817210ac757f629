"""One gRPC stream of a participation: two threads of plumbing behind two queues."""

import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from queue import SimpleQueue

import grpc

from headwater.errors import PeerError
from headwater.rpc.v1 import aggregation_pb2, aggregation_pb2_grpc
from headwater.secagg.wire.codec import MAXIMUM_TOGETHER, TOGETHER_BYTES
from headwater_client.transport.channel import CoordinatorChannel

__all__ = ["Ended", "ParticipationStream", "Received"]

_RUN_METADATA = "headwater-run"

# Parcels that may wait for the participant; beyond them the coordinator waits in HTTP/2 flow control.
_WAITING_PARCELS = 4


@dataclass(frozen=True, slots=True)
class Received:
    """Messages came, together."""

    stream: "ParticipationStream"
    messages: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ended:
    """The stream is over: `error` is None when the coordinator ended it with OK."""

    stream: "ParticipationStream"
    error: grpc.RpcError | Exception | None


class ParticipationStream:
    """Sends what it is given in order, and puts what comes, and at last its end, into the inbox.

    What is sent may be an iterator of messages: it is walked as fast as the connection takes them, on gRPC's thread,
    so that a vector is masked chunk by chunk and never waits in memory as a whole.
    """

    def __init__(
        self, channel: CoordinatorChannel, run_id: str, inbox: "SimpleQueue[Received | Ended | object]"
    ) -> None:
        """Open the stream; whether it succeeds is told by what comes into the inbox."""
        self.sent_bytes = 0
        self.received_bytes = 0
        self._inbox = inbox
        self._outbox: SimpleQueue[Iterator[bytes] | None] = SimpleQueue()
        self._room = threading.Semaphore(_WAITING_PARCELS)
        self._abandoned = threading.Event()
        self._sending_error: Exception | None = None
        stub = aggregation_pb2_grpc.AggregationStub(channel.grpc)
        self._call = stub.Participate(self._requests(), metadata=((_RUN_METADATA, run_id),))
        self._reader = threading.Thread(target=self._read, name="headwater-participation", daemon=True)
        self._reader.start()

    def send(self, messages: Iterator[bytes] | bytes) -> None:
        """Queue one message, or an iterator of them."""
        self._outbox.put(itertools.repeat(messages, 1) if isinstance(messages, bytes) else messages)

    def finish(self) -> None:
        """Say that no more will be sent; the coordinator ends the stream when it has read what was queued."""
        self._outbox.put(None)

    def taken(self) -> None:
        """Tell that the messages of one `Received` were dealt with: makes room for the next."""
        self._room.release()

    def abandon(self) -> None:
        """Cut the stream off and wait for its threads; nothing more comes into the inbox but what is there."""
        self._abandoned.set()
        self._outbox.put(None)
        self._call.cancel()
        self._room.release()
        self._reader.join()

    def _requests(self) -> Iterator[aggregation_pb2.Parcel]:
        try:
            for messages in self._parcels():
                self.sent_bytes += sum(map(len, messages))
                yield aggregation_pb2.Parcel(messages=messages)
        except Exception as error:  # noqa: BLE001  gRPC would log it and lose it; `_read` reports it
            self._sending_error = error
            self._call.cancel()

    def _parcels(self) -> Iterator[list[bytes]]:
        """What is queued, in its order; small messages that wait go together, since each gRPC message has a price."""
        parcel: list[bytes] = []
        size = 0
        while not self._abandoned.is_set():
            if parcel and self._outbox.empty():
                yield parcel
                parcel, size = [], 0
            messages = self._outbox.get()
            if messages is None:
                break
            for data in messages:
                if self._abandoned.is_set():
                    return
                if parcel and (size + len(data) > TOGETHER_BYTES or len(parcel) == MAXIMUM_TOGETHER):
                    yield parcel
                    parcel, size = [], 0
                parcel.append(data)
                size += len(data)
        if parcel and not self._abandoned.is_set():
            yield parcel

    def _read(self) -> None:
        try:
            for parcel in self._call:
                if len(parcel.messages) > MAXIMUM_TOGETHER:
                    self._call.cancel()
                    self._inbox.put(Ended(self, _too_many(len(parcel.messages))))
                    return
                self.received_bytes += sum(map(len, parcel.messages))
                self._room.acquire()
                if self._abandoned.is_set():
                    return
                self._inbox.put(Received(self, tuple(parcel.messages)))
        except grpc.RpcError as error:
            self._inbox.put(Ended(self, self._sending_error or error))
        else:
            self._inbox.put(Ended(self, None))
        finally:
            # gRPC's sending thread may wait for a next message that nobody will give.
            self._outbox.put(None)


def _too_many(messages: int) -> PeerError:
    return PeerError(
        f"the coordinator sent {messages:,} messages together, {MAXIMUM_TOGETHER} are the most; ask the operator which "
        "software runs there"
    )
