"""What a coverage-guided fuzzer calls: one function of bytes for each family of parsers and each state machine."""

import base64
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass

import grpc

from headwater.agreement.invitation import Invitation
from headwater.canonical import canonical_json, sha256_hex
from headwater.secagg.protocol.events import COORDINATOR
from headwater.secagg.wire.envelope import MessageType
from support.fuzzing import agreed, parsers, seeds
from support.fuzzing.choices import Choices
from support.fuzzing.damage import damage_bytes, damage_json
from support.fuzzing.forging import volunteered
from support.fuzzing.hostile import HostileWorld

__all__ = ["TARGETS", "Target"]

_STATUSES = tuple(grpc.StatusCode)
_CACHED: dict[tuple[bool, MessageType], HostileWorld] = {}


@dataclass(frozen=True)
class Target:
    """One thing to fuzz.

    Attributes:
        check: raises for bytes that break a promise; every other outcome is fine.
        seeds: gives the inputs to start from.
    """

    check: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]


def _messages(data: bytes) -> None:
    """Raw bytes after an even first byte, a spoilt message of real traffic after an odd one."""
    choices = Choices(data)
    if choices.below(2) == 0:
        parsers.check_message(choices.rest())
        return
    pool = [message for _, _, message in seeds.traffic()]
    parsers.check_message(damage_bytes(pool[choices.below(len(pool))], choices, pool))


def _messages_seeds() -> list[bytes]:
    return [b"\0" + message for _, _, message in seeds.traffic()] + [bytes([1, place, 40]) for place in range(40)]


def _documents(data: bytes) -> None:
    choices = Choices(data)
    kind, spoilt = choices.pick(parsers.DOCUMENTS), choices.below(2)
    parsers.check_document(kind, damage_json(seeds.documents()[kind], choices) if spoilt else choices.rest())


def _documents_seeds() -> list[bytes]:
    raw = [bytes([place, 0]) + seeds.documents()[kind] for place, kind in enumerate(parsers.DOCUMENTS)]
    return raw + [bytes([place, 1, 9, 7, 5, 3, 1]) for place in range(len(parsers.DOCUMENTS))]


def _tasks(data: bytes) -> None:
    choices = Choices(data)
    spoilt = choices.below(2)
    parsers.check_task(damage_json(choices.pick(seeds.tasks()), choices) if spoilt else choices.rest())


def _tasks_seeds() -> list[bytes]:
    return [b"\0" + task for task in seeds.tasks()] + [bytes([1, place, 5, 5, 5]) for place in range(8)]


def _texts(data: bytes) -> None:
    """Invitation tokens and status texts."""
    choices = Choices(data)
    match choices.below(3):
        case 0:
            parsers.check_status(choices.pick(_STATUSES), choices.rest().decode("utf-8", "replace"))
        case 1:
            parsers.check_token(choices.rest().decode("utf-8", "replace"))
        case _:
            spoilt = damage_json(seeds.documents()[Invitation], choices)
            parsers.check_token(base64.urlsafe_b64encode(spoilt).decode().rstrip("="))


def _texts_seeds() -> list[bytes]:
    token = Invitation.from_bytes(seeds.documents()[Invitation]).to_token()
    return [b"\0\3no such run\n\x1b[31m", b"\1" + token.encode(), b"\2\1\2\3\4\5"]


def _generator(data: bytes) -> None:
    """A model, or a bundle whose manifest names the spoilt file as it is."""
    choices = Choices(data)
    _, model, encoding = seeds.bundle_files()
    match choices.below(4):
        case 0:
            parsers.check_model(choices.rest())
        case 1:
            parsers.check_model(damage_bytes(model, choices))
        case 2:
            parsers.check_model(_described(model, damage_json(_description(model), choices)))
        case _:
            encoding = damage_json(encoding, choices)
            listed = {"generator.safetensors": sha256_hex(model), "encoding.json": sha256_hex(encoding)}
            manifest = canonical_json({"version": 1, "files": listed})
            if choices.below(4) == 3:
                manifest = damage_json(manifest, choices)
            parsers.check_bundle(manifest, model, encoding)


def _generator_seeds() -> list[bytes]:
    return [
        b"\0" + seeds.bundle_files()[1],
        *(bytes([place % 4]) + bytes(range(place, place + 9)) for place in range(40)),
    ]


def _description(model: bytes) -> bytes:
    header = json.loads(model[8 : 8 + struct.unpack("<Q", model[:8])[0]])
    return str(header["__metadata__"]["headwater"]).encode()


