"""One aggregation session: the aggregator's single thread of events, between member streams and the run driver."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from headwater.errors import HeadwaterError, OutOfOrder, StorageError, TransportError
from headwater.secagg.events import (
    AggregatorEvent,
    Persist,
    RoundAborted,
    RoundSummed,
    Send,
    SessionFailed,
    SessionReady,
)
from headwater_server.services.machine import AggregatorMachine
from headwater_server.services.stream import MemberStream

__all__ = ["AggregationSession", "RoundResult", "Traffic"]

_log = structlog.get_logger(__name__)

RoundResult = RoundSummed | RoundAborted

# After a tick that left its deadline in the past, members' messages come first for this long.
_TICK_PAUSE_SECONDS = 0.05


@dataclass(slots=True)
class Traffic:
    """Bytes of protocol messages, over all members of a session."""

    received_bytes: int = 0
    sent_bytes: int = 0


@dataclass(frozen=True, slots=True)
class _Attach:
    stream: MemberStream


@dataclass(frozen=True, slots=True)
class _Detach:
    stream: MemberStream


@dataclass(frozen=True, slots=True)
class _Receive:
    stream: MemberStream
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Begin:
    task: bytes = field(repr=False)
    model: bytes = field(repr=False)
    length: int


@dataclass(frozen=True, slots=True)
class _Close:
    reason: str


@dataclass(frozen=True, slots=True)
class _Tick:
    pass


_Command = _Attach | _Detach | _Receive | _Begin | _Close | _Tick
_Pending = tuple[_Command, "asyncio.Future[None] | None"]


class AggregationSession:
    """Feeds one aggregator, one input at a time, and performs what it asks for in the order in which it asks.

    The aggregator's arithmetic and the durable writes run in worker threads, so that the event loop stays free for
    the other streams; a member's next message is read when its last one is dealt with.
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
        self._commands: asyncio.Queue[_Pending] = asyncio.Queue()
        self._streams: dict[str, MemberStream] = {}
        self._ready: asyncio.Future[SessionReady] = asyncio.get_running_loop().create_future()
        self._ready.add_done_callback(_retrieve)
        self._round: asyncio.Future[RoundResult] | None = None
        self._failure: HeadwaterError | None = None
        self._over = False
        self._ticked = False
        self._current: asyncio.Future[None] | None = None
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

    async def round(self, task: bytes, model: bytes, length: int) -> RoundResult:
        """Ask the members for one sum and wait for it, or for its abort.

        Args:
            task: the Task's exact bytes.
            model: the model's exact bytes, empty when the Task needs none.
            length: number of uint32 values in the sum.

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
            await self._submit(_Begin(task, model, length))
        except HeadwaterError:
            self._round = None
            raise
        return await outcome

    async def close(self, reason: str = "the run is over") -> None:
        """End the session: members are told, their streams end with OK; again does nothing."""
        if not self._over:
            await self._submit(_Close(reason))
        if self._task is not None:
            await self._task

    async def attach(self, stream: MemberStream) -> None:
        """Take a member's new stream; the one it had is ended.

        Raises:
            HeadwaterError: the session is over.
        """
        await self._submit(_Attach(stream))

    async def deliver(self, stream: MemberStream, data: bytes) -> None:
        """Hand over one message and wait until it is dealt with: this wait is the back-pressure.

        Raises:
            PeerError: the protocol refused the message.
            OutOfOrder: the stream was replaced, or the session is over.
        """
        await self._submit(_Receive(stream, data))

    def detach(self, stream: MemberStream) -> None:
        """Say that a stream ended; one that was replaced before is no longer the member's and changes nothing."""
        if not self._over:
            self._commands.put_nowait((_Detach(stream), None))

    async def _submit(self, command: _Command) -> None:
        if self._over:
            raise self._failure or OutOfOrder(f"the session of run {self.run_id} is over")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._commands.put_nowait((command, done))
        await done

    async def _work(self) -> None:
        broken = TransportError(f"the session of run {self.run_id} broke off; the coordinator's log says why")
        try:
            while not self._over:
                command, done = await self._next()
                self._current = done
                try:
                    await self._perform(await self._step(command))
                    if isinstance(command, _Close):
                        self._end(OutOfOrder(f"the session of run {self.run_id} is over"), clean=True)
                except HeadwaterError as error:
                    if done is None or isinstance(error, StorageError):
                        raise
                    # protocol 4.9: a refused input is its sender's error alone; the session goes on.
                    if not done.done():
                        done.set_exception(error)
                else:
                    if done is not None and not done.done():
                        done.set_result(None)
        except Exception as error:  # noqa: BLE001  a bug must not leave driver and members waiting for ever
            _log.error("session_broken", run=self.run_id, exc_info=error)
            self._end(error if isinstance(error, HeadwaterError) else broken, clean=False)
        finally:
            # Also when the task is cancelled because the coordinator stops.
            self._end(TransportError(f"the coordinator left the session of run {self.run_id}"), clean=False)

    async def _next(self) -> _Pending:
        deadline = self._aggregator.next_deadline
        if deadline is None:
            self._ticked = False
            return await self._commands.get()
        wait = deadline - self._now()
        if wait <= 0 and not self._ticked:
            # A queue that is never empty must not keep a deadline from passing, nor the other way round.
            self._ticked = True
            return _Tick(), None
        self._ticked = False
        try:
            return await asyncio.wait_for(self._commands.get(), max(wait, _TICK_PAUSE_SECONDS))
        except TimeoutError:
            self._ticked = True
            return _Tick(), None

    async def _step(self, command: _Command) -> list[AggregatorEvent]:
        aggregator, now = self._aggregator, self._now()
        match command:
            case _Attach(stream):
                events: list[AggregatorEvent] = []
                old = self._streams.pop(stream.member, None)
                if old is not None:
                    old.fail(OutOfOrder(f"another stream of {stream.member!r} took this one's place; run one process"))
                    events += await asyncio.to_thread(aggregator.disconnected, stream.member, now)
                self._streams[stream.member] = stream
                return events + list(await asyncio.to_thread(aggregator.connected, stream.member, now))
            case _Detach(stream):
                if self._streams.get(stream.member) is not stream:
                    return []
                del self._streams[stream.member]
                return list(await asyncio.to_thread(aggregator.disconnected, stream.member, now))
            case _Receive(stream, data):
                if self._streams.get(stream.member) is not stream:
                    raise OutOfOrder("this stream was replaced by a newer one")
                self.traffic.received_bytes += len(data)
                return list(await asyncio.to_thread(aggregator.receive, stream.member, data, now))
            case _Begin(task, model, length):
                return list(await asyncio.to_thread(aggregator.begin_round, task, model, length, now))
            case _Close(reason):
                return list(await asyncio.to_thread(aggregator.close, reason, now))
            case _Tick():
                return list(await asyncio.to_thread(aggregator.tick, now))

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
                case RoundSummed() | RoundAborted():
                    if self._round is not None and not self._round.done():
                        self._round.set_result(event)
                case SessionFailed(reason):
                    self._end(TransportError(f"the session of run {self.run_id} ended: {reason}"), clean=True)
                case _:
                    pass
            self._observe(event)

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
        waiting = [self._commands.get_nowait()[1] for _ in range(self._commands.qsize())]
        if not clean:
            # The input that broke the session; a clean end is settled by its own.
            waiting.append(self._current)
        for done in waiting:
            if done is not None and not done.done():
                done.set_exception(error)


def _retrieve(outcome: "asyncio.Future[RoundResult] | asyncio.Future[SessionReady]") -> None:
    # asyncio logs an exception that nobody asked for; a driver that gave up has no use for it.
    if not outcome.cancelled():
        outcome.exception()
