"""Find where a file stops being UTF-8 text."""

import codecs
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from headwater.errors import InputError

__all__ = ["check_utf8"]

_BLOCK_BYTES = 1 << 20


def check_utf8(file: Path) -> None:
    """Refuse a file with bytes that are not UTF-8; of a compressed one, what it holds counts.

    Args:
        file: read block by block, whatever its size.

    Raises:
        InputError: it is not UTF-8; the message gives the line and the byte, counted from 1, and no byte's value.
    """
    place = _first_foreign_byte(file)
    if place is not None:
        line, byte = place
        raise InputError(
            f"{file.name} is not UTF-8: line {line:,} (byte {byte:,} of the file) is the first that is not; save it as "
            '"CSV UTF-8", or convert it: iconv -f ENCODING -t UTF-8, where ENCODING is WINDOWS-1252 most often'
        )


def _first_foreign_byte(file: Path) -> tuple[int, int] | None:
    """Line and byte, both from 1, of the first byte that no UTF-8 text has there; None where all is well."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines = before = 0
    for block in _blocks(file):
        # Of a character that is cut in two by blocks, the first bytes wait in the decoder.
        waiting = decoder.getstate()[0]
        try:
            decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            held = waiting + block
            return lines + held.count(b"\n", 0, error.start) + 1, before - len(waiting) + error.start + 1
        lines += block.count(b"\n")
        before += len(block)
    return None


def _blocks(file: Path) -> Iterator[bytes]:
    """What a file holds, block by block, and an empty block where it ends; a file that breaks off ends without one."""
    try:
        with pa.input_stream(str(file)) as stream:
            while block := stream.read(_BLOCK_BYTES):
                yield block
    except (pa.ArrowException, OSError):
        # Whoever reads the whole says better what that is.
        return
    yield b""
