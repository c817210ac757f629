"""Ways to spoil bytes, JSON values and messages: small changes that a parser has to notice or to live with."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import Any

from headwater.errors import InputError
from headwater.secagg.wire.codec import Blob, Bulk, Fixed, Layout, Listing, Number, Text, Tuple
from headwater.secagg.wire.messages import Message
from support.fuzzing.choices import Choices

__all__ = ["damage_bytes", "damage_json", "damage_message", "every_change", "json_bytes"]

_NUMBERS = (0, 1, 2, 3, 0x7F, 0xFF, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**64 - 1)

_VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1,
    2**31,
    2**53 - 1,
    2**53,
    2**63,
    10**30,
    -0.0,
    0.5,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "a",
    "\ud800",
    "\u2028\x00",
    "0" * 64,
    "9" * 5000,
    [],
    {},
    [[]],
    {"": None},
    [0] * 40,
)


def damage_bytes(data: bytes, choices: Choices, pool: Sequence[bytes] = ()) -> bytes:
    """Change one to four places: flips, cuts, copies, odd numbers, parts of other messages."""
    for _ in range(1 + choices.below(4)):
        place, size = choices.below(len(data) + 1), 1 + choices.below(64)
        match choices.below(7):
            case 0:
                flipped = bytes([data[place] ^ (1 + choices.below(255))]) if place < len(data) else b"\0"
                data = data[:place] + flipped + data[place + 1 :]
            case 1:
                data = data[:place]
            case 2:
                data = data[:place] + data[place + size :]
            case 3:
                data = data[: place + size] + data[place:]
            case 4:
                width = choices.pick((1, 4, 8))
                number = choices.pick(_NUMBERS) % 256**width
                data = data[:place] + number.to_bytes(width, "big") + data[place + width :]
            case 5:
                data = data[:place] + choices.take(size) + data[place:]
            case _ if pool:
                other = choices.pick(pool)
                data = data[:place] + other[min(place, len(other)) :]
            case _:
                data += b"\0"
    return data


def damage_json(data: bytes, choices: Choices) -> bytes:
    """Change one to three values or keys anywhere in a JSON document, and write it in its shortest form."""
    document = json.loads(data)
    for _ in range(1 + choices.below(3)):
        document = _changed(document, choices)
    return json_bytes(document, sort_keys=choices.below(4) > 0)


def json_bytes(document: Any, *, sort_keys: bool = True) -> bytes:
    """JSON values in their shortest form, lone surrogates included."""
    text = json.dumps(document, separators=(",", ":"), sort_keys=sort_keys, ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")


def every_change(value: Any) -> Iterator[Any]:
    """Each JSON value that differs from this one in one place: every value of the pool put there, or nothing.

    Of the items of a long list only the first four and the last are changed.
    """
    yield from _VALUES
    if type(value) is int:
        yield from (value - 1, value + 1, value + 2**32)
    if isinstance(value, dict):
        for key, part in value.items():
            yield {name: other for name, other in value.items() if name != key}
            yield from (value | {key: changed} for changed in every_change(part))
    if isinstance(value, list):
        for place in sorted({*range(min(4, len(value))), *range(len(value))[-1:]}):
            yield value[:place] + value[place + 1 :]
            yield from ([*value[:place], changed, *value[place + 1 :]] for changed in every_change(value[place]))


def _changed(value: Any, choices: Choices) -> Any:
    if isinstance(value, dict) and value and choices.below(8):
        key = choices.pick(sorted(value))
        match choices.below(10):
            case 0:
                return {name: part for name, part in value.items() if name != key}
            case 1:
                return value | {choices.pick(("x", "", "kind", "version")): choices.pick(_VALUES)}
            case _:
                return value | {key: _changed(value[key], choices)}
    if isinstance(value, list) and value and choices.below(8):
        place = choices.below(len(value))
        match choices.below(6):
            case 0:
                return value[:place] + value[place + 1 :]
            case 1:
                return value + [value[place]]
            case 2:
                return value[::-1]
            case _:
                return [*value[:place], _changed(value[place], choices), *value[place + 1 :]]
    if isinstance(value, int) and choices.below(2):
        return value + choices.pick((-1, 1, 2**32, -(2**32)))
    if isinstance(value, str) and value and choices.below(2):
        return value[:-1] + choices.pick(("", "0", "é", value))
    return choices.pick(_VALUES)


def damage_message(message: Message, choices: Choices, pool: Sequence[Message]) -> Message | None:
    """The message with one field changed within its layout, or taken from another one of its type; None: no such."""
    place = choices.below(len(message.LAYOUT))
    name = fields(message)[place].name
    others = [other for other in pool if type(other) is type(message)]
    if others and choices.below(3) == 0:
        value = getattr(choices.pick(others), name)
    else:
        value = _varied(message.LAYOUT[place], getattr(message, name), choices)
    changed = replace(message, **{name: value})
    try:
        changed.encode()
    except InputError:
        return None
    return changed


def _varied(layout: Layout, value: Any, choices: Choices) -> Any:
    match layout:
        case Number(maximum):
            return choices.pick((value + 1, max(0, value - 1), 0, 1, maximum, value + 2))
        case Fixed(size) if not size:
            return value
        case Fixed() | Blob() | Bulk():
            value = bytes(value)
            place = choices.below(max(1, len(value)))
            # Never the byte that stands there: a change that changes nothing is none.
            other = value[place] ^ (1 + choices.below(255)) if value else choices.below(256)
            return value[:place] + bytes([other]) + value[place + 1 :]
        case Text():
            return choices.pick((value[:-1], value + "a", "", "org-0"))
        case Tuple(items):
            place = choices.below(len(items))
            return tuple(
                _varied(item, part, choices) if at == place else part
                for at, (item, part) in enumerate(zip(items, value, strict=True))
            )
        case Listing(item):
            place = choices.below(max(1, len(value)))
            match choices.below(4):
                case 0:
                    return value[:place] + value[place + 1 :]
                case 1:
                    return value[:place] + value[place : place + 1] + value[place:]
                case 2:
                    return tuple(reversed(value))
                case _ if value:
                    return (*value[:place], _varied(item, value[place], choices), *value[place + 1 :])
                case _:
                    return value
