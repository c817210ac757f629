"""An organisation's part in one aggregation session, over as many streams as the network needs."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue
from typing import Literal

import grpc
import structlog

from headwater.errors import HeadwaterError, InputError, OutOfOrder, PeerError, TransportError
from headwater.secagg.protocol.events import MemberEvent, RoundRequested, Send, SessionClosed
from headwater_client.transport.channel import CoordinatorChannel
from headwater_client.transport.contributor import Computed, Contribute, Contribution, Contributor
from headwater_client.transport.participation import (
    Backoff,
    Connecting,
    Disconnected,
    MessageRefused,
    ParticipantMachine,
    Participation,
    Progress,
)
from headwater_client.transport.stream import Ended, ParticipationStream, Received

__all__ = [
    "Backoff",
    "Connecting",
    "Contribution",
    "Disconnected",
    "MessageRefused",
    "ParticipantMachine",
    "Participation",
    "Progress",
    "participate",
]

_POLL_SECONDS = 0.2
_GOODBYE_SECONDS = 5.0
# A process that restarted within a session refuses the session's messages until the next setup (protocol 3.5); so some
# in a row are no reason to leave, many are.
_REFUSED_IN_A_ROW = 64


def participate(
    channel: CoordinatorChannel,
    run_id: str,
    participant: ParticipantMachine,
    contribute: Contribute,
    stop: threading.Event,
    on_progress: Callable[[Progress], None] = lambda event: None,
    *,
    backoff: Backoff | None = None,
    now: Callable[[], float] = time.monotonic,
) -> Participation:
    """Take part in a run's session until it is over; blocks.

    Args:
        channel: to the coordinator.
        run_id: from this organisation's own approval (protocol 3.3).
        participant: fresh; nobody else may call it meanwhile. Broken streams are reopened while it lives.
        contribute: computes a contribution from a request; called on a thread of its own, one request at a time.
        stop: set it from anywhere to leave.
        on_progress: sees every event but `Send`, on the calling thread, before any later one is performed: what it
            stores of `AttemptStarted`, `CohortConfirmed` and `RoundClosed` is durable in time. What it raises ends the
            participation.
        backoff: waits between streams.
        now: seconds on a clock that only goes forward.

    Raises:
        TransportError: the coordinator stayed away for longer than the patience.
        PeerError: it refused this member or one of its messages, or sent too many refused ones.
        OutOfOrder: the run is over, or another process of this member took over.
        Exception: what `contribute` raised, other than `PeerError`; the round was refused first.
    """
    loop = _Loop(channel, run_id, participant, contribute, stop, on_progress, backoff or Backoff(), now)
    return loop.run()


_log = structlog.get_logger(__name__)


class _Loop:
    def __init__(
        self,
        channel: CoordinatorChannel,
        run_id: str,
        participant: ParticipantMachine,
        contribute: Contribute,
        stop: threading.Event,
        on_progress: Callable[[Progress], None],
        backoff: Backoff,
        now: Callable[[], float],
    ) -> None:
        self._channel = channel
        self._run_id = run_id
        self._participant = participant
        self._stop = stop
        self._on_progress = on_progress
        self._backoff = backoff
        self._now = now
        self._inbox: SimpleQueue[object] = SimpleQueue()
        self._contributor = Contributor(contribute, self._inbox)
        self._stream: ParticipationStream | None = None
        self._closed_reason = ""
        self._failed_attempts = 0
        self._failing_since: float | None = None
        self._refused_in_a_row = 0
        self._last_refusal: PeerError | None = None
        self._sent_bytes = 0
        self._received_bytes = 0

    def run(self) -> Participation:
        try:
            self._perform(self._participant.start())
            while True:
                self._on_progress(Connecting(self._failed_attempts + 1))
                self._stream = ParticipationStream(self._channel, self._run_id, self._inbox)
                ended = self._converse(self._stream)
                if self._participant.closed or self._stop.is_set():
                    self._say_goodbye(self._stream, ended)
                    return self._result("stopped" if self._stop.is_set() else "closed")
                self._drop_stream()
                if ended is None or ended.error is None:
                    if self._last_refusal is not None:
                        raise self._last_refusal
                    return self._result("ended")
                self._wait_before_retry(ended.error)
                if self._stop.is_set():
                    return self._result("stopped")
        finally:
            self._contributor.close()
            self._drop_stream()
            # protocol 3.5: a Participant serves one participation; its secrets go with it.
            self._participant.close("the participation ended")

    def _converse(self, stream: ParticipationStream) -> Ended | None:
        """Deal with what comes until the stream ends, the session closes or the stop event is set."""
        while not (self._stop.is_set() or self._participant.closed):
            deadline = self._participant.next_deadline
            left = _POLL_SECONDS if deadline is None else deadline - self._now()
            if left <= 0:
                self._perform(self._participant.tick(self._now()))
            try:
                item = self._inbox.get(timeout=min(max(left, 0.01), _POLL_SECONDS))
            except Empty:
                continue
            match item:
                case Received(source, messages) if source is stream:
                    self._failing_since, self._failed_attempts = None, 0
                    for data in messages:
                        self._receive(data)
                    stream.taken()
                case Ended(source, _) if source is stream:
                    return item
                case Computed(number, contribution, error):
                    self._contribute(number, contribution, error)
                case _:
                    continue
        return None

    def _receive(self, data: bytes) -> None:
        try:
            events = self._participant.receive(data, self._now())
        except PeerError as error:
            self._last_refusal = error
            self._refused_in_a_row += 1
            self._on_progress(MessageRefused(str(error)))
            if self._refused_in_a_row >= _REFUSED_IN_A_ROW:
                raise
            return
        self._refused_in_a_row, self._last_refusal = 0, None
        self._perform(events)

    def _contribute(self, number: int, contribution: Contribution | None, error: Exception | None) -> None:
        try:
            if contribution is not None and self._stream is not None:
                masked = self._participant.upload(number, contribution.vector, contribution.family)
                self._stream.send(_announced(number, masked))
                return
        except OutOfOrder:
            # The round ended while the vector was computed; nothing of it leaves.
            return
        except InputError as misfit:
            error = misfit
        # The reason goes out: what is wrong with the coordinator's own bytes may be said, nothing else (protocol 7.19).
        reason = str(error) if isinstance(error, PeerError) else "its part broke off; its own log says why"
        with contextlib.suppress(OutOfOrder):
            # protocol 4.2: a Task that the plan does not allow is refused.
            self._perform(self._participant.refuse(number, reason))
        if isinstance(error, PeerError):
            self._on_progress(MessageRefused(f"round {number}: {error}"))
        elif error is not None:
            if self._stream is not None:
                self._say_goodbye(self._stream, None)
            raise error

    def _perform(self, events: Sequence[MemberEvent]) -> None:
        for event in events:
            if isinstance(event, Send):
                if self._stream is not None:
                    self._stream.send(event.data)
                continue
            self._on_progress(event)
            match event:
                case RoundRequested():
                    self._contributor.submit(event)
                case SessionClosed(reason):
                    self._closed_reason = reason
                case _:
                    pass

    def _wait_before_retry(self, failure: grpc.RpcError | Exception) -> None:
        if not isinstance(failure, grpc.RpcError):
            raise failure
        error: HeadwaterError = self._channel.error_of(failure)
        if self._failing_since is None:
            self._failing_since = self._now()
        patient = self._now() - self._failing_since <= self._backoff.patience_seconds
        if not isinstance(error, TransportError) or not patient:
            raise error from failure
        self._failed_attempts += 1
        wait = self._backoff.wait_seconds(self._failed_attempts)
        self._on_progress(Disconnected(str(error), wait))
        self._stop.wait(wait)

    def _say_goodbye(self, stream: ParticipationStream, ended: Ended | None) -> None:
        """Let what was queued leave: a refusal that never arrives makes all others wait for a deadline."""
        if ended is not None:
            return
        stream.finish()
        give_up = self._now() + _GOODBYE_SECONDS
        while (left := give_up - self._now()) > 0:
            try:
                item = self._inbox.get(timeout=left)
            except Empty:
                return
            match item:
                case Ended(source, _) if source is stream:
                    return
                case Received(source, _) if source is stream:
                    stream.taken()
                case _:
                    continue

    def _drop_stream(self) -> None:
        if self._stream is not None:
            self._stream.abandon()
            self._sent_bytes += self._stream.sent_bytes
            self._received_bytes += self._stream.received_bytes
            self._stream = None

    def _result(self, outcome: Literal["closed", "ended", "stopped"]) -> Participation:
        self._drop_stream()
        return Participation(outcome, self._closed_reason, self._sent_bytes, self._received_bytes)


def _announced(number: int, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The chunks of an Upload, and a line in the log when the last one was taken by the connection."""
    yield from chunks
    _log.info("vector_sent", round=number)
