"""Finished rows of a benchmark on the disk, each under a digest of the code and settings that it was measured with."""

import hashlib
import json
import os
import pathlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

__all__ = ["Rows", "code_digest"]

_ROOT = pathlib.Path(__file__).parents[3]


def code_digest(roots: Iterable[pathlib.Path]) -> str:
    """A digest over every Python file under the roots, by path and content, and over single files.

    Paths are taken from the repository's root: a row that was measured in another clone is found.
    """
    hashing = hashlib.sha256()
    for root in roots:
        files = [root] if root.is_file() else sorted(root.rglob("*.py"))
        for file in files:
            content = file.read_bytes()
            hashing.update(f"{os.path.relpath(file, _ROOT)}\0{len(content)}\0".encode())
            hashing.update(content)
    return hashing.hexdigest()


class Rows:
    """Rows by name and settings; one that is there is not measured again."""

    def __init__(self, folder: pathlib.Path, code: str, *, again: bool = False) -> None:
        """Keep rows in `folder`; `again`: measure even what is there."""
        self._folder, self._code, self._again = folder, code, again

    def row(self, name: str, settings: Mapping[str, Any], measure: Callable[[], Any]) -> Any:
        """The row as it was measured with this code and these settings, or as `measure` gives it now.

        Returns:
            What `measure` returned, by way of JSON.
        """
        text = json.dumps({"code": self._code, "name": name, "settings": settings}, sort_keys=True)
        path = self._folder / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
        if path.is_file() and not self._again:
            return json.loads(path.read_text(encoding="utf-8"))["row"]
        row = measure()
        self._folder.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        unfinished.write_text(json.dumps({"settings": settings, "row": row}) + "\n", encoding="utf-8")
        # A stop between the two lines leaves no half row.
        unfinished.replace(path)
        return json.loads(json.dumps(row))
