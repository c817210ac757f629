"""An organisation's process in a crash test: its real records, machine and transport, with known vectors."""

import dataclasses
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import grpc
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from crash.known import known_vector
from crash.lying import lying
from crash.points import Point, Watch
from crash.tape import Recorder
from headwater.agreement.ledger import Charge, LedgerEntry
from headwater.errors import HeadwaterError
from headwater.recipe.task import Task
from headwater.secagg.protocol.families import Cohort, Family
from headwater_client import participation
from headwater_client.connectors import ArrowSource
from headwater_client.membership import Membership
from headwater_client.store import Store
from headwater_client.transport.aggregation import Backoff, participate

__all__ = ["run_organisation"]

_QUICK = Backoff(first_seconds=0.05, longest_seconds=0.2, patience_seconds=60.0)
_ROWS = pa.table({"age": [30, 40], "ward": ["north", "south"], "returned": ["yes", "no"]})


def run_organisation(recorder: Recorder, points: list[Point], options: dict[str, Any]) -> None:
    """Take part in a run until it is over; whoever leaves with an error is invited again, as Flower does.

    Args:
        recorder: of this process.
        points: where it dies.
        options: "home": its folder; "run": the run's id; "lie": how it lies, or nothing.
    """
    watch, stop = Watch(recorder, points, options["run"], Path(options["home"])), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    opened = Membership.open(Path(options["home"]))
    opened.store.close()
    membership = dataclasses.replace(opened, store=_WatchedStore(opened.home.database, watch))
    # What `serve` does when it starts: no other process has this folder.
    membership.store.forget_live_sessions()
    contribution = _known_contribution(membership.member_id)
    with (
        lying(options.get("lie", "")),
        patch.object(participation, "contribute", contribution),
        patch.object(participation, "_NEXT_SESSION_SECONDS", 0.05),
        membership.channel() as channel,
    ):
        channel.grpc = grpc.intercept_channel(channel.grpc, _WatchedWire(watch))
        drive = partial(participate, channel, backoff=_QUICK)
        while not stop.is_set():
            try:
                outcome = participation.join_run(membership, ArrowSource(_ROWS), drive, options["run"], stop)
            except HeadwaterError as error:
                recorder.note("left", error.code, reason=str(error))
                stop.wait(0.2)
            else:
                recorder.note("outcome", outcome)
                return


def _known_contribution(member: str) -> Callable[..., NDArray[np.uint32]]:
    def contribute(task: Task, *_: object, **__: object) -> NDArray[np.uint32]:
        return known_vector(member, task.step, task.length)

    return contribute


class _WatchedWire(grpc.StreamStreamClientInterceptor):
    """The boundary between this process and its connection."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def intercept_stream_stream(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        return continuation(client_call_details, self._sending(request_iterator))

    def _sending(self, requests: Iterator[Any]) -> Iterator[Any]:
        for parcel in requests:
            for data in parcel.messages:
                self._watch.message("sending", data)
            yield parcel
            # gRPC asks for the next parcel when the connection has taken this one.
            for data in parcel.messages:
                self._watch.message("sent", data)


class _WatchedStore(Store):
    """The boundary between this process and its records."""

    def __init__(self, file: Path, watch: Watch) -> None:
        super().__init__(file)
        self._watch = watch

    def record_attempt(self, run_id: str, attempt: int, records: int) -> None:
        self._watch.passes("persisting", "attempt", attempt=attempt)
        super().record_attempt(run_id, attempt, records)
        self._watch.passes("persisted", "attempt", attempt=attempt)

    def record_opening(self, run_id: str, document: bytes) -> None:
        self._watch.passes("persisting", "opening")
        super().record_opening(run_id, document)
        self._watch.passes("persisted", "opening")

    def record_cohort(self, run_id: str, round_number: int, family: Family, members: Cohort) -> None:
        self._watch.passes("persisting", "cohort", round=round_number)
        super().record_cohort(run_id, round_number, family, members)
        self._watch.passes("persisted", "cohort", round=round_number)

    def charge(self, charge: Charge, weigh: Callable[[Sequence[LedgerEntry]], None]) -> LedgerEntry:
        self._watch.passes("persisting", "charge", round=charge.round)
        entry = super().charge(charge, weigh)
        self._watch.passes("persisted", "charge", round=charge.round)
        return entry

    def record_receipt(self, run_id: str, round_number: int, document: bytes) -> None:
        self._watch.passes("persisting", "receipt", round=round_number)
        super().record_receipt(run_id, round_number, document)
        self._watch.passes("persisted", "receipt", round=round_number)
