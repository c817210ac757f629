"""docs/protocol.md read as data: clauses with their evidence, attacks, and the table of messages."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from headwater.secagg.wire.codec import Blob, Bulk, Fixed, Layout, Listing, Number, Text, Tuple
from headwater.secagg.wire.messages import Message

__all__ = [
    "ROOT",
    "Evidence",
    "MessageRow",
    "attack_rows",
    "clause_evidence",
    "field_words",
    "message_rows",
    "missing_paths",
    "missing_tests",
    "section",
    "table_rows",
]

ROOT = Path(__file__).resolve().parents[2]

_CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Evidence:
    """What stands under one clause.

    Attributes:
        files: paths of the code that enforces it.
        tests: (path, name) of the tests that show it.
    """

    files: tuple[str, ...]
    tests: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class MessageRow:
    """One line of the table of messages."""

    number: int
    name: str
    way: str
    fields: str
    signed_by: str


def section(text: str, title: str) -> str:
    """The part under a heading of the second level, up to the next one."""
    return text.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def clause_evidence(text: str) -> dict[str, Evidence]:
    """Clause number → its evidence; a clause without any has empty tuples."""
    parts = re.split(r"^### (\d+\.\d+) .*$", text, flags=re.MULTILINE)
    return {number: _evidence(body.split("\n## ", 1)[0]) for number, body in zip(parts[1::2], parts[2::2], strict=True)}


def table_rows(text: str) -> Iterator[list[str]]:
    """The cells of each line of the tables in a text, headings left out."""
    lines = text.splitlines()
    for place, line in enumerate(lines):
        following = lines[place + 1] if place + 1 < len(lines) else ""
        if line.startswith("|") and not re.match(r"^\|[ |-]+$", line) and not re.match(r"^\|[ |-]+$", following):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def attack_rows(text: str) -> dict[int, tuple[str, ...]]:
    """Number of an attack → the paths that show it."""
    return {int(cells[0]): tuple(_CODE.findall(cells[2])) for cells in table_rows(section(text, "7 Attacks"))}


def message_rows(text: str) -> dict[str, MessageRow]:
    """Name of a message type → its line."""
    table = section(text, "8 Messages").split("\nA whole message ", 1)[0]
    rows = (MessageRow(int(cells[0]), *cells[1:]) for cells in table_rows(table))
    return {row.name: row for row in rows}


def field_words(kind: type[Message]) -> str:
    """The fields of a message with their limits, as the table has them."""
    return ", ".join(f"{field.name} {_words(layout)}" for field, layout in zip(fields(kind), kind.LAYOUT, strict=True))


def missing_paths(paths: Iterator[str]) -> list[str]:
    """Those that no file has."""
    return sorted({path for path in paths if not (ROOT / path).is_file()})


def missing_tests(tests: Iterator[tuple[str, str]]) -> list[str]:
    """Those that the named file does not define."""
    missing = set()
    for path, name in tests:
        file = ROOT / path
        source = file.read_text(encoding="utf-8") if file.is_file() else ""
        if not re.search(rf"^ *(?:async )?def {name}\(", source, flags=re.MULTILINE):
            missing.add(f"{path}: {name}")
    return sorted(missing)


def _evidence(body: str) -> Evidence:
    enforced = "".join(re.findall(r"^<small>Enforced in (.*?)</small>", body, flags=re.MULTILINE | re.DOTALL))
    shown = "".join(re.findall(r"<summary>Shown by these tests</summary>(.*?)</details>", body, flags=re.DOTALL))
    tests, path = [], ""
    for word in _CODE.findall(shown):
        if word.endswith(".py"):
            path = word
        else:
            tests.append((path, word))
    return Evidence(tuple(_CODE.findall(enforced)), tuple(tests))


def _words(layout: Layout) -> str:
    match layout:
        case Number(maximum):
            return f"≤ {_amount(maximum)}"
        case Fixed(size):
            return f"{size} B"
        case Blob(maximum) | Bulk(maximum) | Text(maximum):
            return f"≤ {_size(maximum)}"
        case Tuple(items):
            return f"({', '.join(_words(item) for item in items)})"
        case Listing(item, maximum, key):
            return f"≤ {maximum} {'sorted ' if key else ''}× {_words(item)}"


def _amount(number: int) -> str:
    return f"2^{number.bit_length() - 1}" if number > 4096 and number & (number - 1) == 0 else str(number)


def _size(size: int) -> str:
    for unit, name in ((2**20, "MiB"), (2**10, "KiB")):
        if size % unit == 0:
            return f"{size // unit} {name}"
    return f"{size} B"
