"""Lists of what tests must show, each demand with the tests that show it: that these tests exist."""

import ast
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["Items", "assert_exists", "assert_whole", "names"]

ROOT = Path(__file__).parents[2]

Items = Mapping[int, Mapping[str, Sequence[str]]]
"""Item → what it demands → tests, in the list's own folder unless the path begins at the repository's root."""


def names(items: Items) -> list[str]:
    """Every named test once, in order."""
    return sorted({name for demands in items.values() for tests in demands.values() for name in tests})


def assert_whole(items: Items, count: int) -> None:
    """Every item of a list of so many demands something, and every demand has tests."""
    assert list(items) == list(range(1, count + 1))
    assert all(demands and all(demands.values()) for demands in items.values())


def assert_exists(name: str, folder: str) -> None:
    """A named test is there; `folder` is that of the list, from the repository's root."""
    file, function = name.split("::")
    path = ROOT / file if file.startswith("tests/") else ROOT / folder / file
    assert path.is_file(), path
    assert function in _functions(path)


def _functions(path: Path) -> set[str]:
    return {
        node.name
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }
