"""The Python API against a coordinator on loopback: enrolment, charter, plans, decisions."""

import threading
from pathlib import Path

import pyarrow as pa
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.agreement.charter import Member
from headwater.agreement.signing import public_key_hex
from headwater.errors import InputError, OutOfOrder, PeerError, StorageError
from headwater_client import Organisation
from support.organisations import RUN, EnrolledConsortium

RULE = 'enabled = true\nmaximum_rounds = 200\nminimum_cohort = 3\nallowed_columns = "all"'


def edit_policy(home: Path, before: str, after: str) -> None:
    file = home / "policy.toml"
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after))


def test_enrolment_leaves_settings_policy_and_private_keys(consortium: EnrolledConsortium) -> None:
    home = consortium.homes["org-1"]
    assert {"settings.toml", "policy.toml", "keys", "state.db"} <= {file.name for file in home.iterdir()}
    for key in ("identity.key", "tls.key", "flower.key"):
        assert (home / "keys" / key).stat().st_mode & 0o077 == 0
    with Organisation.open(home) as again:
        assert again.member_id == "org-1"


def test_a_folder_is_enrolled_once(consortium: EnrolledConsortium) -> None:
    token = consortium.coordinator.invite("org-4").to_token()
    with pytest.raises(InputError, match="'org-1' is enrolled"):
        Organisation.enroll(token, consortium.homes["org-1"])


