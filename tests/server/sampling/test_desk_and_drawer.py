"""From a request to a signed file: what is checked, limited, drawn, interrupted, cancelled and swept."""

import datetime
import os
import signal
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from headwater.generator import Between
from headwater.generator.bundle import Bundle
from headwater.generator.table_generator import TableGenerator
from headwater.release.sample_statement import SampleRequest, read_sample_statement
from headwater_server.sampling.desk import Place, result_file
from headwater_server.sampling.jobs import SampleJob, SampleState
from headwater_server.sampling.limits import SampleLimits
from headwater_server.sampling.worker_process import DrawRefused, WorkerProcess
from support.sampled_release import SampledRelease, sampled_release, small_bundle

ENDLESS = SampleRequest(rows=10_000_000)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return small_bundle()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, bundle: Bundle) -> Iterator[SampledRelease]:
    """One coordinator for what does not move its clock; starting a process that draws takes seconds."""
    with sampled_release(
        tmp_path_factory.mktemp("home"), bundle, SampleLimits(jobs_at_once=50, jobs_per_day=50)
    ) as made:
        yield made


def ask(world: SampledRelease, request: SampleRequest, owner: str = "anna") -> str:
    return world.desk.ask(owner, world.signed.manifest, world.folder, request).job_id


def add(world: SampledRelease, request: SampleRequest, owner: str = "anna") -> str:
    """A job without the trial before it, as an earlier coordinator left it."""
    manifest = world.signed.manifest
    job = SampleJob(
        job_id=os.urandom(16).hex(),
        owner=owner,
        name=manifest.name,
        version=1,
        release_digest=manifest.digest,
        request=request.to_bytes(),
        rows=request.rows,
        expected_seconds=4.0,
        created="2026-11-21T11:00:00Z",
    )
    world.storage.add_sample(job)
    return job.job_id


def test_rows_are_those_of_the_generator_and_signed(shared: SampledRelease, bundle: Bundle) -> None:
    request = SampleRequest(rows=9000, where={"age": {"lower": 30, "upper": 50}}, balanced={"outcome": None}, seed=7)
    job_id = ask(shared, request)
    assert shared.drawer.step()
    job = shared.storage.sample(job_id)
    assert job is not None
    assert (job.state, job.rows_done) == (SampleState.DONE, 9000), job.message
    file = shared.desk.result(job)
    signed = read_sample_statement(job.statement)
    said = signed.verify(shared.signed.manifest, shared.consortium.charter.charter.coordinator_key)
    signed.check_file(file)
    assert (said.rows, said.generator, said.release) == (9000, bundle.digest, shared.signed.manifest.digest)
    generator = TableGenerator(bundle.sampler, bundle.encoding, device="cpu")
    expected = generator.sample(9000, where={"age": Between(30, 50)}, balanced="outcome", seed=7)
    assert pq.read_table(file).equals(expected)
    assert not shared.drawer.step()


def test_nobody_else_sees_a_job_or_ends_it(shared: SampledRelease) -> None:
    job_id = ask(shared, SampleRequest(rows=10))
    assert shared.desk.find("bert", job_id) is None
    assert shared.desk.cancel("bert", job_id) is None
    assert shared.desk.find("anna", "0" * 32) is None
    ended = shared.desk.cancel("anna", job_id)
    assert ended is not None
    assert ended.state is SampleState.CANCELLED
    assert not shared.drawer.step()


