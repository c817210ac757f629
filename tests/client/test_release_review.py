"""A release that waits, at an organisation: fetched, verified, audited by its own rows, signed or refused."""

import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from headwater.audit.rare_texts import RareTexts
from headwater.errors import InputError, OutOfOrder, PeerError, ReleaseRefused
from headwater.evidence.measure import Measure
from headwater.release import verify_release, writing
from headwater.release.audit_file import PublishedAudit
from headwater.release.blocks import BlockDigests
from headwater.release.card import dataset_card
from headwater.release.evidence import PUBLIC, Scope
from headwater.release.layout import AUDIT, DATA
from headwater.release.policy.waiver import Waiver
from headwater.release.writing import DrawnFigure
from headwater.rpc.v1 import release_pb2
from headwater.schema.table import Table
from headwater.schema.writing import write_csv
from headwater_client import Organisation, release_decisions
from headwater_client.connectors import open_source
from headwater_client.plan_rows import read_rows
from headwater_client.served_rows import keep_served
from headwater_client.settings import Home
from headwater_client.transport import releases
from headwater_server.figures.columns import draw_columns
from headwater_server.releasing import preparing
from headwater_server.releasing.folders import ReleaseFolders
from headwater_server.releasing.settling import settle
from headwater_server.services.ports import WaiverRecord
from support.honest_audit import found_copies, use_audit, without_power
from support.recipes import SCHEMA, small_table
from support.review_world import RUN, World
from support.served import organise


@pytest.fixture(scope="module")
def worlds() -> Iterator[list[World]]:
    """The one that tests share, once a test made it."""
    made: list[World] = []
    yield made
    for world in made:
        world.coordinator.close()


