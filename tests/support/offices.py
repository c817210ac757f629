"""Organisations that take part in a run on threads of their own, with rows of their own."""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from headwater.agreement.plan import Plan
from headwater.agreement.troubles import Trouble
from headwater.secagg import Participant
from headwater.secagg.protocol.events import RoundSummed
from headwater_client.connectors import ArrowSource
from headwater_client.membership import Membership
from headwater_client.participation import SessionDriver, join_run
from headwater_client.transport.aggregation import Participation, Progress, participate
from support.organisations import RUN, EnrolledConsortium
from support.sessions import Desk

__all__ = ["Office", "approve_everywhere", "close_all", "rows_of", "sum_in_two_sessions"]


def rows_of(member: str) -> pa.Table:
    """A small table that is this member's own."""
    seed = int(member[-1])
    random = np.random.default_rng(seed)
    size = 20 + seed
    return pa.table(
        {
            "age": random.integers(0, 121, size),
            "ward": random.choice(["north", "south"], size),
            "returned": random.choice(["yes", "no"], size),
        }
    )


class Office:
    """One organisation's part in a run, from its folder, over the real channel."""

    def __init__(
        self,
        home: Path,
        rows: pa.Table | None = None,
        run_id: str = RUN,
        on_progress: Callable[[Progress], None] = lambda event: None,
        report: Callable[[Trouble], None] = lambda trouble: None,
    ) -> None:
        """Take part at once; `on_progress` sees each event after it was stored, `report` what the operator is told."""
        self.membership = Membership.open(home)
        self.stop = threading.Event()
        self.outcome: str | Exception | None = None
        self._rows = rows_of(home.name) if rows is None else rows
        self._run_id, self._on_progress, self._report = run_id, on_progress, report
        self.thread = threading.Thread(target=self._work)
        self.thread.start()

    def join(self, timeout_seconds: float = 60.0) -> str | Exception | None:
        """Wait for the end; what it ended with."""
        self.thread.join(timeout_seconds)
        if self.thread.is_alive():
            raise TimeoutError(f"{self._run_id} goes on at {self.membership.member_id}")
        return self.outcome

    def _work(self) -> None:
        try:
            with self.membership.channel() as channel:
                drive: SessionDriver = partial(self._drive, channel)
                source = ArrowSource(self._rows)
                self.outcome = join_run(self.membership, source, drive, self._run_id, self.stop, self._report)
        except Exception as error:  # noqa: BLE001  the test looks at it
            self.outcome = error
        finally:
            self.membership.store.close()

    def _drive(
        self,
        channel: Any,
        run_id: str,
        participant: Participant,
        contribute: Any,
        stop: threading.Event,
        note: Callable[[Progress], None],
    ) -> Participation:
        def both(event: Progress) -> None:
            note(event)
            self._on_progress(event)

        return participate(channel, run_id, participant, contribute, stop, both)


def approve_everywhere(consortium: EnrolledConsortium, run_id: str = RUN, **changes: Any) -> Plan:
    """Accept the charter, propose a run and approve it at every organisation."""
    consortium.accept()
    plan = consortium.propose(run_id, **changes)
    for organisation in consortium.organisations.values():
        organisation.approve(run_id, plan.digest)
    return plan


def close_all(offices: Sequence[Office]) -> None:
    """End every office's part, then wait for all."""
    for office in offices:
        office.stop.set()
    for office in offices:
        office.join()


def sum_in_two_sessions(consortium: EnrolledConsortium, plan: Plan) -> None:
    """A run of every organisation to its end: its first sum, asked for in two sessions."""
    desk, offices = Desk(consortium, plan), [Office(home) for home in consortium.homes.values()]
    try:
        assert all(isinstance(desk.sum(attempt), RoundSummed) for attempt in (1, 2))
        desk.end()
    finally:
        close_all(offices)
