"""`release` of a run that was driven: what is published says of differential privacy what the run's rounds come to."""

import copy
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomlkit

from headwater.agreement.charge import plan_events
from headwater.errors import InputError, OutOfOrder, ReleaseRefused
from headwater.privacy.accountant import spent
from headwater.privacy.words import rounded_up
from headwater.release import verify_release
from headwater.release.privacy_claim import PrivacyClaim
from headwater_server.release import privacy_of
from headwater_server.releasing.folders import ReleaseFolders
from headwater_server.releasing.settling import settle
from headwater_server.runs.candidate import RunEvidence
from headwater_server.services.ports import ReleaseState
from headwater_server.settings import CoordinatorHome, CoordinatorSettings
from headwater_server.storage import SqlStorage
from support.claims import make_claim
from support.honest_audit import found_copies, use_audit, without_power
from support.outlines import outlines
from support.released_run import (
    BUDGET,
    attempt,
    finished,
    last_attempt,
    release,
    sign,
    told,
    waive,
)
from support.run_world import RUN, RunWorld


@pytest.fixture(autouse=True, scope="module")
def _honest() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched, outlines():
        use_audit(patched)
        yield


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunWorld]:
    world = finished(tmp_path_factory.mktemp("private"), BUDGET)
    yield world
    world.storage.close()


def test_a_private_run_is_released_with_what_its_rounds_came_to(private: RunWorld) -> None:
    said, folder = release(private)
    result = private.storage.result(RUN)
    assert result is not None
    claim = PrivacyClaim.model_validate(result["privacy"])
    verification = verify_release(folder, private.charter)
    assert verification.manifest.protection.privacy == claim
    assert verification.replay is not None
    assert verification.replay.epsilon is not None
    assert verification.replay.epsilon <= claim.epsilon <= BUDGET.epsilon
    assert f"Differentially private: ε = {claim.epsilon:g} at δ = 1e-06 for one record, added or removed." in said
    assert "NOT DIFFERENTIALLY PRIVATE" not in said
    card = (folder / "README.md").read_text()
    assert "fitted to noisy counts" in card
    assert "**The coordinator saw noisy sums.**" in card
    names = {path.name for path in folder.iterdir()}
    files = {
        "README.md",
        "SHA256SUMS",
        "attestation.json",
        "audit.json",
        "croissant.json",
        "data.csv.gz",
        "data.parquet",
        "data.parquet.blocks.json",
        "manifest.json",
        "schema.toml",
        "statistics.json",
    }
    assert names == files | {"plots"}
    assert verification.organisations == ("org-1", "org-2", "org-3")
    # Nothing that was counted on real rows left an organisation: what needs them is each one's to judge.
    assert verification.manifest.protection.audit != "none"
    assert {"G4", "G5", "G6"} <= set(verification.manifest.protection.audit.left)
    assert verification.manifest.protection.audit.waived == ("G2", "G3")


def test_a_schema_that_was_read_from_rows_is_said_to_be_outside(private: RunWorld) -> None:
    said, folder = release(private, "--schema-from-rows")
    manifest = verify_release(folder, private.charter).manifest
    assert "Schema read from the rows, outside ε." in said
    assert "**Schema read from the rows, outside ε.**" in (folder / "README.md").read_text()
    assert manifest.unconfirmed_schema
    assert manifest.protection.privacy != "none"
    assert not manifest.protection.privacy.schema_confirmed


def test_rows_drawn_from_a_run_are_told_as_its_release_tells_them(private: RunWorld, tmp_path: Path) -> None:
    result = private.storage.result(RUN)
    assert result is not None
    said = told(private, "sample", RUN[:6], "--rows", "50", "--out", str(tmp_path / "rows.csv"))
    claim = PrivacyClaim.model_validate(result["privacy"])
    assert f"Differentially private: ε = {claim.epsilon:g} at δ = 1e-06 for one record, added or removed." in said
    assert "NOT DIFFERENTIALLY PRIVATE" not in said
    # The very same generator, away from the run's records: nothing shows what it was made of.
    folder = private.home.runs / RUN / "generator"
    said = told(private, "sample", str(folder), "--rows", "50", "--out", str(tmp_path / "others.csv"))
    assert "NOT DIFFERENTIALLY PRIVATE as far as is known: no privacy claim travels with this generator." in said


def test_rows_are_not_drawn_from_a_run_that_claims_less_than_it_cost(private: RunWorld, tmp_path: Path) -> None:
    result = private.storage.result(RUN)
    assert result is not None
    less = dict(result["privacy"]) | {"epsilon": 0.97 * result["privacy"]["epsilon"]}  # type: ignore[index, call-overload]
    private.storage.set_result(RUN, {**result, "privacy": less})
    try:
        with pytest.raises(ReleaseRefused, match="it promises more than it keeps"):
            told(private, "sample", RUN[:6], "--rows", "50", "--out", str(tmp_path / "rows.csv"))
    finally:
        private.storage.set_result(RUN, result)
    assert list(tmp_path.iterdir()) == []


