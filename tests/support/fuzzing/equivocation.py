"""A coordinator that shows members different things: whatever it can sign, made of what it was sent."""

import hashlib
from collections.abc import Collection
from dataclasses import replace

from headwater.errors import InputError
from headwater.secagg.protocol.events import COORDINATOR
from headwater.secagg.protocol.rounds import view_digest
from headwater.secagg.wire.chunks import chunk_messages
from headwater.secagg.wire.messages import Confirm, Inquiry, Message, Quorum, Start, Survivors, Upload
from support.fuzzing.forging import read_message, sign_as
from support.fuzzing.hostile import HostileWorld
from support.network import AnyMessage

__all__ = ["Equivocator"]


class Equivocator:
    """Speaks for the coordinator of a world, behind the back of its aggregator."""

    def __init__(self, world: HostileWorld) -> None:
        """Have said nothing yet."""
        self._world = world
        self._shown: dict[str, Survivors] = {}

    def ask_otherwise(self, receivers: Collection[str], task: bytes) -> None:
        """Send members their last Start again with another Task (protocol 4.2: a second question)."""
        for member in receivers:
            start = self._last(COORDINATOR, member, Start)
            if start is not None:
                digest = hashlib.sha256(task).digest()
                self._send(member, replace(start, task_size=len(task), task_digest=digest, model_size=0))
                for data in chunk_messages(COORDINATOR, start.round, task):
                    self._world.queue.append((COORDINATOR, member, bytes(data)))

    def show_survivors(self, receivers: Collection[str], chosen: Collection[str]) -> None:
        """Tell members that just these uploaded, with whatever digests are known (protocol 4.5)."""
        for member in receivers:
            own = self._last(member, COORDINATOR, Upload)
            if own is None:
                continue
            found = ((peer, self._last(peer, COORDINATOR, Upload)) for peer in sorted({*chosen}))
            uploads = tuple((peer, upload.vector_digest if upload is not None else bytes(32)) for peer, upload in found)
            self._shown[member] = Survivors(own.round, own.rho, uploads)
            self._send(member, self._shown[member])

    def show_quorum(self, receivers: Collection[str]) -> None:
        """Give members every Confirm of what they were shown, those of lying members included (protocol 4.6)."""
        world = self._world
        for member in receivers:
            shown = self._shown.get(member)
            if shown is None:
                continue
            wanted = Confirm(shown.round, shown.rho, view_digest(shown.rho, shown.uploads))
            confirms = {sender: data for sender, _, data in world.traffic if read_message(data) == wanted}
            confirms |= {liar: sign_as(world, liar, wanted) for liar in sorted(world.liars - {COORDINATOR})}
            among = {peer for peer, _ in shown.uploads}
            chosen = (data for signer, data in sorted(confirms.items()) if signer in among and data)
            self._send(member, Quorum(shown.round, tuple(chosen)))

    def inquire(self, receivers: Collection[str], seed: int) -> None:
        """Ask members what only a broken round gives a reason to ask (protocol 4.7, 4.8)."""
        for member in receivers:
            own = self._last(member, COORDINATOR, Upload)
            if own is not None:
                self._send(member, Inquiry(own.round, own.rho, seed))

    def divide(self, first: Collection[str], half: Collection[str], second: Collection[str], *, hasty: bool) -> None:
        """Show one U to some members, then another U to everybody, and try to open both; `hasty`: ask before that."""
        names = self._world.names
        self.show_survivors(half, first)
        self._world.run()
        shown = dict(self._shown)
        self.show_survivors(names, second)
        self._world.run()
        if hasty:
            self.inquire(names, 1)
            self._world.run()
        for views in (self._shown | shown, self._shown):
            self._shown = dict(views)
            self.show_quorum(names)
            self._world.run()
        self.inquire(names, 0)
        self.inquire(names, 1)
        self._world.run()

    def _last(self, sender: str, receiver: str, kind: type[AnyMessage]) -> AnyMessage | None:
        for origin, goal, data in reversed(self._world.traffic):
            if (origin, goal) == (sender, receiver):
                message = read_message(data)
                if isinstance(message, kind):
                    return message
        return None

    def _send(self, member: str, message: Message) -> None:
        try:
            data = sign_as(self._world, COORDINATOR, message)
        except InputError:
            # Names out of order, or more than fit: no such message can be written.
            return
        if member in self._world.online:
            self._world.traffic.append((COORDINATOR, member, data))
            self._world.queue.append((COORDINATOR, member, data))
