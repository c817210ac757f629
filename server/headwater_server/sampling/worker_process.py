"""A process that draws, as the coordinator holds it: started when it is needed, killed when it takes too long."""

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import IO, Protocol

from headwater.errors import HeadwaterError

__all__ = ["DrawRefused", "Worker", "WorkerProcess"]

_LOOK_SECONDS = 0.25


class DrawRefused(HeadwaterError):
    """Rows were not drawn.

    Attributes:
        code: stable, of the API.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Worker(Protocol):
    """What follows orders; `WorkerProcess` is the one that a coordinator has."""

    def obey(
        self,
        order: Mapping[str, object],
        seconds: float,
        on_rows: Callable[[int], None] = ...,
        unwanted: Callable[[], bool] = ...,
    ) -> Mapping[str, object] | None:
        """As `WorkerProcess.obey`."""

    def rest(self, seconds: float) -> None:
        """As `WorkerProcess.rest`."""

    def stop(self) -> None:
        """As `WorkerProcess.stop`."""


class WorkerProcess:
    """One process of `headwater_server.sampling.worker`; orders are given to it one after the other."""

    def __init__(self, memory_mib: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Prepare; the process starts with the first order.

        Args:
            memory_mib: that it may have.
            clock: seconds.
        """
        self._memory_mib = memory_mib
        self._clock = clock
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._held = threading.Lock()
        self._used = clock()

    @property
    def pid(self) -> int | None:
        """Of the process, while there is one."""
        return None if self._process is None else self._process.pid

    def obey(
        self,
        order: Mapping[str, object],
        seconds: float,
        on_rows: Callable[[int], None] = lambda _rows: None,
        unwanted: Callable[[], bool] = lambda: False,
    ) -> Mapping[str, object] | None:
        """Give an order and wait for its end; whoever comes meanwhile waits as well.

        Args:
            order: as `worker.obey` reads it.
            seconds: after which the process is killed.
            on_rows: told how many rows there are so far.
            unwanted: asked several times a second; where it says yes, the process is killed.

        Returns:
            What was done; None where it was not wanted any more.

        Raises:
            DrawRefused: the request cannot be met, took too long, or ended the process.
        """
        with self._held:
            try:
                return self._obey(order, seconds, on_rows, unwanted)
            finally:
                self._used = self._clock()

    def rest(self, seconds: float) -> None:
        """Give the process's memory back where nobody gave an order for so long."""
        if self._held.acquire(blocking=False):
            try:
                if self._clock() - self._used >= seconds:
                    self.stop()
            finally:
                self._held.release()

    def _obey(
        self,
        order: Mapping[str, object],
        seconds: float,
        on_rows: Callable[[int], None],
        unwanted: Callable[[], bool],
    ) -> Mapping[str, object] | None:
        process = self._running()
        deadline = self._clock() + seconds
        with contextlib.suppress(BrokenPipeError):
            _stream(process.stdin).write(json.dumps(order) + "\n")
            _stream(process.stdin).flush()
        while True:
            try:
                line = self._answers.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                line = None
            if line == "":
                self.stop()
                raise DrawRefused("broken", "the process that draws ended early; ask again, for fewer rows")
            answer = {} if line is None else json.loads(line)
            if "done" in answer:
                done: Mapping[str, object] = answer["done"]
                return done
            if "refused" in answer:
                raise DrawRefused(answer["refused"]["code"], answer["refused"]["message"])
            if "rows" in answer:
                on_rows(int(answer["rows"]))
            if unwanted():
                self.stop()
                return None
            if self._clock() > deadline:
                self.stop()
                raise DrawRefused(
                    "too_slow", f"drawing took more than {seconds:,.0f} s, which no job may; ask for less"
                )

    def stop(self) -> None:
        """End the process, whatever it does; the next order starts another."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):
                _stream(stream).close()
        self._process = None

    def _running(self) -> "subprocess.Popen[str]":
        if self._process is not None and self._process.poll() is None:
            return self._process
        self.stop()
        # A queue of its own: what the last process said late is not this one's answer.
        self._answers = queue.SimpleQueue()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "headwater_server.sampling.worker", str(self._memory_mib)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        )
        threading.Thread(target=_read, args=(_stream(self._process.stdout), self._answers), daemon=True).start()
        return self._process


def _read(stream: IO[str], answers: "queue.SimpleQueue[str]") -> None:
    # A stream that was closed under the reader ends it like the process's end.
    with contextlib.suppress(ValueError, OSError):
        for line in stream:
            answers.put(line)
    answers.put("")


def _stream(stream: IO[str] | None) -> IO[str]:
    if stream is None:
        raise DrawRefused("broken", "the process that draws has no pipes; tell the consortium")
    return stream