def test_people_who_are_at_one_organisation_alone_have_the_run_s_epsilon_and_no_sum(
    private: RunWorld, tmp_path: Path
) -> None:
    declared = finished(tmp_path, BUDGET, disjoint_people=True)
    _, folder = release(declared)
    verification = verify_release(folder, declared.charter)
    claim = verification.manifest.protection.privacy
    assert claim != "none"
    assert claim.disjoint_people
    # Each organisation's people are charged the same events, and ε is theirs: the largest, not three times as much.
    assert claim.noisy_sums == plan_events(declared.plan)
    assert claim.epsilon == rounded_up(spent(claim.noisy_sums, claim.delta).epsilon)
    assert verification.replay is not None
    assert rounded_up(verification.replay.epsilon or 0.0) == claim.epsilon
    assert "which the charter declares that nobody's are" in (folder / "README.md").read_text()
    _, other = release(private)
    assert "where k of them do, ε is k times as large or more" in (other / "README.md").read_text()
    declared.storage.close()


def test_a_run_without_a_budget_is_released_as_what_it_is(tmp_path: Path) -> None:
    world = finished(tmp_path, None)
    said, folder = release(world)
    drawn = told(world, "sample", RUN[:6], "--rows", "50", "--out", str(tmp_path / "rows.csv"))
    assert "NOT DIFFERENTIALLY PRIVATE. Unsigned, no release." in drawn
    assert "NOT DIFFERENTIALLY PRIVATE" in said
    assert verify_release(folder, world.charter).manifest.protection.privacy == "none"
    world.storage.close()


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> RunWorld:
    """A finished run without a budget, which no test changes."""
    made = finished(tmp_path_factory.mktemp("pattern") / "place", None)
    made.storage.close()
    return made


@pytest.fixture
def world(pattern: RunWorld, tmp_path: Path) -> Iterator[RunWorld]:
    """A finished run without a budget."""
    made = copy.copy(pattern)
    place = tmp_path / "place"
    shutil.copytree(pattern.home.folder.parent, place)
    made.home, made.storage = CoordinatorHome(place / "coordinator"), SqlStorage(f"sqlite:///{place / 'state.db'}")
    settings = CoordinatorSettings(consortium="Test consortium", database=f"sqlite:///{place / 'state.db'}")
    (made.home.folder / "settings.toml").write_text(tomlkit.dumps(settings.model_dump()))
    yield made
    made.storage.close()


def served(world: RunWorld) -> list[str]:
    return sorted(str(path.relative_to(world.home.releases)) for path in world.home.releases.glob("*/*"))


def test_what_passes_waits_and_nothing_is_served(world: RunWorld) -> None:
    status, said = attempt(world)
    assert status == 0
    assert "waits for 3 of 3 signatures; signed by nobody; not decided by org-1, org-2, org-3" in said
    assert f"Attempt 1 at plan {world.plan.name}, all its runs counted" in said
    assert served(world) == []
    with pytest.raises(OutOfOrder, match="waits for signatures already"):
        attempt(world)
    assert len(world.storage.attempts(RUN)) == 1
    digest = said.strip().splitlines()[-1].split()[-1]
    listed = told(world, "releases", columns="40")
    # What has to be typed is whole, however narrow the terminal is.
    assert f"visits/1  {digest[:16]}  waiting; " in listed
    assert f"; run {RUN[:8]}; made " in listed
    assert "visits/1: waits for 3 of 3 signatures" in listed


