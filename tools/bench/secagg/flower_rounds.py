"""Whole rounds of Flower's SecAgg+ without a network, counted as `headwater_rounds` counts ours."""

from collections.abc import Collection

import numpy as np

from peers.flower_secagg import CLIP, FlowerClient, client_process, server_process
from secagg.consortium import Consortium
from secagg.headwater_rounds import RoundCost
from secagg.process import Child, Role, receive_frame, send_frame

__all__ = ["FlowerRounds"]


class FlowerRounds:
    """One measured round after the other; each has its setup inside, as SecAgg+ always has."""

    def __init__(self, consortium: Consortium, *, stand_ins: bool = False) -> None:
        """Start the server and the measured client; `stand_ins`: the others put no masks on their vectors."""
        self._consortium, self._stand_ins = consortium, stand_ins
        settings = {"count": consortium.count, "length": consortium.length}
        self._server = Child(server_process, settings)
        self._subject = Child(client_process, settings)
        others = [FlowerClient(consortium, place, stand_in=stand_ins) for place in range(1, consortium.count)]
        self._clients: list[Role] = [self._subject, *others]

    def round(self, dropped: Collection[str] = ()) -> RoundCost:
        """Take one round; `dropped` clients share their keys and then vanish before they upload.

        Raises:
            SystemExit: the mean is not the one expected.
        """
        consortium, server = self._consortium, self._server.connection
        list(self._subject.answers({"do": "begin"}, ()))
        send_frame(server, {"do": "round"})
        gone = {consortium.names.index(name) for name in dropped}
        header, parts = receive_frame(server)
        while "mean" not in header:
            # Clients that vanish do so once their keys are shared: they never answer to the training's message.
            if header["to"] in gone and header["content"]["arrays"]:
                send_frame(server, {"silent": True})
            else:
                ask = {"do": "receive", "content": header["content"]}
                ((answer, large),) = list(self._clients[header["to"]].answers(ask, parts))
                send_frame(server, answer, large)
            header, parts = receive_frame(server)
        ((client, _),) = list(self._subject.answers({"do": "report"}, ()))
        places = [place for place in range(consortium.count) if place not in gone]
        error = float(np.abs(np.frombuffer(parts[0]) - consortium.mean(places)).max()) / CLIP
        if not self._stand_ins and error > 1e-3:
            raise SystemExit(f"Flower's mean is off by {error:.1e} of its clip; the peer was not driven as it must be")
        return RoundCost(
            client["seconds"],
            0.0,
            header["seconds"],
            0.0,
            {},
            client["bytes_up"],
            client["peak_bytes"],
            header["peak_bytes"],
            float("nan") if self._stand_ins else error,
        )

    def end(self) -> None:
        """Let both processes finish."""
        self._server.end()
        self._subject.end()
