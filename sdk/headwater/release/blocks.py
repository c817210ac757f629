"""Digests of a file's blocks, so that a reader who takes parts of it over a network can check each part."""

import hashlib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from headwater.agreement.documents import Document, HexDigest
from headwater.errors import InputError, ReleaseRefused
from headwater.release.manifest import FileEntry, Manifest, ReleasePath

__all__ = [
    "BLOCKS_SUFFIX",
    "MAXIMUM_BLOCKS_BYTES",
    "BlockDigests",
    "block_bytes_for",
    "blocks_entry",
    "check_block_list",
    "check_blocks",
    "digest_blocks",
    "read_blocks",
]

BLOCKS_SUFFIX = ".blocks.json"
"""What is added to a file's path for the list of its blocks' digests."""

MAXIMUM_BLOCKS_BYTES = 16 * 2**20
"""A larger list is not read; the digests of all blocks that a file may have stay far below."""

_SMALLEST_BLOCK = 1 << 16
_LARGEST_BLOCK = 1 << 26
_USUAL_BLOCKS = 16_384
_MOST_BLOCKS = 1 << 17


def block_bytes_for(size_bytes: int) -> int:
    """The block size for a file: 64 KiB, doubled while there would be more than 16,384 blocks, at most 64 MiB.

    A column of a row group is seldom much smaller than 64 KiB; 16,384 digests are 1.1 MB of JSON, one part in a
    thousand of the 1 GiB that they hold.
    """
    size = _SMALLEST_BLOCK
    while size < _LARGEST_BLOCK and -(-size_bytes // size) > _USUAL_BLOCKS:
        size *= 2
    return size


class BlockDigests(Document):
    """The content of PATH.blocks.json, which stands in the manifest like every file and is signed with it.

    Attributes:
        path: the file, as the manifest names it.
        size_bytes: of the file.
        sha256: of the whole file, as in the manifest.
        block_bytes: size of every block but the last; a power of two.
        blocks: SHA-256 of each block, in order.
    """

    format: Literal["headwater-blocks/1"] = "headwater-blocks/1"
    path: ReleasePath
    size_bytes: int = Field(ge=1, le=2**53 - 1)
    sha256: HexDigest
    block_bytes: int = Field(ge=_SMALLEST_BLOCK, le=_LARGEST_BLOCK)
    blocks: tuple[HexDigest, ...] = Field(min_length=1, max_length=_MOST_BLOCKS)

    @model_validator(mode="after")
    def _check_number(self) -> Self:
        if self.block_bytes & (self.block_bytes - 1):
            raise ValueError("block_bytes is not a power of two")
        needed = -(-self.size_bytes // self.block_bytes)
        if len(self.blocks) != needed:
            raise ValueError(f"{self.size_bytes} bytes have {needed} blocks of {self.block_bytes}, not this many")
        return self

    @classmethod
    def of(cls, file: Path, path: str) -> Self:
        """Of a file on disk, under the path that the manifest gives it; read once.

        Raises:
            InputError: the file is empty.
        """
        block_bytes = block_bytes_for(file.stat().st_size)
        size, digest, blocks = digest_blocks(file, block_bytes)
        if size == 0:
            raise InputError(f"{path} is empty, so it has no block; write its rows first")
        return cls(path=path, size_bytes=size, sha256=digest, block_bytes=block_bytes, blocks=tuple(blocks))

    def check(self, index: int, block: bytes | bytearray | memoryview) -> None:
        """Hold the bytes of one block to its digest.

        Raises:
            ReleaseRefused: they are others than were signed.
        """
        if hashlib.sha256(block).hexdigest() != self.blocks[index]:
            raise ReleaseRefused(
                f"{self.path} at byte {index * self.block_bytes:,} is not what was signed; nothing of it was used, "
                "tell the consortium if it happens again"
            )


def digest_blocks(file: Path, block_bytes: int) -> tuple[int, str, Sequence[str]]:
    """(size in bytes, SHA-256 of the whole, SHA-256 of each block) of a file of any size, in one pass."""
    whole = hashlib.sha256()
    blocks: list[str] = []
    size = 0
    with file.open("rb") as opened:
        while block := opened.read(block_bytes):
            whole.update(block)
            blocks.append(hashlib.sha256(block).hexdigest())
            size += len(block)
    return size, whole.hexdigest(), blocks


def blocks_entry(manifest: Manifest, path: str) -> FileEntry | None:
    """The manifest's entry of the list of a file's blocks; None for a release without it."""
    return manifest.file(f"{path}{BLOCKS_SUFFIX}")


def check_blocks(folder: Path, manifest: Manifest, absent: Collection[str] = ()) -> None:
    """Hold every list of blocks in a release folder to the file that it is about.

    Who reads a file in parts holds them to this list alone: a list of other blocks than the file's would give rows
    that nobody audited to everybody who does not read the whole file.

    Args:
        folder: of the release; each file is the one that the manifest lists.
        manifest: of the release.
        absent: paths of files that are not in the folder, whose lists were held to them before.

    Raises:
        ReleaseRefused: a list does not say what its file holds, or is of no file of the release.
    """
    for listed in manifest.files:
        if listed.path.endswith(BLOCKS_SUFFIX) and listed.path.removesuffix(BLOCKS_SUFFIX) not in absent:
            check_block_list(folder, manifest, listed.path)


def check_block_list(folder: Path, manifest: Manifest, path: str) -> None:
    """Hold one list of blocks to the file that it is about.

    Args:
        folder: with both.
        manifest: of the release.
        path: of the list.

    Raises:
        ReleaseRefused: as `check_blocks`.
    """
    entry = manifest.file(path.removesuffix(BLOCKS_SUFFIX))
    if entry is None:
        raise ReleaseRefused(f"{path} is of no file of the release; tell the consortium")
    with (folder / path).open("rb") as file:
        blocks = read_blocks(file.read(MAXIMUM_BLOCKS_BYTES + 1), entry)
    _, _, found = digest_blocks(folder / entry.path, blocks.block_bytes)
    if tuple(found) != blocks.blocks:
        raise ReleaseRefused(f"{path} does not say what {entry.path} holds; tell the consortium")


def read_blocks(data: bytes, entry: FileEntry) -> BlockDigests:
    """Read a list whose own digest was checked, and hold it to the manifest's entry of the file.

    Args:
        data: content of the list.
        entry: of the file that it is about.

    Raises:
        ReleaseRefused: it is no such list, or of another file.
    """
    try:
        if len(data) > MAXIMUM_BLOCKS_BYTES:
            raise InputError(f"it has more than {MAXIMUM_BLOCKS_BYTES:,} bytes")
        listed = BlockDigests.from_bytes(data)
    except InputError as error:
        raise ReleaseRefused(f"the list of blocks of {entry.path} cannot be used ({error}); tell the consortium") from (
            error
        )
    if (listed.path, listed.size_bytes, listed.sha256) != (entry.path, entry.size_bytes, entry.sha256):
        raise ReleaseRefused(f"the list of blocks of {entry.path} is of another file; tell the consortium")
    return listed
