"""A folder of shards while it is drawn: which files are there and right, and the list of them in the end."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from headwater.agreement.documents import Document
from headwater.errors import InputError, StorageError
from headwater.release.hashing import hash_file
from headwater_server.sampling.shards import DrawnShard, Shard, ShardOrder

__all__ = ["SHARD_LIST", "ShardFolder", "ShardList", "order_in"]

SHARD_LIST = "shards.json"
"""Written last: a folder that has it is whole."""

_BEGUN = ".begun.json"
_LOG = ".drawn.jsonl"


class ShardList(Document):
    """What a finished folder holds."""

    format: Literal["headwater-shards/1"] = "headwater-shards/1"
    order: ShardOrder
    rows: int
    shards: tuple[DrawnShard, ...]


def order_in(folder: Path) -> ShardOrder | None:
    """What a folder that was begun, or finished, holds the rows of; None where nothing was begun.

    Raises:
        InputError: what says so was altered.
    """
    whole, begun = folder / SHARD_LIST, folder / _BEGUN
    if whole.is_file():
        return ShardList.from_bytes(whole.read_bytes()).order
    return ShardOrder.from_bytes(begun.read_bytes()) if begun.is_file() else None


class ShardFolder:
    """Keeps, beside the files, which of them are finished, so that another attempt draws only the others."""

    def __init__(self, folder: Path, order: ShardOrder) -> None:
        """Begin a folder, or go on with one of the same order.

        Raises:
            InputError: the folder holds something else, or rows of another order.
            StorageError: it cannot be written.
        """
        self.folder, self._order = folder, order
        try:
            folder.mkdir(parents=True, exist_ok=True)
            begun = folder / _BEGUN
            if begun.is_file() or (folder / SHARD_LIST).is_file():
                self._check_same()
            elif any(folder.iterdir()):
                raise InputError(f"{folder} holds something else than shards; name another folder with --out")
            else:
                begun.write_bytes(order.to_bytes())
        except OSError as error:
            raise StorageError(f"{folder} cannot be written: {error.strerror}; make room or name another") from error

    def finished(self, shards: Sequence[Shard]) -> dict[int, DrawnShard]:
        """Files of an earlier attempt that are there and unchanged, by number; each is read once.

        Args:
            shards: of the order.
        """
        planned = {shard.name: shard for shard in shards}
        found: dict[int, DrawnShard] = {}
        for drawn in self._told():
            shard, path = planned.get(drawn.path), self.folder / drawn.path
            if shard is None or (shard.start, shard.rows) != (drawn.start, drawn.rows) or not path.is_file():
                continue
            if hash_file(path) == (drawn.size_bytes, drawn.sha256):
                found[shard.number] = drawn
        return found

    def add(self, drawn: DrawnShard) -> None:
        """Record a finished file."""
        with (self.folder / _LOG).open("ab") as file:
            file.write(drawn.to_bytes() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def close(self, drawn: Sequence[DrawnShard]) -> ShardList:
        """Write the list of all files, in order; what was kept for another attempt goes."""
        listed = ShardList(order=self._order, rows=sum(each.rows for each in drawn), shards=tuple(drawn))
        draft = self.folder / f".{SHARD_LIST}.part"
        with draft.open("wb") as file:
            file.write(listed.to_bytes())
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.folder / SHARD_LIST)
        for name in (_BEGUN, _LOG):
            (self.folder / name).unlink(missing_ok=True)
        return listed

    def _check_same(self) -> None:
        if order_in(self.folder) != self._order:
            raise InputError(
                f"{self.folder} holds rows of another generator, request or seed; give the same options to go on with "
                "it, or name another folder with --out"
            )

    def _told(self) -> Sequence[DrawnShard]:
        whole, log = self.folder / SHARD_LIST, self.folder / _LOG
        if whole.is_file():
            return ShardList.from_bytes(whole.read_bytes()).shards
        told = []
        for line in log.read_bytes().splitlines() if log.is_file() else ():
            try:
                told.append(DrawnShard.model_validate(json.loads(line)))
            except (ValueError, ValidationError):
                # The last line of an attempt that was cut off.
                break
        return told