def _described(model: bytes, description: bytes) -> bytes:
    """The model's bytes with another description of its shape."""
    length = struct.unpack("<Q", model[:8])[0]
    header = json.loads(model[8 : 8 + length])
    header["__metadata__"]["headwater"] = description.decode("utf-8", "replace")
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + model[8 + length :]


def _machine(data: bytes, *, coordinator: bool) -> None:
    """Bring the machine to a stage, then feed it true, spoilt, old and lying messages."""
    choices = Choices(data)
    stage = choices.pick(seeds.STAGES)
    world = _CACHED.pop((coordinator, stage), None) or seeds.world_before(stage)
    untouched = len(world.aggregator_events) + sum(map(len, world.member_events.values()))
    for _ in range(8):
        if choices.empty:
            break
        pool = [*world.queue, *world.traffic[-60:]]
        wanted = [(sender, to, old) for sender, to, old in pool if (to == COORDINATOR) is coordinator]
        if not wanted:
            break
        sender, to, message = choices.pick(wanted)
        match choices.below(5):
            case 0:
                pass
            case 1:
                message = world.lied(sender, message, choices)
            case 2:
                message = volunteered(world, sender, choices.pick(seeds.SENT)) or message
            case _:
                message = world.spoilt(sender, message, choices)
        if coordinator:
            world.deliver_to_coordinator(sender, message)
        else:
            world.deliver_to_member(to, message)
        world.check()
    # Refused messages leave everything as it was, so the world serves again.
    if untouched == len(world.aggregator_events) + sum(map(len, world.member_events.values())):
        _CACHED[coordinator, stage] = world


def _world(data: bytes) -> None:
    """Everything that may happen to a consortium, then honesty."""
    choices = Choices(data)
    world = HostileWorld(3 + choices.below(3))
    steps: tuple[Callable[[str], object], ...] = (
        lambda member: world.run(),
        lambda member: world.ask(1 + choices.below(5), b"{}"),
        lambda member: world.answer_whole(),
        lambda member: world.answer(member, 1 + choices.below(4)),
        lambda member: world.deliver(choices.below(256)),
        lambda member: world.lose(choices.below(256)),
        lambda member: world.repeat(choices.below(256)),
        lambda member: world.misdirect(choices.below(256), member),
        lambda member: world.spoil(choices.below(256), choices),
        lambda member: world.cut(member),
        lambda member: world.reconnect(member),
        lambda member: world.restart(member),
        lambda member: world.decline(member),
        lambda member: world.pass_time(choices.below(256)),
        lambda member: world.pass_time(max(0.0, (world.aggregator.next_deadline or 0.0) - world.now)),
        lambda member: world.lie_in_wait(choices.pick(seeds.SENT), "lose", choices.below(4), choices),
        lambda member: world.leave(member),
        lambda member: world.rebuild(),
    )
    for _ in range(60):
        if choices.empty:
            break
        choices.pick(steps)(choices.pick(world.names))
        world.check()
    world.settle()
    world.check()


def _world_seeds() -> list[bytes]:
    round_trip = bytes([0, 0, 1, 0, 4, 0, 0, 2, 0, 0, 0])
    return [b"\0" + round_trip * 2, b"\2" + round_trip, b"\1\0\0\1\0\3\0\0\3\1\3\3\2\3\0\0\16\0\0\0\16\0\0\0"]


def _participant(data: bytes) -> None:
    _machine(data, coordinator=False)


def _aggregator(data: bytes) -> None:
    _machine(data, coordinator=True)


def _machine_seeds() -> list[bytes]:
    return [bytes([stage, *range(place, place + 30)]) for stage in range(len(seeds.STAGES)) for place in (0, 19)]


def _contributions_seeds() -> list[bytes]:
    return [bytes([task, kind, *range(9)]) for task in range(3) for kind in range(2)]


def _plain_seeds() -> list[bytes]:
    return [bytes([kind, *range(place, place + 20)]) for kind in range(6) for place in (0, 7, 19)]


TARGETS: dict[str, Target] = {
    "contributions": Target(agreed.contributions, _contributions_seeds),
    "enrolments": Target(agreed.enrolments, _plain_seeds),
    "histories": Target(agreed.histories, _plain_seeds),
    "receipts": Target(agreed.receipts, _plain_seeds),
    "settings": Target(agreed.settings_texts, _plain_seeds),
    "messages": Target(_messages, _messages_seeds),
    "documents": Target(_documents, _documents_seeds),
    "tasks": Target(_tasks, _tasks_seeds),
    "texts": Target(_texts, _texts_seeds),
    "generator": Target(_generator, _generator_seeds),
    "participant": Target(_participant, _machine_seeds),
    "aggregator": Target(_aggregator, _machine_seeds),
    "world": Target(_world, _world_seeds),
}
