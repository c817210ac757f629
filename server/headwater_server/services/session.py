"""One aggregation session: the aggregator's one line of inputs, between member streams and the run driver."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from headwater.errors import HeadwaterError, OutOfOrder, StorageError, TransportError
from headwater.secagg.protocol.events import (
    AggregatorEvent,
    MemberDropped,
    Persist,
    RoundAborted,
    RoundSummed,
    Send,
    SessionFailed,
    SessionReady,
)
from headwater_server.services.inbox import Attach, Begin, Close, Detach, Inbox, Input, Pending, Receive, Tick
from headwater_server.services.machine import AggregatorMachine
from headwater_server.services.stream import MemberStream

__all__ = ["AggregationSession", "RoundResult", "Traffic"]

_log = structlog.get_logger(__name__)

RoundResult = RoundSummed | RoundAborted

# Parcels that one trip to a worker thread takes along; a deadline waits for at most so many.
_BATCH_PARCELS = 32

# Up to here an input costs the event loop a few milliseconds at most, and a trip to a thread costs more than most.
_QUICK_MEMBERS = 16
_QUICK_BYTES = 2**20


@dataclass(slots=True)
class _Outcome:
    """What came of one input: what the aggregator asks for, then the error that ended it, if one did."""

    events: list[AggregatorEvent] = field(default_factory=list)
    error: HeadwaterError | None = None


@dataclass(slots=True)
class Traffic:
    """Bytes of protocol messages, over all members of a session."""

    received_bytes: int = 0
    sent_bytes: int = 0


class AggregationSession:
    """Feeds one aggregator, one input at a time, and performs what it asks for in the order in which it asks.

    A member's next message is read when its last one is dealt with. Durable writes run in a worker thread; so does
    the aggregator's arithmetic, unless the session is small: then the event loop does it faster than it could hand
    it over.
    """

    def __init__(
        self,
        run_id: str,
        aggregator: AggregatorMachine,
        members: frozenset[str],
        *,
        persist: Callable[[Persist], None],
        observe: Callable[[AggregatorEvent], None],
        now: Callable[[], float],
    ) -> None:
        """Take the parts; `AggregationHub.open_session` calls this and `start`."""
        self.run_id = run_id
        self.members = members
        self.traffic = Traffic()
        self._aggregator = aggregator
        self._persist = persist
        self._observe = observe
        self._now = now
        self._inbox = Inbox(lambda: aggregator.next_deadline, now)
        self._streams: dict[str, MemberStream] = {}
        self._quick = len(members) <= _QUICK_MEMBERS
        self._ready: asyncio.Future[SessionReady] = asyncio.get_running_loop().create_future()
        self._ready.add_done_callback(_retrieve)
        self._round: asyncio.Future[RoundResult] | None = None
        self._failure: HeadwaterError | None = None
        self._over = False
        self._current: Sequence[Pending] = ()
        self._task: asyncio.Task[None] | None = None

    @property
    def over(self) -> bool:
        """The session takes no more input: closed or failed."""
        return self._over

    def start(self) -> None:
        """Begin to work on inputs, on the running event loop."""
        self._task = asyncio.create_task(self._work(), name=f"aggregation {self.run_id}")

    async def ready(self) -> SessionReady:
        """Wait until the members are final and the secrets derived.

        Raises:
            TransportError: the setup failed; the next attempt needs a new aggregator.
        """
        return await asyncio.shield(self._ready)

    async def round(self, task: bytes, model: bytes, length: int, charge: bytes = b"") -> RoundResult:
        """Ask the members for one sum and wait for it, or for its abort.

        Args:
            task: the Task's exact bytes.
            model: the model's exact bytes, empty when the Task needs none.
            length: number of values in the sum.
            charge: what the round costs a privacy ledger; its receipt carries it.

        Raises:
            OutOfOrder: a round is under way.
            TransportError: the session failed.
        """
        if self._round is not None and not self._round.done():
            raise OutOfOrder(f"a round of run {self.run_id} is under way; wait for its result")
        outcome: asyncio.Future[RoundResult] = asyncio.get_running_loop().create_future()
        # A failure before the first await of the outcome is raised by the submission; nobody is left to ask for it.
        outcome.add_done_callback(_retrieve)
        self._round = outcome
        try:
            await self._submit(Begin(task, model, length, charge))
        except HeadwaterError:
            self._round = None
            raise
        return await outcome

    async def close(self, reason: str = "the run is over") -> None:
        """End the session: members are told, their streams end with OK; again does nothing."""
        if not self._over:
            await self._submit(Close(reason))
        if self._task is not None:
            await self._task

    async def attach(self, stream: MemberStream) -> None:
        """Take a member's new stream; the one it had is ended.

        Raises:
            HeadwaterError: the session is over.
        """
        await self._submit(Attach(stream))

    async def deliver(self, stream: MemberStream, *messages: bytes) -> None:
        """Hand over messages and wait until they are dealt with: this wait is the back-pressure.

        Whoever stops waiting does not take the messages back. What comes after a refused message is not looked at.

        Raises:
            PeerError: the protocol refused a message.
            OutOfOrder: the stream was replaced, or the session is over.
            TransportError: what the member sent could not be kept; it may connect again.
        """
        await self._submit(Receive(stream, messages))

    def detach(self, stream: MemberStream) -> None:
        """Say that a stream ended; one that was replaced before is no longer the member's and changes nothing."""
        if not self._over:
            self._inbox.put(Pending(Detach(stream)))

    async def _submit(self, given: Attach | Begin | Close | Receive) -> None:
        if self._over:
            raise self._failure or OutOfOrder(f"the session of run {self.run_id} is over")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._inbox.put(Pending(given, done))
        await done

    async def _work(self) -> None:
        broken = TransportError(f"the session of run {self.run_id} broke off; the coordinator's log says why")
        try:
            while not self._over:
                self._current = await self._inbox.next(_BATCH_PARCELS)
                for pending, outcome in await self._outcomes(self._current):
                    await self._settle(pending, outcome)
        except Exception as error:  # noqa: BLE001  a bug must not leave driver and members waiting for ever
            _log.error("session_broken", run=self.run_id, exc_info=error)
            self._end(error if isinstance(error, HeadwaterError) else broken, clean=False)
        finally:
            # Also when the task is cancelled because the coordinator stops.
            self._end(TransportError(f"the coordinator left the session of run {self.run_id}"), clean=False)

    async def _outcomes(self, batch: Sequence[Pending]) -> list[tuple[Pending, _Outcome]]:
        """What the aggregator answers to each input, in their order; nothing of it is performed yet."""
        now, given = self._now(), batch[0].input
        if isinstance(given, Begin):
            size = max(4 * given.length, len(given.task) + len(given.model))
            self._quick = size <= _QUICK_BYTES and len(self.members) <= _QUICK_MEMBERS
        if self._quick:
            return [(pending, self._outcome(pending, now)) for pending in batch]
        return await asyncio.to_thread(lambda: [(pending, self._outcome(pending, now)) for pending in batch])

    def _outcome(self, pending: Pending, now: float) -> _Outcome:
        outcome = _Outcome()
        try:
            self._apply(pending.input, now, outcome.events)
        except HeadwaterError as error:
            if pending.done is None:
                raise
            outcome.error = error
        return outcome

    def _apply(self, given: Input, now: float, events: list[AggregatorEvent]) -> None:
        """Give the aggregator one input; what it asks for goes to the end of `events`."""
        aggregator = self._aggregator
        match given:
            case Receive(stream, messages):
                for data in messages:
                    if not self._is_open(stream):
                        raise OutOfOrder("this stream was replaced by a newer one")
                    self.traffic.received_bytes += len(data)
                    events += aggregator.receive(stream.member, data, now)
            case Attach(stream):
                if stream.member in self._streams:
                    events += aggregator.disconnected(stream.member, now)
                events += aggregator.connected(stream.member, now)
            case Detach(stream):
                if self._is_open(stream):
                    events += aggregator.disconnected(stream.member, now)
            case Begin(task, model, length, charge):
                events += aggregator.begin_round(task, model, length, now, charge)
            case Close(reason):
                events += aggregator.close(reason, now)
            case Tick():
                events += aggregator.tick(now)

    async def _settle(self, pending: Pending, outcome: _Outcome) -> None:
        """Perform what the aggregator asked for, then let go on whoever gave the input."""
        given, error = pending.input, outcome.error
        if error is None and isinstance(given, Attach):
            self._replace(given.stream)
        elif error is None and isinstance(given, Detach) and self._is_open(given.stream):
            del self._streams[given.stream.member]
        await self._perform(outcome.events)
        if error is None and isinstance(given, Close):
            self._end(OutOfOrder(f"the session of run {self.run_id} is over"), clean=True)
        elif error is not None and isinstance(given, Receive):
            error = await self._refuse(given.stream, error)
        elif isinstance(error, StorageError):
            raise error
        pending.settle(error)

    async def _refuse(self, stream: MemberStream, error: HeadwaterError) -> HeadwaterError:
        """Name in the log who sent what was refused; protocol 4.9: it is that member's affair alone."""
        run, member = self.run_id, stream.member
        if isinstance(error, OutOfOrder):
            # Of a stream that was replaced, which is told so itself.
            return error
        if not isinstance(error, StorageError):
            _log.warning("message_refused", run=run, member=member, reason=str(error))
            return error
        _log.error("message_not_kept", run=run, member=member, reason=str(error))
        if self._is_open(stream):
            del self._streams[member]
            await self._perform(self._aggregator.disconnected(member, self._now()))
        return TransportError("the coordinator could not keep what this member sent; connect again for the next round")

    def _is_open(self, stream: MemberStream) -> bool:
        return self._streams.get(stream.member) is stream

    def _replace(self, stream: MemberStream) -> None:
        old = self._streams.get(stream.member)
        if old is not None:
            old.fail(OutOfOrder(f"another stream of {stream.member!r} took this one's place; run one process"))
        self._streams[stream.member] = stream

    async def _perform(self, events: Sequence[AggregatorEvent]) -> None:
        for event in events:
            match event:
                case Send(member, data):
                    stream = self._streams.get(member)
                    if stream is not None:
                        self.traffic.sent_bytes += len(data)
                        stream.send(data)
                    continue
                case Persist():
                    # protocol 4.8: durable before anything that follows it in the list is performed.
                    await asyncio.to_thread(self._persist, event)
                case SessionReady():
                    if not self._ready.done():
                        self._ready.set_result(event)
                case MemberDropped(member, phase, reason):
                    _log.warning("member_dropped", run=self.run_id, member=member, phase=phase, reason=reason)
                case RoundSummed(number, _, contributors):
                    _log.info("round_summed", run=self.run_id, round=number, contributors=len(contributors))
                    self._report(event)
                case RoundAborted(number, reason):
                    _log.warning("round_aborted", run=self.run_id, round=number, reason=reason)
                    if event.blamed:
                        _log.error("members_blamed", run=self.run_id, round=number, members=list(event.blamed))
                    self._report(event)
                case SessionFailed(reason):
                    _log.warning("session_failed", run=self.run_id, reason=reason)
                    self._end(TransportError(f"the session of run {self.run_id} ended: {reason}"), clean=True)
            self._observe(event)

    def _report(self, result: RoundResult) -> None:
        if self._round is not None and not self._round.done():
            self._round.set_result(result)

    def _end(self, error: HeadwaterError, *, clean: bool) -> None:
        """Stop taking input; `clean`: the members' streams end with OK, after what waits in them."""
        if self._over:
            return
        self._over = True
        self._failure = error
        for outcome in (self._ready, self._round):
            if outcome is not None and not outcome.done():
                outcome.set_exception(error)
        for stream in self._streams.values():
            if clean:
                stream.finish()
            else:
                stream.fail(TransportError(f"the session of run {self.run_id} broke off; connect again"))
        self._streams.clear()
        # Those in work are settled as they end, unless one of them broke the session.
        for pending in [*self._inbox.drain(), *(() if clean else self._current)]:
            pending.settle(error)


def _retrieve(outcome: "asyncio.Future[RoundResult] | asyncio.Future[SessionReady]") -> None:
    # asyncio logs an exception that nobody asked for; a driver that gave up has no use for it.
    if not outcome.cancelled():
        outcome.exception()
