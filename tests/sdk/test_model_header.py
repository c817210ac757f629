"""The header of a model's file, whatever stands in it."""

import json
import struct

import numpy as np
import pytest
from safetensors.numpy import save

from headwater import model_header
from headwater.errors import InputError
from headwater.model_header import check_version, declares, metadata_of

GOOD = bytes(save({"a": np.zeros(3, np.float32)}, metadata={"kind": "{}"}))


def with_header(document: object) -> bytes:
    header = json.dumps(document).encode()
    return struct.pack("<Q", len(header)) + header


def test_the_texts_of_a_file_are_read() -> None:
    assert metadata_of(GOOD, "thing") == {"kind": "{}"}
    assert declares(GOOD, "kind")
    assert not declares(GOOD, "other")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        GOOD[:7],
        GOOD[:20],
        struct.pack("<Q", 2**63) + GOOD[8:],
        # Whole, but for a length that reaches beyond the data.
        struct.pack("<Q", 99) + with_header({"__metadata__": {"kind": ""}})[8:],
        struct.pack("<Q", 4) + b"\xff\xff\xff\xff",
        with_header([]),
        with_header({}),
        with_header({"__metadata__": 3}),
        struct.pack("<Q", 10**5) + b"[" * 10**5,
    ],
)
def test_what_is_no_file_of_ours_is_named_in_one_line(data: bytes) -> None:
    with pytest.raises(InputError, match="no thing of Headwater; fetch it again"):
        metadata_of(data, "thing")
    assert not declares(data, "kind")


@pytest.mark.parametrize("version", [0, -1, True, 1.0, "1", None])
def test_what_is_no_version_is_none(version: object) -> None:
    with pytest.raises(TypeError):
        check_version({"version": version}, "thing", 2)
    with pytest.raises(KeyError):
        check_version({}, "thing", 2)


def test_a_later_release_s_model_says_what_to_install() -> None:
    assert check_version({"version": 2}, "thing", 2) == 2
    with pytest.raises(InputError, match="thing is of version 3, 2 is read here; install"):
        check_version({"version": 3}, "thing", 2)


def test_a_header_longer_than_any_model_s_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read as JSON it would take a hundred times the file's length, for each kind that a file could be of."""
    monkeypatch.setattr(model_header, "_MOST_HEADER_BYTES", struct.unpack("<Q", GOOD[:8])[0] - 1)
    assert not declares(GOOD, "kind")


def test_a_file_above_its_kind_s_size_is_refused_unread() -> None:
    with pytest.raises(InputError, match="fetch it again"):
        metadata_of(GOOD, "thing", len(GOOD) - 1)
    assert not declares(GOOD, "kind", len(GOOD) - 1)
    assert declares(GOOD, "kind", len(GOOD))


def test_a_text_too_long_to_be_parsed_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_header, "_MOST_HEADER_BYTES", len(GOOD) // 2)
    with pytest.raises(InputError, match="fetch it again"):
        metadata_of(GOOD, "thing")
