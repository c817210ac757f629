"""A coordinator and a member of HW-SecAgg/1 whose CPU seconds, bytes and memory are counted."""

import hashlib
import json
import pathlib
import tempfile
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection

import numpy as np

from harness.memory import Memory
from headwater.secagg import Aggregator, Participant
from headwater.secagg.protocol.events import (
    AggregatorEvent,
    RoundAborted,
    RoundRequested,
    RoundSummed,
    Send,
    SessionFailed,
)
from headwater.secagg.wire.codec import MAXIMUM_CHUNK
from headwater.secagg.wire.envelope import open_envelope
from headwater_server.settings import SPOOL_MEMORY_MIB
from headwater_server.storage.spool import DiskSpool
from secagg.consortium import Consortium
from secagg.process import Clock, Frame, Header, serve

__all__ = ["CoordinatorRole", "MemberRole", "coordinator_process", "member_process"]

SPOOL_BYTES = SPOOL_MEMORY_MIB * 2**20
"""Uploads on their way that a coordinator keeps in memory unless told otherwise; the rest is on its disk."""

TASK = b'{"kind":"update"}'


class CoordinatorRole:
    """The aggregator, and what each kind of message costs it."""

    def __init__(self, consortium: Consortium) -> None:
        """Open the session's setup."""
        self._memory, self._clock = Memory(), Clock()
        self._consortium = consortium
        self._phases: dict[str, float] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="headwater-spool-")
        spool = DiskSpool(pathlib.Path(self._folder.name), SPOOL_BYTES)
        with self._clock:
            self._aggregator = Aggregator(consortium.roster, consortium.terms, consortium.key(""), now=0.0, spool=spool)

    def answers(self, header: Header, parts: Sequence[bytes]) -> Iterator[Frame]:
        """One step of the machine; messages to members come back with whom they are to."""
        before = self._clock.seconds
        match header["do"]:
            case "connect":
                with self._clock:
                    events = self._aggregator.connected(header["member"], 0.0)
            case "break":
                with self._clock:
                    events = self._aggregator.disconnected(header["member"], 0.0)
            case "begin":
                self._clock.reset()
                self._memory.reset()
                self._phases, before = {}, 0.0
                with self._clock:
                    events = self._aggregator.begin_round(TASK, b"", self._consortium.length, 0.0)
            case "receive":
                with self._clock:
                    events = self._aggregator.receive(header["member"], parts[0], 0.0)
            case _:
                yield self._report()
                return
        spent = self._clock.seconds - before
        phase = open_envelope(parts[0]).type.name.lower() if parts else header["do"]
        if any(isinstance(event, RoundSummed) for event in events):
            phase = "unmasking"
        self._phases[phase] = self._phases.get(phase, 0.0) + spent
        yield from self._tell(events)

    def _tell(self, events: list[AggregatorEvent]) -> Iterator[Frame]:
        for event in events:
            match event:
                case Send(member, data):
                    yield {"to": member}, [data]
                case RoundSummed():
                    yield {"sum": len(event.contributors)}, [event.vector.tobytes()]
                case RoundAborted() | SessionFailed():
                    raise SystemExit(f"the measured session did not go well: {event.reason}")
                case _:
                    pass

    def _report(self) -> Frame:
        peak, seconds = self._memory.peak_bytes, self._clock.seconds
        size = 4 * self._consortium.length
        return {"seconds": seconds, "phases": self._phases, "peak_bytes": peak, "hash_seconds": hash_seconds(size)}, ()


class MemberRole:
    """A participant that uploads when it is asked to."""

    def __init__(self, consortium: Consortium, place: int, *, encoding: bool = False) -> None:
        """Be the member of this place; `encoding`: begin each round at real numbers, as an organisation does."""
        self._memory, self._clock = Memory(), Clock()
        self._consortium, self._place, self._encoding = consortium, place, encoding
        name = consortium.names[place]
        self._encoding_seconds, self._bytes_up = 0.0, 0
        with self._clock:
            self._participant = Participant(consortium.roster, consortium.terms, name, consortium.key(name))

    def answers(self, header: Header, parts: Sequence[bytes]) -> Iterator[Frame]:
        """One message of the coordinator; messages to it come back as soon as they are made."""
        if header["do"] == "begin":
            self._clock.reset()
            self._bytes_up = 0
            return
        if header["do"] == "report":
            yield (
                {
                    "seconds": self._clock.seconds,
                    "encoding_seconds": self._encoding_seconds,
                    "peak_bytes": self._memory.peak_bytes,
                    "bytes_up": self._bytes_up,
                },
                (),
            )
            return
        with self._clock:
            events = self._participant.receive(parts[0], 0.0)
        for event in events:
            match event:
                case Send(_, data):
                    yield self._up(data)
                case RoundRequested() if header.get("silent"):
                    yield {"gone": True}, ()
                case RoundRequested():
                    yield from self._upload(event)
                case _:
                    pass

    def _up(self, data: bytes) -> Frame:
        self._bytes_up += len(data)
        return {}, [data]

    def _upload(self, request: RoundRequested) -> Iterator[Frame]:
        consortium = self._consortium
        if self._encoding:
            real, encoding = consortium.vector(self._place), Clock()
            with encoding:
                vector = consortium.encode(real)
            self._encoding_seconds = encoding.seconds
            del real
        else:
            vector = consortium.encoded_vector(self._place)
        # What is counted of the memory is the vector to be masked and what masking needs on top.
        self._memory.reset()
        with self._clock:
            messages = self._participant.upload(request.round, vector)
        while True:
            with self._clock:
                data = next(messages, None)
            if data is None:
                return
            yield self._up(data)


def hash_seconds(size: int) -> float:
    """CPU seconds of SHA-256 over `size` bytes, in pieces of one chunk."""
    piece, clock, hashing = np.zeros(MAXIMUM_CHUNK, np.uint8).data, Clock(), hashlib.sha256()
    with clock:
        for begin in range(0, size, MAXIMUM_CHUNK):
            hashing.update(piece[: size - begin])
    return clock.seconds


def coordinator_process(connection: Connection, settings: str) -> None:
    """The coordinator as a process."""
    serve(connection, CoordinatorRole(Consortium(**json.loads(settings))))


def member_process(connection: Connection, settings: str) -> None:
    """The member at place 0 as a process."""
    serve(connection, MemberRole(Consortium(**json.loads(settings)), 0, encoding=True))
