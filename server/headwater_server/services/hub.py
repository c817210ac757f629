"""The open aggregation sessions, by run: where member streams and run drivers meet."""

import time
from collections.abc import Callable, Collection

from headwater.errors import OutOfOrder, PeerError, TransportError
from headwater.secagg.protocol.events import AggregatorEvent, Persist
from headwater_server.services.machine import AggregatorMachine
from headwater_server.services.session import AggregationSession
from headwater_server.services.stream import MemberStream

__all__ = ["AggregationHub"]

_OUTBOUND_LIMIT_BYTES = 256 * 2**20


class AggregationHub:
    """At most one live session for each run (protocol 3.5); used on one event loop."""

    def __init__(
        self, now: Callable[[], float] = time.monotonic, outbound_limit_bytes: int = _OUTBOUND_LIMIT_BYTES
    ) -> None:
        """Start without sessions.

        Args:
            now: seconds; the clock of all deadlines. Aggregators must be made with the same one.
            outbound_limit_bytes: most bytes that may wait for one slow member.
        """
        self.now = now
        self._outbound_limit_bytes = outbound_limit_bytes
        self._sessions: dict[str, AggregationSession] = {}
        self._ended: dict[str, str] = {}

    async def open_session(
        self,
        run_id: str,
        aggregator: AggregatorMachine,
        members: Collection[str],
        *,
        persist: Callable[[Persist], None],
        observe: Callable[[AggregatorEvent], None] = lambda event: None,
    ) -> AggregationSession:
        """Let members in for a run.

        Args:
            run_id: 32 hexadecimal digits.
            aggregator: fresh; nobody else may call it from now on.
            members: ids that may take part: the run's members of the charter.
            persist: stores a record durably, or raises `StorageError`, which ends the session. Runs in a worker thread.
            observe: sees every event but `Send`, on the event loop, after it was performed; must be quick.

        Raises:
            OutOfOrder: the run has an open session.
        """
        old = self._sessions.get(run_id)
        if old is not None and not old.over:
            raise OutOfOrder(f"run {run_id} has an open session; close it before the next attempt")
        session = AggregationSession(
            run_id, aggregator, frozenset(members), persist=persist, observe=observe, now=self.now
        )
        self._sessions[run_id] = session
        self._ended.pop(run_id, None)
        session.start()
        return session

    async def end_run(self, run_id: str, reason: str = "the run is over") -> None:
        """Close the run's session, if there is one, and let nobody come back for it."""
        self._ended[run_id] = reason
        session = self._sessions.pop(run_id, None)
        if session is not None:
            await session.close(reason)

    async def leave_run(self, run_id: str, reason: str) -> None:
        """Close the run's session, if there is one; members may come back for the next."""
        session = self._sessions.pop(run_id, None)
        if session is not None:
            await session.close(reason)

    async def close(self) -> None:
        """Close all sessions; members may come back to a coordinator that was started anew."""
        for session in list(self._sessions.values()):
            await session.close("the coordinator is stopping")
        self._sessions.clear()

    def session_of(self, run_id: str, member: str) -> tuple[AggregationSession, MemberStream]:
        """The run's open session and a new stream for the member, not attached yet.

        Raises:
            OutOfOrder: the run is over; the line says why.
            TransportError: no session is open at the moment.
            PeerError: the member is not one of the run's.
        """
        if run_id in self._ended:
            raise OutOfOrder(f"no session opens any more: {self._ended[run_id]}")
        session = self._sessions.get(run_id)
        if session is None or session.over:
            raise TransportError("the run has no open session at the moment")
        if member not in session.members:
            raise PeerError(f"{member!r} is not a member of this run's charter; ask the operator")
        return session, MemberStream(member, self._outbound_limit_bytes)