@pytest.mark.parametrize(
    ("asked", "code", "line"),
    [
        ({"where": {"wardd": "a"}}, "bad_condition", "did you mean 'ward'?"),
        ({"where": {"ward": "z"}}, "bad_condition", "has no category 'z'"),
        ({"where": {"age": "old"}}, "bad_condition", "holds numbers"),
        ({"where": {"age": {"lower": 50, "upper": 30}}}, "bad_condition", "turn it round"),
        ({"where": {"age": {"least": 3}}}, "bad_condition", "write one of them"),
        ({"where": {"age": 41}, "views": 2}, "bad_views", "views are drawn of any row"),
        ({"views": 65}, "bad_views", "65"),
        ({"balanced": "age"}, "bad_balance", "age"),
        ({"balanced": {"outcome": {"ill": 0.9}}}, "bad_balance", "outcome"),
        ({"rows": 10_000_001}, "too_many_rows", "10,000,001 rows are asked for"),
    ],
)
def test_bad_requests_are_refused_with_the_line_of_the_command(
    shared: SampledRelease, asked: dict[str, object], code: str, line: str
) -> None:
    request = SampleRequest.model_validate({"rows": 10} | asked)
    with pytest.raises(DrawRefused, match=r".") as caught:
        ask(shared, request)
    assert (caught.value.code, line in str(caught.value)) == (code, True), str(caught.value)


def test_condition_that_hardly_any_row_meets_is_refused_before_it_waits(shared: SampledRelease) -> None:
    impossible = {"income": {"lower": 1, "upper": 1}, "age": 18, "ward": "a", "stay": 1, "floor": "1"}
    schema = shared.bundle.encoding.schema
    asked = {name: value for name, value in impossible.items() if name in schema.names}
    with pytest.raises(DrawRefused, match="of the generator's rows; at least 1e-06 is expected, widen it") as caught:
        ask(shared, SampleRequest.model_validate({"rows": 10, "where": asked}))
    assert caught.value.code == "impossible_condition"


def test_a_trial_tells_share_seconds_and_bytes(shared: SampledRelease) -> None:
    found = shared.desk.estimate(
        "anna", shared.signed.manifest, shared.folder, SampleRequest(rows=100_000, where={"outcome": "ill"})
    )
    assert 0 < found.share < 1
    assert found.seconds > 0
    assert found.size_bytes > 100_000
    assert len(shared.storage.samples(SampleState.QUEUED)) == 0


class Trying:
    """A process for trials that looks, while it tries one owner's request, what becomes of the next one's."""

    def __init__(self, world: SampledRelease, owners: list[str]) -> None:
        self.world, self.owners = world, owners
        self.codes: list[str] = []

    def ask(self) -> None:
        if not self.owners:
            return
        owner = self.owners.pop(0)
        try:
            self.world.desk.estimate(owner, self.world.signed.manifest, self.world.folder, SampleRequest(rows=1))
        except DrawRefused as refused:
            self.codes.append(f"{owner}: {refused.code}")
            self.ask()

    def obey(self, _order: Mapping[str, object], _seconds: float) -> Mapping[str, object]:
        self.ask()
        said = {"method": "plain", "share": 1.0, "estimated": False, "left_out": 0.0, "acceptance": 1.0}
        return said | {"seconds": 1.0, "size_bytes": 1}


