"""What a release gives of its generator: no more than budget, plan and policy let it give, and no other generator."""

import json
from collections.abc import Iterator

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from headwater.errors import InputError, ReleaseRefused
from headwater.evidence.terms import AuditTerms
from headwater.generator import load_generator
from headwater.release import verify_release
from support.honest_audit import use_audit
from support.outlines import outlines
from support.released_run import BUDGET, attempt, finished, release
from support.run_world import RUN, RunWorld


@pytest.fixture(autouse=True, scope="module")
def _honest() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched, outlines():
        use_audit(patched)
        yield


@pytest.fixture(scope="module")
def generous(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunWorld]:
    """A run under a budget whose organisations approved that its generator may be released."""
    world = finished(tmp_path_factory.mktemp("generous"), BUDGET, terms="released")
    yield world
    world.storage.close()


def test_a_released_generator_is_the_one_that_the_rows_are_from(generous: RunWorld) -> None:
    options = ("--balanced", "floor", "--views", "2", "--view-std", "0.3", "--configuration-rows", "301")
    said, folder = release(generous, *options)
    assert "The generator is released: it may be published with the rows" in said
    manifest = verify_release(folder, generous.charter).manifest
    result = generous.storage.result(RUN)
    assert result is not None
    assert (manifest.generator, manifest.provenance.generator_digest) == ("released", result["generator_digest"])
    assert sorted(path.name for path in (folder / "generator").iterdir()) == [
        "bundle.json",
        "encoding.json",
        "generator.safetensors",
    ]
    drawn = load_generator(folder / "generator", manifest.provenance.generator_digest).sample(200, where={"floor": "1"})
    assert drawn.column("floor").unique().to_pylist() == ["1"]
    balanced, views = manifest.configurations
    table = pq.read_table(folder / balanced.path)
    counts = {each["values"]: each["counts"] for each in pc.value_counts(table["floor"].cast("string")).to_pylist()}
    assert balanced.rows == table.num_rows == sum(counts.values()) == 301
    # A third each in expectation: 100 within five standard deviations.
    assert all(60 < count < 141 for count in counts.values())
    assert abs(pc.mean(table["weight"]).as_py() - 1) < 0.2
    pairs = pq.read_table(folder / views.path)
    # Whole groups alone: 301 rows are 150 pairs.
    assert views.rows == pairs.num_rows == 300
    assert pairs["view_id"].to_pylist()[:4] == [0, 1, 0, 1]
    assert "0.3 apart" in views.description


def test_a_release_may_give_less_than_its_plan(generous: RunWorld) -> None:
    for word, terms in (("kept", "kept"), ("on-request", "on request")):
        _, folder = release(generous, "--generator", word)
        manifest = verify_release(folder, generous.charter).manifest
        assert manifest.generator == terms
        assert not (folder / "generator").exists()


def test_a_bundle_that_was_altered_is_not_released(generous: RunWorld) -> None:
    file = generous.home.runs / RUN / "generator" / "bundle.json"
    before = file.read_bytes()
    file.write_bytes(json.dumps(json.loads(before), indent=1).encode())
    try:
        with pytest.raises(InputError, match="was expected"):
            release(generous)
    finally:
        file.write_bytes(before)
    assert not list(generous.home.pending.glob("[!.]*"))


def test_more_than_plan_or_policy_allow_is_refused_before_an_attempt_is_logged(
    generous: RunWorld, tmp_path_factory: pytest.TempPathFactory
) -> None:
    plain = finished(tmp_path_factory.mktemp("plain"), BUDGET)
    for options, reason in (
        (("--generator", "released"), "approved a plan whose generator is kept, released is more"),
        (("--balanced", "floor"), "more rows of a generator that is kept"),
        (("--views", "2"), "more rows of a generator that is kept"),
    ):
        with pytest.raises(ReleaseRefused, match=reason):
            attempt(plain, *options)
    plain.storage.close()
    strict = finished(tmp_path_factory.mktemp("strict"), BUDGET, audit=AuditTerms(policy="strict"), terms="released")
    with pytest.raises(ReleaseRefused, match="policy strict, version 2 lets the generator of this run be at most on r"):
        attempt(strict)
    assert not strict.storage.attempts(RUN)
    strict.storage.close()


def test_nothing_more_than_the_attacked_rows_leaves_without_a_budget(tmp_path_factory: pytest.TempPathFactory) -> None:
    exact = finished(tmp_path_factory.mktemp("exact"), None)
    for options in (("--generator", "released"), ("--generator", "on-request"), ("--views", "2")):
        with pytest.raises(ReleaseRefused, match=r"is more|is kept"):
            attempt(exact, *options)
    assert not exact.storage.attempts(RUN)
    exact.storage.close()
