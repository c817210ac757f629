"""Protocol 7, item 13: where randomness comes from, and how often a key is used."""

import ast
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import headwater.secagg
from headwater.secagg import dealing, member_round
from headwater.secagg.keys import Secret
from headwater.secagg.masks import MaskStream
from headwater.secagg.sealing import seal
from support.network import World

PACKAGE = Path(headwater.secagg.__file__).parent


def imported(path: Path) -> Iterator[str]:
    """Names of all modules that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Attribute) and node.attr == "random":
            yield "random"


def test_no_seedable_generator_clock_or_transport_is_near_the_protocol() -> None:
    forbidden = {"random", "time", "datetime", "logging", "socket", "os", "grpc", "torch", "pickle", "asyncio"}
    for path in PACKAGE.glob("*.py"):
        assert not forbidden & {name.split(".")[0] for name in imported(path)}, path.name


def test_no_key_serves_two_masks(monkeypatch: pytest.MonkeyPatch) -> None:
    used: Counter[bytes] = Counter()

    class Recorded(MaskStream):
        def __init__(self, added: Iterable[Secret], subtracted: Iterable[Secret], **ring: int) -> None:
            added, subtracted = list(added), list(subtracted)
            used.update(key.value for key in (*added, *subtracted))
            super().__init__(added, subtracted, **ring)

    monkeypatch.setattr(member_round, "MaskStream", Recorded)
    world = World(4)
    world.open()
    for _ in range(3):
        world.play()
    world.new_attempt()
    for name in world.names:
        world.join(name, last_receipt=world.chain[-1])
    world.run()
    world.play()
    # Four rounds of 4 own masks and 6 pair masks; a pair mask is used by its two ends, with opposite signs.
    assert Counter(used.values()) == {1: 4 * 4, 2: 4 * 6}


def test_no_sealing_key_serves_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    used: Counter[bytes] = Counter()

    def recorded(key: Secret, plain: bytes, associated: bytes) -> bytes:
        used[key.value] += 1
        return seal(key, plain, associated)

    monkeypatch.setattr(dealing, "seal", recorded)
    world = World(4)
    world.open()
    world.play()
    world.disconnect("org-0")
    world.connect("org-0")
    world.run()
    world.play()
    assert set(used.values()) == {1}
    # Three Deals of 4 members: 3 receivers and a bundle each.
    assert len(used) == 3 * 4 * 4


def test_the_package_stands_on_errors_alone() -> None:
    for path in PACKAGE.glob("*.py"):
        ours = {name for name in imported(path) if name.startswith("headwater")}
        assert all(name == "headwater.errors" or name.startswith("headwater.secagg") for name in ours), path.name
