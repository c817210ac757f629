"""Uploads on their way take no more memory than was allowed, and come back as they were or not at all."""

import errno
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from headwater.errors import StorageError
from headwater.secagg import Aggregator
from headwater.secagg.coordinator.arrival import Arrival
from headwater.secagg.coordinator.spool import Kept
from headwater.secagg.wire.chunks import chunk_message
from headwater.secagg.wire.codec import MAXIMUM_CHUNK
from headwater.secagg.wire.envelope import open_envelope
from headwater.secagg.wire.messages import Chunk
from headwater_server.storage import DiskSpool
from support.network import World

MIB = 2**20
VALUES = MAXIMUM_CHUNK // 4


def files_in(folder: Path) -> list[int]:
    """This process's descriptors of files in a folder, those without a name included."""
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            target = os.readlink(entry)
        except FileNotFoundError:
            continue
        if target.startswith(f"{folder}/"):
            found.append(int(entry.name))
    return found


def whole(descriptor: int) -> bytes:
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0)


@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=30),
    memory=st.integers(0, 200),
    order=st.randoms(use_true_random=False),
)
def test_every_part_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], memory: int, order: object
) -> None:
    spool = DiskSpool(tmp_path_factory.getbasetemp() / "spool", memory)
    held: list[tuple[bytes, Kept]] = []
    for place, size in enumerate(sizes):
        data = bytes([place]) * size
        held.append((data, spool.keep(memoryview(data))))
        if order.random() < 0.4:  # type: ignore[attr-defined]
            held.pop(order.randrange(len(held)))[1].discard()  # type: ignore[attr-defined]
        for expected, kept in held:
            assert kept.read() == expected


def test_a_part_let_go_of_twice_frees_its_place_once(tmp_path: Path) -> None:
    spool = DiskSpool(tmp_path, 10)
    in_memory, in_file = spool.keep(memoryview(b"0123456789")), spool.keep(memoryview(b"9876543210"))
    for kept in (in_memory, in_memory, in_file, in_file):
        kept.discard()
    parts = [spool.keep(memoryview(bytes([place]) * 10)) for place in range(3)]
    assert [bytes(part.read()) for part in parts] == [bytes([place]) * 10 for place in range(3)]
    (descriptor,) = files_in(tmp_path)
    assert len(whole(descriptor)) == 2 * 26


def test_within_the_limit_no_file_is_made(tmp_path: Path) -> None:
    spool = DiskSpool(tmp_path / "spool", 100)
    kept = spool.keep(memoryview(bytes(100)))
    assert not (tmp_path / "spool").exists()
    assert kept.read() == bytes(100)


def test_the_file_has_no_name_and_holds_nothing_readable(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    spool = DiskSpool(folder, 0)
    kept = [spool.keep(memoryview(b"a masked vector " * 100)) for _ in range(2)]
    assert list(folder.iterdir()) == []
    assert folder.stat().st_mode & 0o077 == 0
    (descriptor,) = files_in(folder)
    data = whole(descriptor)
    assert b"masked" not in data
    # The same bytes twice do not look the same: each part has a nonce of its own.
    assert data[:1616] != data[1616:]
    assert os.fstat(descriptor).st_nlink == 0
    for part in kept:
        part.discard()
    assert whole(descriptor) == b""


def test_the_file_ends_with_its_spool(tmp_path: Path) -> None:
    spool = DiskSpool(tmp_path, 0)
    kept = spool.keep(memoryview(b"part"))
    assert len(files_in(tmp_path)) == 1
    del kept, spool
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("damage", ["changed", "cut", "swapped"])
def test_a_part_that_the_disk_altered_is_not_given_back(tmp_path: Path, damage: str) -> None:
    spool = DiskSpool(tmp_path, 0)
    kept = [spool.keep(memoryview(bytes([place]) * 100)) for place in range(2)]
    (descriptor,) = files_in(tmp_path)
    data = whole(descriptor)
    altered = {"changed": bytes([data[0] ^ 1]) + data[1:], "cut": data[:50], "swapped": data[116:] + data[:116]}
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, altered[damage], 0)
    with capture_logs() as logs, pytest.raises(StorageError, match="did not give back what was written"):
        kept[0].read()
    assert [(log["event"], log["folder"]) for log in logs] == [("spool_unreadable", str(tmp_path))]


