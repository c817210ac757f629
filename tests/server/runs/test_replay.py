"""What a run leaves on disk, and that a coordinator that was killed goes on from it."""

import json
from pathlib import Path

import numpy as np
import pytest

from headwater.errors import StorageError
from headwater.secagg.crypto.ring import RingVector
from headwater_server.figures.health import draw_health
from headwater_server.runs.record import RunRecorder
from headwater_server.runs.replay import RunJournal, StoredSum
from headwater_server.runs.room import require_room
from headwater_server.storage import BlobStore, RoundEntry, SqlStorage
from support.consortium import ConsortiumInMemory

RUN = "0f" * 16


@pytest.fixture
def storage(tmp_path: Path) -> SqlStorage:
    storage = SqlStorage(f"sqlite:///{tmp_path / 'state.db'}")
    storage.add_run(ConsortiumInMemory().proposal(run_id=RUN))
    return storage


def journal(storage: SqlStorage, tmp_path: Path) -> RunJournal:
    return RunJournal(storage, BlobStore(tmp_path / "blobs"), RUN)


def test_sums_come_back_in_order_bit_for_bit(storage: SqlStorage, tmp_path: Path) -> None:
    vectors: list[RingVector] = [
        np.array([0, 1, 2**32 - 1], np.uint32),
        np.arange(5, dtype=np.uint32),
        np.array([2**40], np.uint64),
    ]
    for vector in vectors:
        journal(storage, tmp_path).add_sum(StoredSum(vector, 3, 4))
    found = journal(storage, tmp_path).sums()
    assert [(total.contributors, total.members) for total in found] == [(3, 4)] * 3
    for vector, total in zip(vectors, found, strict=True):
        assert vector.dtype == total.vector.dtype
        np.testing.assert_array_equal(vector, total.vector)


def test_attempts_count_up_over_restarts(storage: SqlStorage, tmp_path: Path) -> None:
    assert [journal(storage, tmp_path).next_attempt() for _ in range(3)] == [1, 2, 3]


def test_damaged_record_of_a_sum_is_refused(storage: SqlStorage, tmp_path: Path) -> None:
    storage.add_round_entry(RUN, RoundEntry("sum", b"{"))
    with pytest.raises(StorageError, match="damaged"):
        journal(storage, tmp_path).sums()


def test_altered_blob_of_a_sum_is_refused(storage: SqlStorage, tmp_path: Path) -> None:
    journal(storage, tmp_path).add_sum(StoredSum(np.arange(4, dtype=np.uint32), 3, 3))
    (blob,) = (path for path in (tmp_path / "blobs").rglob("*") if path.is_file())
    blob.write_bytes(b"\0" * 16)
    with pytest.raises(StorageError, match="altered"):
        journal(storage, tmp_path).sums()


def test_chain_is_receipts_and_aborts_only(storage: SqlStorage, tmp_path: Path) -> None:
    for kind in ("session", "start", "receipt", "start", "abort"):
        storage.add_round_entry(RUN, RoundEntry(kind, kind.encode()))
    assert list(journal(storage, tmp_path).chain) == [b"receipt", b"abort"]
    assert journal(storage, tmp_path).aborts == 1


def test_a_line_that_a_crash_cut_short_is_written_again(storage: SqlStorage, tmp_path: Path) -> None:
    recorder = RunRecorder(storage, RUN, tmp_path / "run")
    records: list[dict[str, object]] = [{"kind": "setup", "attempt": 1}, {"kind": "ready"}]
    for record in records:
        recorder.add(record)
    file = tmp_path / "run" / "progress.jsonl"
    for damaged in (file.read_bytes()[:-5], file.read_bytes() + b"\xff", b""):
        file.write_bytes(damaged)
        RunRecorder(storage, RUN, tmp_path / "run").restore()
        assert [json.loads(line) for line in file.read_text().splitlines()] == records
    assert [path.name for path in file.parent.iterdir()] == ["progress.jsonl"]


def test_a_record_that_repeats_the_last_is_added_once(storage: SqlStorage, tmp_path: Path) -> None:
    recorder = RunRecorder(storage, RUN, tmp_path / "run")
    for reason in ("full", "full", "damaged", "full"):
        recorder.add_once({"kind": "paused", "reason": reason})
    assert [record["reason"] for _, record in storage.progress(RUN)] == ["full", "damaged", "full"]


def test_a_setup_needs_room_on_the_disk(tmp_path: Path) -> None:
    require_room(tmp_path / "not" / "made" / "yet", needed_bytes=1)
    with pytest.raises(StorageError, match=r"MiB are free on the disk of .*; make room"):
        require_room(tmp_path, needed_bytes=2**60)


def test_health_is_drawn_also_when_a_merge_broke(tmp_path: Path) -> None:
    health = {"entropy_ratio": 0.9, "duplicates": 0.0, "tvd1": 0.1, "top_share_gap": 0.1}
    records = [
        {"kind": "fit", "marginal_loss": 0.2, "health": health},
        {"kind": "merge", "accepted": False, "marginal_loss": float("inf"), "health": {}},
    ]
    draw_health(records, tmp_path / "health.svg")
    text = (tmp_path / "health.svg").read_text()
    assert "Distance from the summed marginals" in text
    draw_health([{"kind": "histograms"}], tmp_path / "none.svg")
    assert not (tmp_path / "none.svg").exists()