def test_of_each_owner_one_request_is_tried_at_a_time(
    tmp_path: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sampled_release(tmp_path, bundle) as world:
        eight = [f"owner-{number}" for number in range(8)]
        trying = Trying(world, ["owner-0", "owner-0", *eight[1:], "owner-8", "owner-3"])
        monkeypatch.setattr(world.desk, "_measure", trying)
        trying.ask()
        assert trying.codes == ["owner-0: one_at_a_time", "owner-8: busy", "owner-3: one_at_a_time"]
        trying.owners = ["owner-0"]
        trying.ask()
        assert len(trying.codes) == 3, "a place is given back"
        monkeypatch.undo()


def test_kept_generator_is_never_asked(tmp_path: Path, bundle: Bundle) -> None:
    with sampled_release(tmp_path, bundle, terms="kept") as world:
        for refuse in (partial(world.desk.estimate, "anna"), partial(world.desk.ask, "anna")):
            with pytest.raises(DrawRefused, match="kept by the consortium") as caught:
                refuse(world.signed.manifest, world.folder, SampleRequest(rows=1))
            assert caught.value.code == "generator_kept"


def test_limits_are_told_with_their_codes(tmp_path: Path, bundle: Bundle) -> None:
    limits = SampleLimits(jobs_at_once=1, jobs_per_day=3, queue_length=3)
    with sampled_release(tmp_path, bundle, limits) as world:
        first = add(world, SampleRequest(rows=1))
        assert refusal(world) == "too_many_jobs"
        world.desk.cancel("anna", first)
        for _ in range(2):
            world.desk.cancel("anna", add(world, SampleRequest(rows=1)))
        assert refusal(world) == "daily_limit"
        for owner in "xyz":
            add(world, SampleRequest(rows=1), owner)
        assert refusal(world, "bert") == "queue_full"
        world.clock[0] += datetime.timedelta(days=1)
        assert refusal(world) == "queue_full"
        assert [(total.jobs, total.rows) for total in world.storage.sample_totals()] == [(6, 6)]


def refusal(world: SampledRelease, owner: str = "anna") -> str:
    with pytest.raises(DrawRefused) as caught:
        ask(world, SampleRequest(rows=1), owner)
    return caught.value.code


def test_place_and_time_count_those_before(tmp_path: Path, bundle: Bundle) -> None:
    with sampled_release(tmp_path, bundle) as world:
        ids = [add(world, SampleRequest(rows=1000), owner) for owner in "abc"]
        drawn = world.storage.claim_sample("2026-11-21T12:00:00Z")
        assert drawn is not None
        world.storage.sample_progress(ids[0], 500)
        jobs = [world.storage.sample(job_id) for job_id in ids]
        assert [world.desk.place(job) for job in jobs if job] == [Place(0, 2.0), Place(1, 6.0), Place(2, 10.0)]


def test_a_job_that_was_being_drawn_starts_anew_with_the_next_coordinator(tmp_path: Path, bundle: Bundle) -> None:
    with sampled_release(tmp_path, bundle) as world:
        job_id = add(world, SampleRequest(rows=100))
        claimed = world.storage.claim_sample("2026-11-21T12:00:00Z")
        assert claimed is not None
        half = result_file(world.home.samples, claimed)
        half.parent.mkdir(parents=True)
        half.write_bytes(b"half a file")
        world.storage.requeue_samples()
        assert world.drawer.step()
        job = world.storage.sample(job_id)
        assert job is not None
        assert (job.state, job.starts) == (SampleState.DONE, 2)
        assert pq.read_metadata(half).num_rows == 100
        # One that never ends is not begun for ever.
        again = add(world, SampleRequest(rows=100))
        for _ in range(3):
            world.storage.claim_sample("2026-11-21T12:00:00Z")
            world.storage.requeue_samples()
        assert world.drawer.step()
        job = world.storage.sample(again)
        assert job is not None
        assert (job.state, job.code) == (SampleState.FAILED, "interrupted")


def test_a_cancelled_job_stops_being_drawn(tmp_path: Path, bundle: Bundle) -> None:
    with sampled_release(tmp_path, bundle) as world:
        job_id = add(world, ENDLESS)
        told: list[int] = []

        def cancel_after_a_while() -> bool:
            job = world.storage.sample(job_id)
            if job is not None and job.rows_done:
                told.append(job.rows_done)
                world.desk.cancel("anna", job_id)
            return False

        assert world.drawer.step(cancel_after_a_while)
        job = world.storage.sample(job_id)
        assert job is not None
        assert job.state is SampleState.CANCELLED
        assert 0 < told[0] < ENDLESS.rows
        assert not (world.home.samples / job_id).exists()


def test_a_coordinator_that_stops_leaves_the_job_for_the_next(tmp_path: Path, bundle: Bundle) -> None:
    with sampled_release(tmp_path, bundle) as world:
        job_id = add(world, ENDLESS)
        assert world.drawer.step(lambda: True)
        job = world.storage.sample(job_id)
        assert job is not None
        assert job.state is SampleState.DRAWING
        assert not (world.home.samples / job_id).exists()


def test_results_larger_than_their_room_are_not_kept(tmp_path: Path, bundle: Bundle) -> None:
    with sampled_release(tmp_path, bundle, SampleLimits(disk_mib=1)) as world:
        with pytest.raises(DrawRefused, match="would not fit") as caught:
            ask(world, ENDLESS)
        assert caught.value.code == "no_room"


def test_results_are_swept_and_those_who_asked_forgotten(tmp_path: Path, bundle: Bundle) -> None:
    with sampled_release(tmp_path, bundle) as world:
        job_id = add(world, SampleRequest(rows=100))
        world.drawer.step()
        stranger = world.home.samples / "stranger"
        stranger.mkdir()
        world.drawer.sweep()
        assert not stranger.exists()
        assert (world.home.samples / job_id).is_dir()
        world.clock[0] += datetime.timedelta(hours=24)
        world.drawer.sweep()
        assert not (world.home.samples / job_id).exists()
        job = world.storage.sample(job_id)
        assert job is not None
        assert job.state is SampleState.EXPIRED
        world.clock[0] += datetime.timedelta(hours=24)
        world.drawer.sweep()
        assert world.storage.sample(job_id) is None
        assert [total.rows for total in world.storage.sample_totals()] == [100]


def test_a_release_that_is_gone_is_not_drawn_from(tmp_path: Path, bundle: Bundle) -> None:
    with sampled_release(tmp_path, bundle) as world:
        job_id = add(world, SampleRequest(rows=100))
        (world.folder / "manifest.json").unlink()
        world.drawer.step()
        job = world.storage.sample(job_id)
        assert job is not None
        assert (job.state, job.code) == (SampleState.FAILED, "withdrawn")


def test_a_process_keeps_its_limits_and_is_replaced_when_it_ends(shared: SampledRelease) -> None:
    """One test, as every process takes seconds to start."""
    worker = WorkerProcess(512)
    out = shared.home.folder / "rows.parquet"
    order = {
        "bundle": str(shared.home.runs / ("ab" * 16) / "generator"),
        "digest": shared.bundle.digest,
        "request": {"rows": 10, "views": 2},
        "out": str(out),
        "most_bytes": 2**40,
    }
    endless = order | {"request": {"rows": 10_000_000}}
    try:
        done = worker.obey(order, 60)
        assert done is not None
        assert done["rows"] == 10
        first = worker.pid or 0
        assert os.getpriority(os.PRIO_PROCESS, first) >= 10
        with open(f"/proc/{first}/limits") as limits:
            assert "536870912" in next(line for line in limits if line.startswith("Max data size"))
        with pytest.raises(DrawRefused, match="no room") as caught:
            worker.obey(endless | {"most_bytes": 100_000}, 60)
        assert caught.value.code == "no_room"
        assert worker.pid == first
        with pytest.raises(DrawRefused, match="ended early"):
            worker.obey(endless, 60, lambda _rows: os.kill(first, signal.SIGKILL))
        # The next order has a process again; one that takes too long or is not wanted ends it.
        with pytest.raises(DrawRefused, match="took more than 0 s") as caught:
            worker.obey(endless, 0.0)
        assert caught.value.code == "too_slow"
        assert worker.obey(endless, 60, unwanted=lambda: True) is None
        worker.rest(0.0)
        assert worker.pid is None
    finally:
        worker.stop()


def test_a_process_ends_with_its_coordinator(shared: SampledRelease) -> None:
    """A pipe that closes is all that a killed coordinator can say."""
    worker = WorkerProcess(512)
    process = worker._running()
    if process.stdin is None:
        raise OSError("no pipe")
    process.stdin.close()
    assert process.wait(60) == 0
    worker.stop()
