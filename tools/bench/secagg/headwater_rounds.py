"""Whole rounds of HW-SecAgg/1 without a network: coordinator and one member in processes of their own."""

from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from secagg.consortium import Consortium
from secagg.process import Child, Frame, Role
from secagg.roles import MemberRole, coordinator_process, member_process

__all__ = ["HeadwaterRounds", "RoundCost"]


@dataclass(frozen=True)
class RoundCost:
    """What one round cost.

    Attributes:
        client_seconds: CPU of one member, from the integers to the last message.
        encoding_seconds: CPU of making the integers from real numbers; part of `client_seconds` for a peer that
            does not tell it apart.
        server_seconds: CPU of the coordinator.
        hashing_seconds: of which SHA-256 over the uploads, measured beside it.
        phases: CPU of the coordinator by kind of message.
        bytes_up: bytes that the member sent.
        client_peak_bytes, server_peak_bytes: memory above the process's own.
        largest_error: of a value of the decoded mean, as a share of the clip.
    """

    client_seconds: float
    encoding_seconds: float
    server_seconds: float
    hashing_seconds: float
    phases: dict[str, float]
    bytes_up: int
    client_peak_bytes: int
    server_peak_bytes: int
    largest_error: float


class HeadwaterRounds:
    """A session that takes one measured round after the other."""

    def __init__(self, consortium: Consortium) -> None:
        """Start the two processes and run the setup."""
        self._consortium = consortium
        settings = {"count": consortium.count, "length": consortium.length, "rounds": consortium.rounds}
        self._server = Child(coordinator_process, settings)
        self._subject = Child(member_process, settings)
        self._members: dict[str, Role] = {consortium.names[0]: self._subject}
        for place, name in enumerate(consortium.names[1:], 1):
            self._members[name] = MemberRole(consortium, place)
        self._silent: frozenset[str] = frozenset()
        self._inbox: dict[str, deque[bytes]] = {name: deque() for name in consortium.names}
        self._answering: dict[str, Iterator[Frame]] = {}
        self._sums: list[tuple[int, bytes]] = []
        for name in consortium.names:
            self._at_server({"do": "connect", "member": name})
        self._run()
        self.setup_client_seconds = self._report(self._subject)["seconds"]
        self.setup_server_seconds = self._report(self._server)["seconds"]

    def round(self, dropped: Collection[str] = ()) -> RoundCost:
        """Take one round; `dropped` members deal and then vanish before they upload.

        Raises:
            SystemExit: the sum is not the one expected.
        """
        consortium, self._silent = self._consortium, frozenset(dropped)
        self._sums.clear()
        for member in self._members.values():
            list(member.answers({"do": "begin"}, ()))
        self._at_server({"do": "begin"})
        self._run()
        if not self._sums:
            raise SystemExit("a measured round gave no sum")
        contributors, data = self._sums[0]
        places = [place for place, name in enumerate(consortium.names) if name not in self._silent]
        if contributors != len(places):
            raise SystemExit(f"{contributors} members are in a sum that {len(places)} were to be in")
        decoded = consortium.decode_mean(np.frombuffer(data, np.uint32), contributors)
        error = float(np.abs(decoded - consortium.mean(places)).max()) / consortium.clip
        server, client = self._report(self._server), self._report(self._subject)
        for name in sorted(self._silent):
            self._at_server({"do": "connect", "member": name})
        self._run()
        return RoundCost(
            client["seconds"],
            client["encoding_seconds"],
            server["seconds"],
            server["hash_seconds"] * contributors,
            server["phases"],
            client["bytes_up"],
            client["peak_bytes"],
            server["peak_bytes"],
            error,
        )

    def end(self) -> None:
        """Let both processes finish."""
        self._server.end()
        self._subject.end()

    def _at_server(self, header: dict[str, object], data: bytes | None = None) -> None:
        for answer, large in list(self._server.answers(header, [data] if data is not None else [])):
            if "sum" in answer:
                self._sums.append((answer["sum"], large[0]))
            else:
                self._inbox[answer["to"]].append(large[0])

    def _run(self) -> None:
        """Take one message of each member in turn, so that uploads arrive side by side as over streams."""
        while any(self._inbox.values()) or self._answering:
            for name in self._members:
                self._step(name)

    def _step(self, name: str) -> None:
        if name not in self._answering and self._inbox[name]:
            header = {"do": "receive", "silent": name in self._silent}
            self._answering[name] = self._members[name].answers(header, [self._inbox[name].popleft()])
        if name not in self._answering:
            return
        frame = next(self._answering[name], None)
        if frame is None:
            del self._answering[name]
        elif "gone" in frame[0]:
            self._inbox[name].clear()
            self._at_server({"do": "break", "member": name})
        else:
            self._at_server({"do": "receive", "member": name}, frame[1][0])

    def _report(self, role: Role) -> dict[str, Any]:
        (report, _), *_ = list(role.answers({"do": "report"}, ()))
        return dict(report)