def test_copies_are_refused_and_the_attempt_stays_on_record(world: RunWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    use_audit(monkeypatch, found_copies)
    evidence = world.home.runs / RUN / "candidate" / "measures.json"
    found = RunEvidence.model_validate_json(evidence.read_bytes())
    changed = tuple(found_copies(measure) for measure in found.measures)
    evidence.write_text(found.model_copy(update={"measures": changed}).model_dump_json())
    status, said = attempt(world, "--description", "never mind")
    assert status == 1
    assert "FAIL under policy demo, version 2: stopped by G6. Nothing was released." in said
    assert not world.storage.releases()
    assert not world.home.pending.exists()
    assert (last_attempt(world).verdict, last_attempt(world).failing) == ("fail", ("G6",))
    # Nobody is asked to answer for other gates: the failure stops the release all the same.
    status, said = attempt(
        world, "--waive", "inconclusive", "--reason", "we like it so much", "--expires", "2099-01-01"
    )
    assert status == 1
    assert "No waiver was prepared: G6 failed, which waiving other gates does not mend." in said
    assert not world.storage.waivers()
    # A failure is nobody's to waive under this policy.
    with pytest.raises(InputError, match="lets nobody waive G6 where it is fail"):
        attempt(world, "--waive", "G6", "--reason", "we like it so much", "--expires", "2099-01-01")


def test_a_figure_that_was_left_out_of_the_evidence_stops_the_release(world: RunWorld) -> None:
    evidence = world.home.runs / RUN / "candidate" / "measures.json"
    found = RunEvidence.model_validate_json(evidence.read_bytes())
    # The policy asks for copies.rare, of which another figure is there.
    kept = tuple(measure for measure in found.measures if measure.subject != "combinations")
    assert len(kept) == len(found.measures) - 1
    evidence.write_text(found.model_copy(update={"measures": kept}).model_dump_json())
    status, _ = attempt(world)
    assert (status, last_attempt(world).verdict, last_attempt(world).failing) == (3, "inconclusive", ("G6",))


def test_what_has_no_power_waits_for_two_organisations_to_answer_for_it(world: RunWorld) -> None:
    evidence = world.home.runs / RUN / "candidate" / "measures.json"
    found = RunEvidence.model_validate_json(evidence.read_bytes())
    changed = tuple(without_power(measure) for measure in found.measures)
    evidence.write_text(found.model_copy(update={"measures": changed}).model_dump_json())
    assert attempt(world)[0] == 3
    said = waive(world, ["G5"], members=("org-2",))
    assert "waiver of G5" in said
    assert attempt(world)[0] == 3
    assert attempt(world)[1].count("approved by org-2 alone") == 1
    waive(world, ["G5"])
    # Who answers for a table under one name has not answered for it under another.
    status, said = attempt(world, name="stays")
    assert status == 3
    assert "no waiver: the waiver of G5 is for visits/1, this would be stays/1; prepare another one" in said
    _, folder = release(world)
    audit = verify_release(folder, world.charter).manifest.protection.audit
    assert audit != "none"
    assert (audit.waived, audit.attempts) == (("G5",), len(world.storage.attempts(RUN)))


def test_a_refusal_is_told_with_its_reason(world: RunWorld) -> None:
    _, said = attempt(world)
    digest = said.strip().splitlines()[-1].split()[-1]
    assert sign(world, digest, "org-2", "refuse").state is ReleaseState.REFUSED
    settle(world.storage, ReleaseFolders(world.home))
    listed = told(world, "releases", "visits")
    assert "visits/1: refused by org-2: 3 of 3 signatures cannot be reached" in listed
    assert "org-2: refuse (org-2 does not want it)" in listed
    assert "attempt 1" in listed
    assert attempt(world)[0] == 0
    assert [record.version for record in world.storage.releases()] == [1, 2]


def test_a_plan_without_an_audit_releases_nothing(tmp_path: Path) -> None:
    world = finished(tmp_path, None, audit="none")
    with pytest.raises(OutOfOrder, match="plan draft --policy NAME"):
        attempt(world)
    assert not world.storage.attempts(RUN)
    world.storage.close()


def test_an_audit_that_broke_off_is_an_attempt_too(world: RunWorld) -> None:
    evidence = world.home.runs / RUN / "candidate" / "measures.json"
    found = RunEvidence.model_validate_json(evidence.read_bytes())
    evidence.write_text(found.model_copy(update={"failed": "sampling broke (KeyError)"}).model_dump_json())
    with pytest.raises(ReleaseRefused, match=r"broke off: sampling broke \(KeyError\)"):
        attempt(world)
    assert last_attempt(world).verdict == "not finished"


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--reason", "because I say so"), "belong to --waive"),
        (("--waive", "G5", "--reason", "short", "--expires", "2099-01-01"), "says why on the card"),
        (("--waive", "G5", "--reason", "a test on few rows", "--expires", "soon"), "expected the waivers' last day"),
        (("--waive", "G5", "--reason", "a test on few rows", "--expires", "2020-01-01"), "is over"),
    ],
)
def test_a_wrong_request_for_a_waiver_is_no_attempt(world: RunWorld, options: tuple[str, ...], line: str) -> None:
    with pytest.raises(InputError, match=line):
        attempt(world, *options)
    assert not world.storage.attempts(RUN)


@pytest.mark.parametrize("stored", ["none", None, {}, {"epsilon": 1.0}])
def test_a_private_plan_is_never_released_as_none(private: RunWorld, stored: object) -> None:
    with pytest.raises(ReleaseRefused, match="does not say what it spent of its budget"):
        privacy_of(private.plan, stored)


def test_a_claim_of_another_budget_or_of_no_budget_is_refused(private: RunWorld) -> None:
    other = json.loads(make_claim().to_bytes())
    with pytest.raises(ReleaseRefused, match="of another budget"):
        privacy_of(private.plan, other)
    with pytest.raises(ReleaseRefused, match="its plan has no budget"):
        privacy_of(private.plan.model_copy(update={"privacy": "none"}), other)
