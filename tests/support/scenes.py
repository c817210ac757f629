"""Worlds in which a message of every type is really sent, for tests that do something to it on the way."""

import dataclasses
from collections.abc import Callable
from contextlib import ExitStack

from headwater.secagg.crypto.keys import Secret
from headwater.secagg.crypto.masks import MaskStream
from headwater.secagg.crypto.sealing import seal
from headwater.secagg.crypto.shamir import split
from headwater.secagg.member.round import MemberRound
from headwater.secagg.protocol import dealing
from headwater.secagg.protocol.phases import CoordinatorPhase
from headwater.secagg.wire.envelope import MessageType
from headwater.secagg.wire.messages import Start
from support.lies import LIAR, VICTIM, flipped, patched, play_to_the_end
from support.network import World

__all__ = ["SCENES", "play_scene"]


def play_scene(kind: MessageType, world: World) -> None:
    """Let a world that was not opened yet live through a setup and a round in which this type is sent."""
    with ExitStack() as stack:
        SCENES.get(kind, _plain)(world, stack)


def _open(world: World) -> None:
    """Open the session; whoever does not come in time stays outside."""
    world.open()
    while world.aggregator.phase in (CoordinatorPhase.GREETING, CoordinatorPhase.ACCEPTING):
        world.tick(60)
        world.run()


def _plain(world: World, stack: ExitStack) -> None:
    _open(world)
    play_to_the_end(world)


def _refused(world: World, stack: ExitStack) -> None:
    honest = world.to_member
    world.lie_to([VICTIM], Start, lambda start: dataclasses.replace(start, length=0))
    lying = world.to_member
    world.to_member = lambda member, data: [kept for lie in lying(member, data) for kept in honest(member, lie)]
    _open(world)
    play_to_the_end(world)


def _closed(world: World, stack: ExitStack) -> None:
    _open(world)
    world.coordinator_does(world.aggregator.close("the run is over", world.now))
    world.run()


def _complained(world: World, stack: ExitStack) -> None:
    def wrong_shares(key: Secret, plain: bytes, associated: bytes) -> bytes:
        return seal(key, flipped(plain) if len(plain) == 66 else plain, associated)

    world.faults[LIAR] = lambda: patched(dealing, "seal", wrong_shares)
    _open(world)
    play_to_the_end(world)


def _inquired(world: World, stack: ExitStack) -> None:
    true_stream = MemberRound._stream

    def unmasked(self: MemberRound, vector: object, masks: object, sign: object) -> object:
        return true_stream(self, vector, masks if self.member != LIAR else MaskStream([], []), sign)  # type: ignore[arg-type]

    stack.enter_context(patched(MemberRound, "_stream", unmasked))
    _open(world)
    play_to_the_end(world)


def _asked_for_its_seed(world: World, stack: ExitStack) -> None:
    def off_polynomial(secret: bytes, threshold: int, holders: int) -> list[bytes]:
        return split(flipped(secret), threshold, holders)

    world.faults[LIAR] = lambda: patched(dealing, "split", off_polynomial)
    _open(world)
    play_to_the_end(world)


SCENES: dict[MessageType, Callable[[World, ExitStack], None]] = {
    MessageType.REFUSAL: _refused,
    MessageType.ABORT: _refused,
    MessageType.CLOSE: _closed,
    MessageType.COMPLAINT: _complained,
    MessageType.INQUIRY: _inquired,
    MessageType.BLOCKS: _inquired,
    MessageType.SEED: _asked_for_its_seed,
}
"""Types that a round without any trouble does not show."""