def test_a_wrong_token_leaves_no_settings_behind(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="token"):
        Organisation.enroll("bm90IGEgdG9rZW4", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_used_token_is_refused_and_the_folder_stays_unenrolled(
    consortium: EnrolledConsortium, tmp_path: Path
) -> None:
    token = consortium.coordinator.invite("org-4").to_token()
    Organisation.enroll(token, tmp_path / "first").close()
    with pytest.raises(PeerError, match="used before"):
        Organisation.enroll(token, tmp_path / "second")
    with pytest.raises(InputError, match="enrol first"):
        Organisation.open(tmp_path / "second")


def test_opening_a_folder_of_nobody_says_to_enrol(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="enrol first"):
        Organisation.open(tmp_path)


def test_the_charter_is_in_force_when_everybody_accepted_it(consortium: EnrolledConsortium) -> None:
    first = consortium.organisations["org-1"]
    review = first.charter()
    assert not review.accepted
    assert review.signed.missing_signatures == ("org-1", "org-2", "org-3")
    signed = first.accept_charter(review.signed.charter.digest)
    assert signed.missing_signatures == ("org-2", "org-3")
    assert first.charter().accepted
    with pytest.raises(PeerError, match="not signed by org-2, org-3"):
        first.charter_in_force()
    for member in ("org-2", "org-3"):
        consortium.organisations[member].accept_charter(consortium.charter.digest)
    # The first learns the others' signatures when it needs them.
    assert first.charter_in_force().missing_signatures == ()


def test_the_first_sixteen_digits_in_groups_do(consortium: EnrolledConsortium) -> None:
    digest = consortium.charter.digest
    signed = consortium.organisations["org-1"].accept_charter(f"{digest[:4]} {digest[4:8]} {digest[8:16].upper()}")
    assert "org-1" in signed.signatures


@pytest.mark.parametrize("named", ["", "3f0c", "zz" * 32, "00" * 32])
def test_another_digest_accepts_nothing(consortium: EnrolledConsortium, named: str) -> None:
    organisation = consortium.organisations["org-1"]
    with pytest.raises(InputError, match="digest"):
        organisation.accept_charter(named)
    assert not organisation.charter().accepted
    assert consortium.coordinator.store.signed_charter is not None
    assert not consortium.coordinator.store.signed_charter.signatures


def test_a_charter_that_changes_after_acceptance_is_not_accepted(consortium: EnrolledConsortium) -> None:
    organisation = consortium.organisations["org-1"]
    organisation.accept_charter(consortium.charter.digest)
    other = consortium.propose_charter(consortium="Another")
    assert not organisation.charter().accepted
    with pytest.raises(InputError, match="is pinned here"):
        organisation.accept_charter(other.digest)


def test_a_charter_with_another_key_in_ones_name_is_refused(consortium: EnrolledConsortium) -> None:
    stranger = public_key_hex(Ed25519PrivateKey.generate())
    members = tuple(
        member if member.id != "org-1" else Member(id="org-1", name=member.name, identity_key=stranger)
        for member in consortium.charter.members
    )
    charter = consortium.propose_charter(members=members)
    with pytest.raises(PeerError, match="another key"):
        consortium.organisations["org-1"].accept_charter(charter.digest)


def test_a_charter_of_another_ca_is_refused(consortium: EnrolledConsortium) -> None:
    consortium.propose_charter(ca_digest="00" * 32)
    with pytest.raises(PeerError, match="names CA"):
        consortium.organisations["org-1"].charter()


def test_a_plan_is_shown_approved_and_listed(consortium: EnrolledConsortium) -> None:
    consortium.accept()
    plan = consortium.propose()
    organisation = consortium.organisations["org-1"]
    review = organisation.plan(RUN[:8])
    assert review.proposal.proposal.plan.digest == plan.digest
    assert review.policy.allowed
    assert review.decided is None
    approval = organisation.approve(RUN, plan.digest)
    approval.verify(consortium.charter, review.proposal.proposal)
    [listed] = organisation.runs()
    assert (listed.status.run_id, listed.decided, listed.by_rule) == (RUN, "approve", False)
    assert consortium.coordinator.store.decisions == [approval]


def test_no_plan_is_shown_before_the_charter_is_in_force(consortium: EnrolledConsortium) -> None:
    consortium.propose()
    organisation = consortium.organisations["org-1"]
    with pytest.raises(InputError, match="no charter is accepted"):
        organisation.plan(RUN)
    organisation.accept_charter(consortium.charter.digest)
    with pytest.raises(PeerError, match="not signed by"):
        organisation.plan(RUN)


def test_another_plans_digest_approves_nothing(consortium: EnrolledConsortium) -> None:
    consortium.accept()
    other = consortium.propose(run_id="ab" * 16, seed=3)
    consortium.propose()
    organisation = consortium.organisations["org-1"]
    with pytest.raises(InputError, match="digest"):
        organisation.approve(RUN, other.digest)
    assert consortium.coordinator.store.decisions == []


def test_a_plan_that_the_policy_forbids_cannot_be_approved(consortium: EnrolledConsortium) -> None:
    consortium.accept()
    plan = consortium.propose()
    edit_policy(consortium.homes["org-1"], 'allowed_columns = "all"', 'allowed_columns = ["age"]')
    organisation = consortium.organisations["org-1"]
    with pytest.raises(InputError, match="does not allow: ward, returned"):
        organisation.approve(RUN, plan.digest)
    assert consortium.coordinator.store.decisions == []


def test_a_refusal_counts_here_and_reaches_the_coordinator(consortium: EnrolledConsortium) -> None:
    consortium.accept()
    consortium.propose()
    organisation = consortium.organisations["org-1"]
    organisation.refuse(RUN, "no approval of our board")
    assert organisation.plan(RUN).decided == "refuse"
    assert consortium.coordinator.store.decisions[0].approval.reason == "no approval of our board"


@pytest.mark.parametrize("reason", ["", "  ", "x" * 1001])
def test_a_refusal_needs_a_reason(consortium: EnrolledConsortium, reason: str) -> None:
    with pytest.raises(InputError, match="needs a reason"):
        consortium.organisations["org-1"].refuse(RUN, reason)


@pytest.mark.parametrize("run", ["", "0f", "not-a-run", "0f" * 17])
def test_what_is_no_run_id_is_refused(consortium: EnrolledConsortium, run: str) -> None:
    consortium.accept()
    with pytest.raises(InputError, match="is no run id"):
        consortium.organisations["org-1"].plan(run)


def test_digits_that_begin_two_runs_name_none(consortium: EnrolledConsortium) -> None:
    consortium.accept()
    consortium.propose()
    consortium.propose(run_id=RUN[:16] + "00" * 8)
    with pytest.raises(InputError, match="2 runs begin"):
        consortium.organisations["org-1"].plan(RUN[:8])
    with pytest.raises(InputError, match="no run begins"):
        consortium.organisations["org-1"].plan("ffffffff")


def test_a_proposal_that_the_coordinator_did_not_sign_is_refused(consortium: EnrolledConsortium) -> None:
    consortium.accept()
    consortium.propose()
    store = consortium.coordinator.store
    genuine = store.proposals[RUN]
    store.proposals[RUN] = genuine.model_copy(update={"signature": "00" * 64})
    with pytest.raises(PeerError, match="not signed"):
        consortium.organisations["org-1"].plan(RUN)


def test_nothing_is_approved_by_rule_unless_the_rule_is_enabled(consortium: EnrolledConsortium) -> None:
    consortium.accept()
    consortium.propose()
    consortium.organisations["org-1"].keep_up()
    assert consortium.coordinator.store.decisions == []


def test_the_standing_rule_approves_undecided_runs_once(consortium: EnrolledConsortium) -> None:
    consortium.accept()
    consortium.propose()
    consortium.propose(run_id="ab" * 16, state="finished")
    organisation = consortium.organisations["org-1"]
    edit_policy(consortium.homes["org-1"], "enabled = false", RULE)
    organisation.keep_up()
    organisation.keep_up()
    assert [decision.approval.run_id for decision in consortium.coordinator.store.decisions] == [RUN]
    assert [review.by_rule for review in organisation.runs()] == [True, False]


def test_the_standing_rule_leaves_a_refused_run_refused(consortium: EnrolledConsortium) -> None:
    consortium.accept()
    consortium.propose()
    organisation = consortium.organisations["org-1"]
    organisation.refuse(RUN, "not this one")
    edit_policy(consortium.homes["org-1"], "enabled = false", RULE)
    organisation.keep_up()
    assert organisation.plan(RUN).decided == "refuse"


def test_rows_are_checked_against_the_runs_schema(consortium: EnrolledConsortium) -> None:
    consortium.accept()
    rows = pa.table({"age": [31, 400], "ward": ["north", "east"]})
    organisation = consortium.organisations["org-1"]
    with pytest.raises(InputError, match="no run is proposed"):
        organisation.check(rows)
    plan = consortium.propose()
    problems = organisation.check(rows)
    assert {problem.column for problem in problems} == {"age", "ward", "returned"}
    assert problems == organisation.check(rows, schema=plan.schema_) == organisation.check(rows, run=RUN)
    assert not any("400" in problem.what or "east" in problem.what for problem in problems)


def test_status_tells_what_is_known_while_the_coordinator_is_away(consortium: EnrolledConsortium) -> None:
    consortium.accept()
    consortium.propose()
    organisation = consortium.organisations["org-1"]
    there = organisation.status()
    assert there.reachable
    assert [review.status.run_id for review in there.runs] == [RUN]
    consortium.coordinator.stop_members()
    away = organisation.status()
    assert not away.reachable
    assert "cannot reach" in away.problem
    assert away.charter is not None
    assert away.charter.charter.digest == consortium.charter.digest
    assert not away.serving
    consortium.coordinator.restart_members()


def test_serving_needs_an_accepted_charter(consortium: EnrolledConsortium) -> None:
    with pytest.raises(OutOfOrder, match="no charter is accepted"):
        consortium.organisations["org-1"].serve(pa.table({"age": [1]}), threading.Event())


def test_a_full_disk_leaves_no_half_written_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from headwater_client.settings import write_text_atomically

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "policy.toml").write_text("before")
    monkeypatch.setattr("headwater_client.settings.os.fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        write_text_atomically(tmp_path / "policy.toml", "after")
    assert [file.name for file in tmp_path.iterdir()] == ["policy.toml"]
    assert (tmp_path / "policy.toml").read_text() == "before"