@pytest.fixture
def world(worlds: list[World], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A consortium that tests share, with a release of the test's own: the latest of its name."""
    use_audit(monkeypatch)
    if worlds:
        worlds[0].record = worlds[0].wait()
    else:
        worlds.append(World(tmp_path))
    return worlds[0]


@pytest.fixture
def own_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """One that nobody else has, for what changes a run's standing."""
    use_audit(monkeypatch)
    made = World(tmp_path)
    yield made
    made.coordinator.close()


@pytest.fixture
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The same under a privacy budget, where no figure of rows is in the evidence."""
    use_audit(monkeypatch)
    made = World(tmp_path, private=True)
    yield made
    made.coordinator.close()


def rows_of(folder: Path, seed: int = 1) -> Path:
    file = folder / "rows.csv"
    write_csv(small_table(seed=seed).to_arrow(), file)
    return file


def test_a_pass_of_which_the_self_test_does_not_vouch_is_called_unproven(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missed(measure: Measure) -> Measure:
        return measure.model_copy(update={"value": 0.0}) if measure.check == "controls.biased" else measure

    use_audit(monkeypatch, missed)
    told = organise("release", "review", "visits", "--data", str(rows_of(tmp_path)), home=world.homes["org-2"]).output
    assert "By your own rows: G0 inconclusive; G3 pass; G4 pass, unproven; G5 pass, unproven;" in told, told


def test_what_every_organisation_reviewed_and_signed_is_published(world: World, tmp_path: Path) -> None:
    for member, home in world.homes.items():
        with Organisation.open(home) as organisation:
            review = organisation.review_release("visits", rows_of(tmp_path))
            assert review.own is not None
            assert review.own.failing == ()
            assert review.release.manifest.digest == world.record.release_digest
            signed = organisation.approve_release(f"visits/{world.record.version}", review.release.digest[:16])
            assert signed.decision.member == member
            assert signed.decision.verdicts["G6"] == "pass"
    settle(world.storage, ReleaseFolders(world.home))
    verification = verify_release(world.home.releases / "visits" / str(world.record.version), world.charter)
    assert verification.organisations == ("org-1", "org-2", "org-3")


def test_rows_of_another_organisation_review_nothing(world: World, tmp_path: Path) -> None:
    home = Home(world.homes["org-3"])
    keep_served(home, RUN, read_rows(open_source(small_table(seed=1).to_arrow()), world.plan))
    others = rows_of(tmp_path, seed=5)
    reviewed = organise("release", "review", "visits", "--data", str(others), home=home.folder)
    assert isinstance(reviewed.exception, InputError)
    assert "other rows than took part in run 0a0a0a0a" in str(reviewed.exception)
    assert not (world.folder("org-3") / "audit-internal.json").exists()
    with_others = Table.concat([small_table(50, seed=5), small_table(seed=1)])
    write_csv(with_others.to_arrow(), others)
    reviewed = organise("release", "review", "visits", "--data", str(others), home=home.folder)
    assert "50 rows were added since the run and are left out" in reviewed.output, reviewed.output


def test_own_figures_stay_in_a_file_for_the_owner_alone(world: World, tmp_path: Path) -> None:
    with Organisation.open(world.homes["org-1"]) as organisation:
        organisation.review_release("visits", rows_of(tmp_path))
        signed = organisation.approve_release("visits", world.record.release_digest)
    file = world.folder("org-1") / "audit-internal.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert b"tally" in file.read_bytes()
    sent = signed.to_bytes()
    assert b"tally" not in sent
    assert set(signed.decision.verdicts.values()) <= {"pass", "warn", "fail", "inconclusive", "not applicable"}


def test_an_own_audit_that_fails_keeps_from_signing_unless_somebody_says_why(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_audit(monkeypatch, found_copies)
    with Organisation.open(world.homes["org-2"]) as organisation:
        with pytest.raises(InputError, match="no audit by this organisation's own rows"):
            organisation.approve_release("visits", world.record.release_digest)
        review = organisation.review_release("visits", rows_of(tmp_path))
        assert review.own is not None
        assert review.own.failing == ("G6",)
        with pytest.raises(InputError, match="own audit fails G6"):
            organisation.approve_release("visits", world.record.release_digest)
        signed = organisation.approve_release("visits", world.record.release_digest, "our rows repeat themselves")
    assert (signed.decision.verdicts["G6"], signed.decision.reason) == ("fail", "our rows repeat themselves")


def test_a_log_of_attempts_that_was_begun_anew_is_refused_by_whoever_saw_the_other(world: World) -> None:
    honest = [*world.log]
    with Organisation.open(world.homes["org-1"]) as organisation:
        said = organisation.review_release("visits").attempts
        assert said.startswith(f"{len(honest)} at plan {world.plan.name}, over 1 run; this is the last")
        # The coordinator forgets what it tried, and tries once more.
        world.log = []
        world.record = world.wait()
        for attempt in (
            lambda: organisation.review_release("visits"),
            lambda: organisation.approve_release("visits", world.record.release_digest, "we are in a hurry"),
        ):
            with pytest.raises(ReleaseRefused, match=r"attempt 1 at plan .* an attempt was left out or the log begun"):
                attempt()
    world.log = honest


def test_another_table_than_the_one_that_was_attacked_here_is_not_signed(own_world: World, tmp_path: Path) -> None:
    with Organisation.open(own_world.homes["org-2"]) as organisation:
        organisation._membership.store.keep_attacked(RUN, "ab" * 32)
        with pytest.raises(ReleaseRefused, match="another table was put in its place"):
            organisation.review_release("visits", rows_of(tmp_path))
        with pytest.raises(ReleaseRefused, match="another table was put in its place"):
            organisation.approve_release("visits", own_world.record.release_digest, "it will be fine")


def test_another_digest_than_the_one_that_was_read_is_not_signed(world: World, tmp_path: Path) -> None:
    with Organisation.open(world.homes["org-1"]) as organisation:
        organisation.review_release("visits", rows_of(tmp_path))
        with pytest.raises(InputError, match="has digest"):
            organisation.approve_release("visits", "0123456789abcdef")
    record = world.storage.release(world.record.release_digest)
    assert record is not None
    assert not record.decisions


def test_a_file_that_was_changed_at_the_coordinator_is_noticed(world: World) -> None:
    file = world.home.pending / world.record.release_digest / DATA
    data = bytearray(file.read_bytes())
    data[100] ^= 1
    file.write_bytes(bytes(data))
    with Organisation.open(world.homes["org-1"]) as organisation, pytest.raises(Exception, match="sent another data"):
        organisation.review_release("visits")


def test_a_list_of_other_blocks_than_the_audited_rows_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # Whoever reads columns by range holds them to this list: to rows that nobody attacked, were it believed.
    honest = BlockDigests.of

    def lying(file: Path, path: str) -> BlockDigests:
        listed = honest(file, path)
        return listed.model_copy(update={"blocks": tuple("0" * 64 for _ in listed.blocks)})

    with monkeypatch.context() as patched:
        patched.setattr(BlockDigests, "of", lying)
        world.record = world.wait()
    with (
        world.open(world.homes["org-1"]) as organisation,
        pytest.raises(ReleaseRefused, match=r"data\.parquet\.blocks\.json does not say what data\.parquet holds"),
    ):
        organisation.review_release("visits")


def test_a_card_that_says_more_than_follows_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(writing, "dataset_card", lambda *given: f"{dataset_card(*given)}\nWard 7 had 12 of them.\n")
        patched.setattr(writing, "check_texts", lambda *_given: None)
        world.record = world.wait()
    with (
        world.open(world.homes["org-1"]) as organisation,
        pytest.raises(ReleaseRefused, match=r"README\.md says something else than follows"),
    ):
        organisation.review_release("visits")


def test_an_audit_by_other_settings_than_the_plan_s_is_refused(world: World) -> None:
    world.record = world.wait(settings="a1" * 32)
    with (
        Organisation.open(world.homes["org-1"]) as organisation,
        pytest.raises(ReleaseRefused, match="other settings than those of the approved plan"),
    ):
        organisation.review_release(f"visits/{world.record.version}")


def test_an_audit_of_other_groups_than_the_plan_s_is_refused(world: World) -> None:
    world.record = world.wait(scope=Scope(secrets=("outcome",)))
    with (
        Organisation.open(world.homes["org-1"]) as organisation,
        pytest.raises(ReleaseRefused, match="names other groups, secrets or tasks than the approved plan"),
    ):
        organisation.review_release(f"visits/{world.record.version}")


def test_a_release_of_a_run_that_nobody_here_approved_can_only_be_refused(own_world: World) -> None:
    home = own_world.homes["org-3"]
    with Organisation.open(home) as organisation:
        organisation.refuse(RUN, "we changed our mind")
        with pytest.raises(InputError, match="it can only be refused"):
            organisation.review_release("visits")
        organisation.refuse_release("visits", "we did not approve this run")
        with pytest.raises(OutOfOrder, match="decisions came to an end"):
            organisation.refuse_release("visits", "once more")
    settle(own_world.storage, ReleaseFolders(own_world.home))
    with Organisation.open(own_world.homes["org-1"]) as organisation:
        (status,) = organisation.releases()
        assert status.detail == "refused by org-3: 3 of 3 signatures cannot be reached"
        with pytest.raises(OutOfOrder, match="its files are gone"):
            organisation.review_release("visits")


def test_two_organisations_sign_a_waiver_by_its_digest(world: World) -> None:
    waiver = Waiver(
        gate="G5",
        outcome="inconclusive",
        policy="b0" * 32,
        candidate="ca" * 32,
        release="visits/900",
        reason="a registry of few people",
        expires="2099-01-01T00:00:00Z",
    )
    world.storage.add_waiver(WaiverRecord(waiver.digest, RUN, waiver.to_bytes()))
    said = [organise("release", "waive", waiver.digest[:16], home=world.homes[each]) for each in ("org-1", "org-2")]
    assert "Signed the waiver of G5 for visits/900; signed by org-1, org-2." in said[-1].output, said[-1].output
    again = organise("release", "waive", waiver.digest[:16], home=world.homes["org-2"])
    assert "You had signed the waiver of G5" in again.output
    assert "Nothing changed by signing again." in again.output
    over = waiver.model_copy(update={"release": f"visits/{world.record.version}"})
    world.storage.add_waiver(WaiverRecord(over.digest, RUN, over.to_bytes()))
    listed = organise("release", "waivers", home=world.homes["org-2"]).output
    assert f"{waiver.digest[:16]}  G5 of visits/900" in listed
    assert "signed by org-1, org-2, you among them\n" in listed
    assert f"signed by nobody; over, since visits/{world.record.version} is waiting" in listed
    late = organise("release", "waive", over.digest[:16], home=world.homes["org-2"])
    assert isinstance(late.exception, OutOfOrder)
    assert "this one of G5 is over" in str(late.exception)
    with Organisation.open(world.homes["org-3"]) as organisation:
        signed = next(each for each in organisation.waivers() if each.waiver == waiver)
    assert all(waiver.is_signed_by(world.charter.keys[each], signed.signatures[each]) for each in ("org-1", "org-2"))


def test_the_commands_show_and_sign(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = world.homes["org-1"]
    # What has to be typed is whole and in one line, however narrow the terminal is.
    monkeypatch.setenv("COLUMNS", "40")
    listed = organise("release", "list", home=home)
    assert f"visits/{world.record.version}  {world.record.release_digest[:16]}  waiting; pass" in listed.output
    assert "you said nothing yet\n" in listed.output
    reviewed = organise("release", "review", "visits", "--data", str(rows_of(tmp_path)), home=home)
    assert reviewed.exit_code == 0, reviewed.output
    for line in ("What all organisations' sums say", "for your eyes only", "which only you can read", "To sign:"):
        assert line in reviewed.output.replace("\n", " ")
    assert f"files in {world.folder('org-1') / 'release'}\n" in reviewed.output
    assert f"approve visits/{world.record.version} --digest {world.record.release_digest[:16]}\n" in reviewed.output
    assert "…" not in reviewed.output.replace(" … ", "")
    digest = world.record.release_digest[:16]
    signed = organise("release", "approve", "visits", "--digest", digest, home=home)
    assert f"Signed release {digest}" in signed.output, signed.output
    assert "objection" not in signed.output
    kept = (world.folder("org-1") / "decision.json").read_bytes()
    again = organise("release", "approve", "visits", "--digest", digest, home=home)
    assert f"You approved release {digest} on" in again.output, again.output
    assert "It is waiting: waits for 2 of 3 signatures" in again.output
    assert "Nothing was sent anew." in again.output
    assert (world.folder("org-1") / "decision.json").read_bytes() == kept
    assert (world.folder("org-1") / "release" / AUDIT).is_file()
    assert SCHEMA.digest == world.plan.schema_.digest


def test_a_change_of_mind_before_publication_is_taken_and_told(world: World, tmp_path: Path) -> None:
    home, digest = world.homes["org-1"], world.record.release_digest[:16]
    organise("release", "review", "visits", "--data", str(rows_of(tmp_path)), home=home)
    organise("release", "approve", "visits", "--digest", digest, home=home)
    refused = organise("release", "refuse", "visits", "--reason", "on second thoughts", home=home)
    assert f"Refused release {digest}" in refused.output, refused.output
    assert f"It takes the place of what you said before: You approved release {digest} on" in refused.output
    again = organise("release", "refuse", "visits", "--reason", "on second thoughts", home=home)
    assert "(on second thoughts). Nothing was sent anew." in again.output, again.output
    record = world.storage.release(world.record.release_digest)
    assert record is not None
    assert [each.decision.decision for each in record.decisions] == ["refuse"]


def test_rows_that_decide_nothing_are_no_objection_and_it_is_said(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def few(measure: Measure) -> Measure:
        if measure.check.split(".")[0] in PUBLIC:
            return measure
        return Measure(
            check=measure.check, subject=measure.subject, status="inconclusive", reason="too few rows", needed=1000
        )

    use_audit(monkeypatch, few)
    home = world.homes["org-1"]
    reviewed = organise("release", "review", "visits", "--data", str(rows_of(tmp_path)), home=home)
    line = "Your own rows are too few and decide nothing: that is no objection, as the sums of all organisations were"
    assert line in reviewed.output, reviewed.output
    signed = organise("release", "approve", "visits", "--digest", world.record.release_digest, home=home)
    assert f"{line} judged, and no word for the release either." in signed.output
    assert "Signed release" in signed.output
    with Organisation.open(home) as organisation:
        own = organisation.review_release("visits").own
        said = organisation.said_of_release("visits")
    assert own is not None
    assert own.decides_nothing
    assert own.of_rows == ("G4", "G5", "G6", "G9", "G10", "G11", "G12")
    # What a policy only warns of where it is unclear stops nobody and is not listed.
    assert own.undecided == own.of_rows[:-1]
    assert said is not None
    assert (said.decision.verdicts["G5"], said.decision.reason) == ("inconclusive", "")


def test_under_a_budget_each_organisation_judges_before_it_signs(private: World, tmp_path: Path) -> None:
    assert private.record.verdict == "pass"
    for home in private.homes.values():
        with Organisation.open(home) as organisation:
            with pytest.raises(InputError, match="nobody else can"):
                organisation.approve_release("visits", private.record.release_digest, "we trust the others")
            review = organisation.review_release("visits", rows_of(tmp_path))
            assert review.own is not None
            assert review.own.left == ("G4", "G5", "G6", "G9", "G10", "G11", "G12")
            assert {review.own.verdicts[gate] for gate in review.own.left} == {"pass"}
            signed = organisation.approve_release("visits", private.record.release_digest)
            assert not signed.decision.verdicts
    settle(private.storage, ReleaseFolders(private.home))
    folder = private.home.releases / "visits" / "1"
    verification = verify_release(folder, private.charter)
    assert "G11 and G12: judged by each of the 3 signing organisations on its own rows" in verification.judged_apart
    assert "judged by each of the signing organisations on its own rows" in (folder / "README.md").read_text()


def test_under_a_budget_why_a_failing_release_was_signed_stays_at_home(
    private: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_audit(monkeypatch, found_copies)
    with Organisation.open(private.homes["org-1"]) as organisation:
        organisation.review_release("visits", rows_of(tmp_path))
        with pytest.raises(InputError, match=r"own audit fails G6.*stays in this home"):
            organisation.approve_release("visits", private.record.release_digest)
        signed = organisation.approve_release("visits", private.record.release_digest, "our rows repeat themselves")
    assert b"repeat" not in signed.to_bytes()
    assert not signed.decision.verdicts
    assert (private.folder("org-1") / "despite.txt").read_text() == "our rows repeat themselves\n"


def test_under_a_budget_what_own_rows_cannot_show_is_said_and_signed(
    private: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_audit(monkeypatch, without_power)
    home = private.homes["org-1"]
    reviewed = organise("release", "review", "visits", "--data", str(rows_of(tmp_path)), home=home)
    assert "too few to show" in reviewed.output, reviewed.output
    signed = organise("release", "approve", "visits", "--digest", private.record.release_digest, home=home)
    assert "G5 linkage and inference: linkability: inconclusive; 1,000 trials are needed" in signed.output
    assert "Signed release" in signed.output


def test_an_organisation_scans_every_file_for_rare_texts_of_its_own_rows(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Organisation.open(world.homes["org-1"]) as organisation:
        review = organisation.review_release("visits", rows_of(tmp_path))
        assert review.own is not None
        assert review.own.verdicts["G7"] == "pass"
        # In place of a text that only this organisation has: words that the card says.
        card = (review.release.folder / "README.md").read_text()
        words = " ".join(card.split()[10:14])
        monkeypatch.setattr(release_decisions, "rare_texts", lambda arrow, schema: RareTexts([words]))
        again = organisation.review_release("visits", rows_of(tmp_path))
        assert again.own is not None
        assert again.own.failing == ("G7",)


def test_files_with_an_artefact_beside_the_rows_are_not_put_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn(table: Table, audit: PublishedAudit) -> tuple[tuple[DrawnFigure, ...], tuple[()]]:
        figures = draw_columns(table)
        return (replace(figures[0], content=b"\x80\x04 no picture"), *figures[1:]), ()

    before = [record.version for record in world.storage.releases()]
    monkeypatch.setattr(preparing, "draw_release", drawn)
    with pytest.raises(ReleaseRefused, match=r"plots/.*nothing waits"):
        world.wait()
    assert [record.version for record in world.storage.releases()] == before


@pytest.mark.parametrize("digest", ["../../outside", "a" * 63, "A" * 64, ""])
def test_a_release_whose_digest_is_none_names_no_folder(digest: str) -> None:
    with pytest.raises(PeerError, match="digest is none"):
        releases._status(release_pb2.ReleaseStatus(release_digest=digest, run_id="ab" * 16, name="visits"))
