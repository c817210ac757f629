"""Bytes that no published file should have: pickles, archives, programs and the like, by their marks."""

import re
from collections.abc import Iterator

__all__ = ["foreign"]

_MARKS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"PK\x03\x04", "a zip archive"),
    (0, b"PK\x05\x06", "a zip archive"),
    (0, b"\x1f\x8b", "gzip"),
    (0, b"BZh", "bzip2"),
    (0, b"\xfd7zXZ\x00", "xz"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (0, b"Rar!\x1a\x07", "a rar archive"),
    (0, b"\x28\xb5\x2f\xfd", "zstd"),
    (0, b"\x04\x22\x4d\x18", "lz4"),
    (257, b"ustar", "a tar archive"),
    (0, b"\x93NUMPY", "a NumPy array"),
    (0, b"\x89HDF\r\n\x1a\n", "HDF5"),
    (0, b"SQLite format 3\x00", "an SQLite database"),
    (0, b"ARROW1", "an Arrow file"),
    (0, b"\x7fELF", "a program"),
    (0, b"MZ\x90", "a program"),
    (0, b"%PDF-", "PDF"),
)
# The end record of a zip archive with the longest comment; a file may be two things at once.
_ZIP_END = b"PK\x05\x06"
_ZIP_END_WITHIN = 22 + 0xFFFF
_PICKLE = "a pickle"
_PROTOCOL = re.compile(rb"\x80[\x02-\x05]")
_FRAME = 0x95
_FRAME_HEADER = 11
_SLICE = 1 << 16
_MOST_OPERATIONS = 400
_CALLS = {"GLOBAL", "STACK_GLOBAL", "INST", "REDUCE", "NEWOBJ", "NEWOBJ_EX", "OBJ", "BUILD"}


def foreign(content: bytes) -> tuple[str, ...]:
    """What a file is, or has inside, that is never published.

    A pickle is told by its opcodes, of which nothing is run: from the first byte on in any protocol, and anywhere in
    protocols 2 to 5 where it calls something or stands in a frame. Compressed bytes resemble one by a chance of less
    than one in a thousand files of a hundred million bytes.

    Args:
        content: the whole file.

    Returns:
        Words for each, such as "a pickle"; empty where there is none.
    """
    found = [words for at, mark, words in _MARKS if content[at : at + len(mark)] == mark]
    if _ZIP_END in content[-_ZIP_END_WITHIN:] and "a zip archive" not in found:
        found.append("a zip archive")
    if _is_text_pickle(content) or any(_is_pickle(content, at) for at in _starts(content)):
        found.append(_PICKLE)
    return tuple(dict.fromkeys(found))


def _starts(content: bytes) -> Iterator[int]:
    return (match.start() for match in _PROTOCOL.finditer(content))


def _is_pickle(content: bytes, at: int) -> bool:
    framed = content[at + 1] >= 4 and content[at + 2 : at + 3] == bytes([_FRAME])
    if framed:
        length = int.from_bytes(content[at + 3 : at + _FRAME_HEADER], "little")
        framed = 2 <= length <= len(content) - at - _FRAME_HEADER
    names, ended, _ = _operations(content[at : at + _SLICE])
    calls = not _CALLS.isdisjoint(names)
    if framed:
        return len(names) >= 3
    if at == 0:
        return ended and len(names) >= 3
    return ended and calls and len(names) >= 4


def _is_text_pickle(content: bytes) -> bool:
    """Protocols 0 and 1 have no mark: the whole file must read as one."""
    if len(content) > _SLICE or not content.rstrip().endswith(b"."):
        return False
    names, ended, end = _operations(content)
    return ended and len(names) >= 3 and end >= len(content.rstrip())


def _operations(content: bytes) -> tuple[list[str], bool, int]:
    """Names of the opcodes from the start on, whether the last one is STOP, and where it ends."""
    # Only reads opcodes; it is the one module of the library that can, and pickle itself is nowhere used.
    import pickletools

    names: list[str] = []
    try:
        for operation, _, place in pickletools.genops(content):
            names.append(operation.name)
            if operation.name == "STOP":
                return names, True, (place or 0) + 1
            if len(names) >= _MOST_OPERATIONS:
                break
    except Exception:  # noqa: BLE001 - whatever these bytes are, they are no pickle from here on
        return names, False, 0
    return names, False, 0