def test_an_altered_spool_aborts_the_round_and_the_next_round_is_exact(tmp_path: Path) -> None:
    world = World(3, length=1000)
    spool = DiskSpool(tmp_path, 0)
    world.aggregator = Aggregator(world.roster, world.terms(1), world.coordinator_key, now=0.0, spool=spool)
    world.open()
    world.begin()
    world.run(until=lambda: bool(files_in(tmp_path)) and bool(whole(files_in(tmp_path)[0])))
    (descriptor,) = files_in(tmp_path)
    os.pwrite(descriptor, bytes([whole(descriptor)[7] ^ 4]), 7)
    with capture_logs():
        world.run()
    assert world.sums() == []
    assert "did not give back the upload of org-0" in world.aborts()[0].reason
    world.play()
    (event,) = world.sums()
    np.testing.assert_array_equal(event.vector, world.expected(event.contributors))


def test_a_full_disk_is_told_with_its_folder_and_takes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = DiskSpool(tmp_path, 0)
    first = spool.keep(memoryview(b"first" * 20))
    true_pwrite, room = os.pwrite, [30]

    def pwrite(descriptor: int, data: memoryview, offset: int) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = true_pwrite(descriptor, data[: room[0]], offset)
        room[0] -= taken
        return taken

    monkeypatch.setattr(os, "pwrite", pwrite)
    with pytest.raises(StorageError) as told:
        spool.keep(memoryview(b"other" * 20))
    assert f"could not be spooled to {tmp_path}: No space left on device" in str(told.value)
    assert "spool_memory_mib" in str(told.value)
    room[0] = 1000
    second = spool.keep(memoryview(b"again" * 20))
    assert first.read() == b"first" * 20
    assert second.read() == b"again" * 20


def test_a_disk_that_fills_up_costs_one_member_its_upload(tmp_path: Path) -> None:
    # A real limit of the operating system, in a process of its own.
    program = """
import resource, sys
from pathlib import Path
from headwater.errors import StorageError
from headwater_server.storage import DiskSpool

resource.setrlimit(resource.RLIMIT_FSIZE, (2_500_000, 2_500_000))
spool = DiskSpool(Path(sys.argv[1]), 0)
parts = []
try:
    while len(parts) < 5:
        parts.append(spool.keep(memoryview(bytes([len(parts)]) * 2**20)))
except StorageError as error:
    print(len(parts), error)
assert all(part.read() == bytes([place]) * 2**20 for place, part in enumerate(parts))
parts.pop().discard()
assert spool.keep(memoryview(b"x" * 2**20)).read() == b"x" * 2**20
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"2 an upload of 1,048,576 bytes more could not be spooled to {tmp_path}: ")


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match=r"could not be spooled to .*/file/spool: Not a directory"):
        DiskSpool(tmp_path / "file" / "spool", 0).keep(memoryview(b"part"))


@pytest.mark.parametrize("members", [4, 24])
def test_memory_does_not_grow_with_the_members_that_upload_at_once(tmp_path: Path, members: int) -> None:
    chunks, spool, total = 3, DiskSpool(tmp_path, 4 * MIB), np.zeros(3 * VALUES, dtype=np.uint32)
    arrivals = [Arrival(total.nbytes, spool) for _ in range(members)]
    tracemalloc.start()
    try:
        # All members are half way at the same time.
        for index in range(chunks):
            for member, arrival in enumerate(arrivals):
                data = np.full(VALUES, member + index, dtype=np.uint32).data.cast("B")
                arrival.add(Chunk.decode(open_envelope(chunk_message("org-1", 1, index, [data]))))
        for arrival in arrivals:
            arrival.add_to(total)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # The limit, and a few copies of one chunk.
    assert peak < 10 * MIB
    values = sum(range(members))
    assert total[::VALUES].tolist() == [values + index * members for index in range(chunks)]
