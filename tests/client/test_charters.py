"""An organisation and the versions of the charter: what it follows, what it accepts, what it never goes back to."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from headwater.agreement.charter import Charter, Member, SignedCharter
from headwater.agreement.session import roster_of
from headwater.agreement.signing import public_key_hex
from headwater.errors import InputError, OutOfOrder, PeerError
from headwater.secagg import Participant
from headwater.secagg.protocol.families import Family
from headwater_client import Organisation
from headwater_client.cli import app
from headwater_client.connectors import ArrowSource
from headwater_client.membership import Membership
from headwater_client.participation import join_run
from headwater_client.transport.aggregation import Participation
from support.offices import rows_of
from support.organisations import RUN, EnrolledConsortium
from support.rpc import RpcCoordinator, shared_loop
from support.succession import following


@pytest.fixture
def four(tmp_path: Path) -> Iterator[EnrolledConsortium]:
    """Four organisations, so that three of them can bring a version in force; version 1 is accepted by all."""
    coordinator = RpcCoordinator(shared_loop())
    consortium = EnrolledConsortium(coordinator, tmp_path, 4)
    consortium.accept()
    yield consortium
    consortium.close()
    coordinator.close()


def propose(four: EnrolledConsortium, **changes: Any) -> Charter:
    """Propose a version after the newest one at the coordinator."""
    newest = four.coordinator.store.signed_charter
    assert newest is not None
    charter = following(newest.charter, **changes)
    signed = SignedCharter(charter=charter, coordinator_signature=charter.signed_by(four.key))
    four.coordinator.store.signed_charter = signed
    return charter


def accepted_by(consortium: EnrolledConsortium, charter: Charter, *members: str) -> None:
    for member in members:
        consortium.organisations[member].accept_charter(charter.digest)


def without(charter: Charter, member_id: str) -> tuple[Member, ...]:
    return tuple(member for member in charter.members if member.id != member_id)


def cli(*arguments: str, typed: str | None = None) -> Result:
    return CliRunner(env={"COLUMNS": "240", "NO_COLOR": "1"}).invoke(app, list(arguments), input=typed)


def test_a_proposed_version_is_shown_with_what_it_changes_and_binds_nobody(four: EnrolledConsortium) -> None:
    second = propose(four, minimum_cohort=4)
    review = four.organisations["org-1"].charter()
    assert (review.signed.charter, review.former) == (second, four.charter)
    assert not review.in_force
    assert review.changes == ("minimum cohort raised from 3 to 4",)
    assert four.organisations["org-1"].charter_in_force().charter == four.charter


def test_a_version_is_in_force_with_the_third_of_four_signatures(four: EnrolledConsortium) -> None:
    second = propose(four, minimum_cohort=4)
    accepted_by(four, second, "org-1", "org-2")
    assert four.organisations["org-1"].charter_in_force().charter == four.charter
    accepted_by(four, second, "org-3")
    for organisation in four.organisations.values():
        assert organisation.charter_in_force().charter == second


def test_who_did_not_accept_follows_but_approves_no_new_run(four: EnrolledConsortium) -> None:
    second = propose(four, consortium="Renamed")
    accepted_by(four, second, "org-1", "org-2", "org-3")
    plan = four.propose(charter_digest=second.digest)
    last = four.organisations["org-4"]
    assert "not accepted here" in last.plan(RUN).waits_for
    with pytest.raises(InputError, match=r"version 2 of the charter is in force and was not accepted here"):
        last.approve(RUN, plan.digest)
    with pytest.raises(InputError, match="new runs wait for it"):
        last.keep_up()
    assert "not accepted here yet" in last.status().charter_standing
    accepted_by(four, second, "org-4")
    last.approve(RUN, plan.digest)
    last.keep_up()
    assert last.status().charter_standing == "version 2: in force"


def test_a_run_of_an_older_version_is_shown_and_no_longer_approved(four: EnrolledConsortium) -> None:
    plan = four.propose()
    four.organisations["org-1"].approve(RUN, plan.digest)
    second = propose(four, minimum_cohort=4)
    accepted_by(four, second, "org-1", "org-2", "org-3")
    assert four.organisations["org-1"].plan(RUN).decided == "approve"
    assert four.organisations["org-1"].plan(RUN).charter == four.charter
    with pytest.raises(InputError, match="proposed under version 1 of the charter, version 2 is in force"):
        four.organisations["org-2"].approve(RUN, plan.digest)
    four.organisations["org-1"].refuse(RUN, "the members changed")


def test_a_coordinator_that_goes_back_is_refused(four: EnrolledConsortium) -> None:
    second = propose(four, minimum_cohort=4)
    accepted_by(four, second, "org-1", "org-2", "org-3")
    organisation = four.organisations["org-4"]
    organisation.charter_in_force()
    store = four.coordinator.store
    newest = store.charters.pop()
    for call in (organisation.charter, organisation.charter_in_force, organisation.keep_up):
        with pytest.raises(PeerError, match="rolled back"):
            call()
    with pytest.raises(PeerError, match="rolled back"):
        organisation.accept_charter(four.charter.digest)
    store.charters.append(newest)
    assert organisation.charter_in_force().charter == second


def test_a_coordinator_that_shows_another_version_is_refused(four: EnrolledConsortium) -> None:
    second = propose(four, minimum_cohort=4)
    accepted_by(four, second, "org-1", "org-2", "org-3")
    organisation = four.organisations["org-1"]
    organisation.keep_up()
    four.coordinator.store.charters.pop()
    other = propose(four, minimum_cohort=3, consortium="Other")
    for call in (organisation.charter, lambda: organisation.accept_charter(other.digest)):
        with pytest.raises(PeerError, match="another version 2 of the charter"):
            call()


def test_a_version_after_one_that_was_never_in_force_is_refused(four: EnrolledConsortium) -> None:
    propose(four, minimum_cohort=4)
    third = propose(four, consortium="Third")
    for call in (four.organisations["org-1"].charter, lambda: four.organisations["org-1"].accept_charter(third.digest)):
        with pytest.raises(PeerError, match="version 2 of the charter is not in force"):
            call()


def test_an_organisation_that_was_away_follows_every_version_in_between(four: EnrolledConsortium) -> None:
    second = propose(four, minimum_cohort=4)
    accepted_by(four, second, "org-1", "org-2", "org-3")
    third = propose(four, colluders=1, minimum_cohort=3)
    review = four.organisations["org-4"].charter()
    # Against version 1, which it accepted last, the third changes nothing.
    assert review.changes == ()
    assert four.organisations["org-1"].charter().changes != ()
    accepted_by(four, third, "org-4", "org-1", "org-2")
    assert four.organisations["org-4"].charter_in_force().charter == third


def test_the_version_in_force_can_be_accepted_while_the_next_is_proposed(four: EnrolledConsortium) -> None:
    second = propose(four, minimum_cohort=4)
    accepted_by(four, second, "org-1", "org-2", "org-3")
    propose(four, consortium="Third")
    last = four.organisations["org-4"]
    last.accept_charter(second.digest)
    last.keep_up()
    assert last.status().charter_standing == "version 2: in force"


def test_a_member_sees_and_signs_its_own_removal_and_is_then_told(four: EnrolledConsortium) -> None:
    second = propose(four, members=without(four.charter, "org-4"))
    leaving = four.organisations["org-4"]
    assert leaving.charter().changes[0] == "removed: ORG-4 (org-4)"
    accepted_by(four, second, "org-4", "org-1", "org-2")
    assert four.organisations["org-1"].charter_in_force().charter == second
    with pytest.raises(PeerError, match="version 2 of the charter does not name 'org-4'"):
        leaving.keep_up()


def test_a_version_that_gives_ones_id_another_key_is_not_accepted(four: EnrolledConsortium) -> None:
    stranger = public_key_hex(Ed25519PrivateKey.generate())
    members = tuple(
        member if member.id != "org-1" else member.model_copy(update={"identity_key": stranger})
        for member in four.charter.members
    )
    second = propose(four, members=members)
    with pytest.raises(PeerError, match="gives 'org-1' another key than this organisation's"):
        four.organisations["org-1"].accept_charter(second.digest)
    assert "has another key" in " ".join(four.organisations["org-2"].charter().changes)


def test_a_second_version_two_is_accepted_only_when_it_is_said_which_one_it_replaces(four: EnrolledConsortium) -> None:
    withdrawn = propose(four, minimum_cohort=4)
    accepted_by(four, withdrawn, "org-1")
    four.coordinator.store.charters.pop()
    other = propose(four, consortium="Other")
    organisation = four.organisations["org-1"]
    assert not organisation.charter().accepted
    with pytest.raises(InputError, match="--instead-of"):
        organisation.accept_charter(other.digest)
    with pytest.raises(InputError, match="digest"):
        organisation.accept_charter(other.digest, instead_of="00" * 32)
    organisation.accept_charter(other.digest, instead_of=withdrawn.digest[:16])
    assert organisation.charter().accepted


def test_the_command_line_says_what_changes_before_it_signs(four: EnrolledConsortium) -> None:
    second = propose(four, members=without(four.charter, "org-4"))
    home = str(four.homes["org-1"])
    words = "removed: ORG-4 (org-4)"
    assert words in cli("charter", "show", "--home", home).output
    asked = cli("charter", "accept", "--home", home, typed="\n" * 3)
    assert words in asked.output
    assert isinstance(asked.exception, InputError)
    signed = cli("charter", "accept", "--digest", second.digest, "--home", home).output
    assert signed.index(words) < signed.index("Accepted charter")
    assert "1 of the 4 members of version 1 have signed version 2; it is not in force yet: 2 more of" in signed
    leaving = cli("charter", "show", "--home", str(four.homes["org-4"])).output
    assert "You are not a member of this version" in leaving


def test_a_newcomer_checks_the_whole_history_before_it_signs(four: EnrolledConsortium, tmp_path: Path) -> None:
    token = four.coordinator.invite("org-5", name="ORG-5").to_token()
    with Organisation.enroll(token, tmp_path / "fifth") as fifth:
        enrolled = four.coordinator.store.members["org-5"]
        newcomer = Member(id="org-5", name="ORG-5", identity_key=enrolled.identity_key)
        with pytest.raises(PeerError, match="does not name 'org-5'"):
            fifth.charter()
        second = propose(four, members=(*four.charter.members, newcomer))
        accepted_by(four, second, "org-1", "org-2", "org-3")
        # More than two thirds have signed; the newcomer itself must, too.
        assert four.organisations["org-1"].charter_in_force().charter == four.charter
        assert fifth.charter().changes[0] == "added: ORG-5 (org-5)"
        store = four.coordinator.store
        first = store.charters[0]
        store.charters[0] = first.model_copy(update={"signatures": dict(list(first.signatures.items())[1:])})
        with pytest.raises(PeerError, match="not signed by org-1"):
            fifth.accept_charter(second.digest)
        store.charters[0] = first
        fifth.accept_charter(second.digest)
        assert fifth.charter_in_force().charter == second
    assert four.organisations["org-1"].charter_in_force().charter == second


def joined(consortium: EnrolledConsortium, member: str) -> tuple[str, list[Participant]]:
    """What an organisation says to a run that ends at once, and with which participants it would have taken part."""
    seen: list[Participant] = []

    def drive(run_id: str, participant: Participant, *rest: object) -> Participation:
        seen.append(participant)
        raise OutOfOrder("the run is over")

    membership = Membership.open(consortium.homes[member])
    try:
        return join_run(membership, ArrowSource(rows_of(member)), drive, RUN, threading.Event()), seen
    finally:
        membership.store.close()


def test_a_run_that_was_approved_goes_on_under_its_own_version_with_the_members_of_then(
    four: EnrolledConsortium,
) -> None:
    plan = four.propose()
    four.organisations["org-1"].approve(RUN, plan.digest)
    second = propose(four, members=without(four.charter, "org-4"))
    accepted_by(four, second, "org-1", "org-2", "org-3")
    assert four.organisations["org-1"].charter_in_force().charter == second
    outcome, (participant,) = joined(four, "org-1")
    assert outcome == "done"
    assert participant._roster == roster_of(four.charter, plan)
    four.organisations["org-1"].refuse(RUN, "org-4 left")
    assert joined(four, "org-1") == ("refused", [])


def test_the_families_of_a_run_are_those_of_the_data_set_in_its_charter(four: EnrolledConsortium) -> None:
    members = (four.charter.members[0].model_copy(update={"data_set": "registry"}), *four.charter.members[1:])
    second = propose(four, members=members)
    words = "takes part with data set 'registry', before 'main'"
    assert words in four.organisations["org-1"].charter().changes[0]
    accepted_by(four, second, "org-1", "org-2", "org-3")
    plan = four.propose(charter_digest=second.digest, aggregation={"on_membership_change": "strict"})
    four.organisations["org-1"].approve(RUN, plan.digest)
    membership = Membership.open(four.homes["org-1"])
    cohorts = {"main": ("org-1", "org-2", "org-3"), "registry": ("org-1", "org-2", "org-3", "org-4")}
    for data_set, cohort in cohorts.items():
        membership.store.record_cohort("ab" * 16, 1, Family(f"counts/{data_set}/train", None), cohort)
    membership.store.close()
    _, (participant,) = joined(four, "org-1")
    assert participant._player._cohorts == {Family("counts/registry/train", None): {cohorts["registry"]}}
