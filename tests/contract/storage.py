"""What every `Storage` keeps to; a test module gives it the implementation by the fixture `storage`."""

from datetime import UTC, datetime, timedelta

import pytest

from headwater.agreement.troubles import Trouble
from headwater.errors import InputError, OutOfOrder, PeerError, StorageError
from headwater_server.services.ports import EnrolledMember
from headwater_server.storage import RoundEntry, RunState, Storage
from headwater_server.storage.port import TRANSITIONS
from support.consortium import CREATED, ConsortiumInMemory

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
SECRET = "5e" * 32
RUN = "0f" * 16

# A way through the table to each state.
PATHS = {
    RunState.PROPOSED: [],
    RunState.STARTING: [RunState.STARTING],
    RunState.RUNNING: [RunState.STARTING, RunState.RUNNING],
    RunState.STOPPING: [RunState.STARTING, RunState.STOPPING],
    RunState.FINISHED: [RunState.STARTING, RunState.RUNNING, RunState.FINISHED],
    RunState.FAILED: [RunState.STARTING, RunState.FAILED],
    RunState.STOPPED: [RunState.STOPPED],
}


def member(member_id: str = "org-1", name: str = "ORG-1", mark: str = "a") -> EnrolledMember:
    """A member whose keys and certificate are made of `mark`."""
    key, certificate = f"ecdsa-sha2-nistp384 {mark}", b"certificate " + mark.encode()
    return EnrolledMember(member_id, name, mark * 64, key, certificate, mark * 64)


class InvitationContract:
    """Invitations are good once, in time, for whom they were made."""

    def test_an_invitation_makes_a_member(self, storage: Storage) -> None:
        storage.add_invitation(SECRET, "org-1", "ORG-1", NOW + timedelta(hours=1))
        storage.redeem(SECRET, member(), NOW)
        assert list(storage.members()) == [member()]
        assert storage.certificate_sha256("org-1") == "a" * 64

    def test_a_stranger_has_no_certificate(self, storage: Storage) -> None:
        assert storage.certificate_sha256("org-9") is None

    def test_an_invitation_is_good_once(self, storage: Storage) -> None:
        storage.add_invitation(SECRET, "org-1", "ORG-1", NOW + timedelta(hours=1))
        storage.redeem(SECRET, member(), NOW)
        with pytest.raises(PeerError, match="used before"):
            storage.redeem(SECRET, member(mark="b"), NOW)
        assert storage.certificate_sha256("org-1") == "a" * 64

    def test_an_unknown_secret_is_refused(self, storage: Storage) -> None:
        with pytest.raises(PeerError, match="no such invitation"):
            storage.redeem(SECRET, member(), NOW)
        assert not storage.members()

    def test_an_invitation_is_good_until_its_second_and_not_after(self, storage: Storage) -> None:
        storage.add_invitation(SECRET, "org-1", "ORG-1", NOW)
        with pytest.raises(PeerError, match="expired"):
            storage.redeem(SECRET, member(), NOW + timedelta(seconds=1))
        storage.redeem(SECRET, member(), NOW)

    @pytest.mark.parametrize("other", [member("org-2"), member(name="Org-1")])
    def test_an_invitation_of_somebody_else_is_refused_and_stays_good(
        self, storage: Storage, other: EnrolledMember
    ) -> None:
        storage.add_invitation(SECRET, "org-1", "ORG-1", NOW + timedelta(hours=1))
        with pytest.raises(PeerError, match="another member"):
            storage.redeem(SECRET, other, NOW)
        storage.redeem(SECRET, member(), NOW)

    def test_a_new_invitation_makes_the_unused_one_useless(self, storage: Storage) -> None:
        storage.add_invitation(SECRET, "org-1", "ORG-1", NOW + timedelta(hours=1))
        storage.add_invitation("2b" * 32, "org-1", "ORG-1", NOW + timedelta(hours=1))
        with pytest.raises(PeerError, match="no such invitation"):
            storage.redeem(SECRET, member(), NOW)
        storage.redeem("2b" * 32, member(), NOW)

    def test_a_member_that_enrols_anew_replaces_its_certificate(self, storage: Storage) -> None:
        for secret, mark in ((SECRET, "a"), ("2b" * 32, "b")):
            storage.add_invitation(secret, "org-1", "ORG-1", NOW + timedelta(hours=1))
            storage.redeem(secret, member(mark=mark), NOW)
        assert list(storage.members()) == [member(mark="b")]

    def test_members_come_by_id(self, storage: Storage) -> None:
        for number in (2, 1, 3):
            storage.add_invitation(str(number) * 64, f"org-{number}", f"ORG-{number}", NOW)
            storage.redeem(str(number) * 64, member(f"org-{number}", f"ORG-{number}", str(number)), NOW)
        assert [each.member_id for each in storage.members()] == ["org-1", "org-2", "org-3"]


class CharterContract:
    """The newest charter, with the signatures that it has."""

    def test_there_is_none_at_first(self, storage: Storage) -> None:
        assert storage.charter() is None

    def test_a_charter_gathers_its_signatures(self, storage: Storage) -> None:
        world = ConsortiumInMemory()
        signed = world.signed_charter()
        storage.add_charter(world.signed_charter(without=tuple(world.keys)))
        for name, signature in signed.signatures.items():
            storage.add_charter_signature(signed.charter.digest, name, signature)
        kept = storage.charter()
        assert kept is not None
        kept.verify()
        assert kept == signed

    def test_the_same_signature_again_is_the_same_as_once(self, storage: Storage) -> None:
        world = ConsortiumInMemory()
        signed = world.signed_charter()
        storage.add_charter(world.signed_charter(without=tuple(world.keys)))
        storage.add_charter_signature(signed.charter.digest, "org-1", signed.signatures["org-1"])
        after = storage.add_charter_signature(signed.charter.digest, "org-1", signed.signatures["org-1"])
        assert after.missing_signatures == ("org-2", "org-3")

    def test_a_signature_over_another_charter_is_refused(self, storage: Storage) -> None:
        world = ConsortiumInMemory()
        storage.add_charter(world.signed_charter(without=tuple(world.keys)))
        with pytest.raises(OutOfOrder, match="changed meanwhile"):
            storage.add_charter_signature("00" * 32, "org-1", "00" * 64)

    def test_a_forged_signature_leaves_nothing_behind(self, storage: Storage) -> None:
        world = ConsortiumInMemory()
        storage.add_charter(world.signed_charter(without=tuple(world.keys)))
        with pytest.raises(PeerError):
            storage.add_charter_signature(world.charter().digest, "org-1", "00" * 64)
        kept = storage.charter()
        assert kept is not None
        assert not kept.signatures

    def test_a_charter_that_nobody_signed_is_replaced(self, storage: Storage) -> None:
        world = ConsortiumInMemory(4)
        for cohort in (3, 4):
            storage.add_charter(world.signed_charter(without=tuple(world.keys), minimum_cohort=cohort))
        kept = storage.charter()
        assert kept is not None
        assert kept.charter.minimum_cohort == 4

    def test_a_charter_that_a_member_signed_stays(self, storage: Storage) -> None:
        world = ConsortiumInMemory(4)
        signed = world.signed_charter()
        storage.add_charter(world.signed_charter(without=tuple(world.keys)))
        storage.add_charter_signature(signed.charter.digest, "org-1", signed.signatures["org-1"])
        with pytest.raises(OutOfOrder, match="signed charter"):
            storage.add_charter(world.signed_charter(without=tuple(world.keys), minimum_cohort=4))
        kept = storage.charter()
        assert kept is not None
        assert kept.charter.minimum_cohort == 3


class RunContract:
    """Runs, decisions on them, and where they are."""

    def test_a_proposed_run_is_kept_as_it_was_signed(self, storage: Storage) -> None:
        world = ConsortiumInMemory()
        proposal = world.proposal(run_id=RUN)
        storage.add_run(proposal)
        assert storage.proposal(RUN) == proposal
        record = storage.run(RUN)
        assert record is not None
        assert (record.state, record.plan_digest, record.created) == (
            "proposed",
            proposal.proposal.plan.digest,
            CREATED,
        )
        assert (record.rounds_done, record.rounds_planned) == (0, proposal.proposal.plan.maximum_rounds)

    def test_there_is_no_second_run_with_one_id(self, storage: Storage) -> None:
        world = ConsortiumInMemory()
        storage.add_run(world.proposal(run_id=RUN))
        with pytest.raises((OutOfOrder, StorageError)):
            storage.add_run(world.proposal(run_id=RUN))
        assert len(storage.runs()) == 1

    def test_runs_come_oldest_first(self, storage: Storage) -> None:
        world = ConsortiumInMemory()
        ids = ["0c" * 16, "0a" * 16, "0b" * 16]
        for run_id in ids:
            storage.add_run(world.proposal(run_id=run_id))
        assert [record.run_id for record in storage.runs()] == ids
        assert list(storage.runs_in(RunState.PROPOSED)) == ids

    def test_a_run_that_nobody_proposed_is_not_there(self, storage: Storage) -> None:
        assert storage.run(RUN) is None
        assert storage.proposal(RUN) is None
        for ask in (storage.run_state, storage.result):
            with pytest.raises(InputError, match="no run"):
                ask(RUN)

    def test_the_newest_decision_of_each_member_counts(self, storage: Storage) -> None:
        world = ConsortiumInMemory()
        proposal = world.proposal(run_id=RUN)
        storage.add_run(proposal)
        for who, decision in (("org-1", "refuse"), ("org-2", "approve"), ("org-1", "approve")):
            storage.record_decision(world.approval(proposal, who, decision), NOW)
        record = storage.run(RUN)
        assert record is not None
        assert record.decisions == {"org-1": "approve", "org-2": "approve"}
        for approval in storage.approvals(RUN):
            approval.verify(world.charter(), proposal.proposal)

    def test_a_decision_after_the_start_is_refused(self, storage: Storage) -> None:
        world = ConsortiumInMemory()
        proposal = world.proposal(run_id=RUN)
        storage.add_run(proposal)
        storage.move_run(RUN, RunState.STARTING)
        with pytest.raises(OutOfOrder):
            storage.record_decision(world.approval(proposal), NOW)
        assert not storage.approvals(RUN)

    def test_a_decision_on_a_run_that_is_not_there_is_refused(self, storage: Storage) -> None:
        world = ConsortiumInMemory()
        with pytest.raises(InputError):
            storage.record_decision(world.approval(world.proposal(run_id=RUN)), NOW)

    @pytest.mark.parametrize("before", list(RunState))
    @pytest.mark.parametrize("after", list(RunState))
    def test_states_follow_each_other_by_the_table_alone(
        self, storage: Storage, before: RunState, after: RunState
    ) -> None:
        storage.add_run(ConsortiumInMemory().proposal(run_id=RUN))
        for state in PATHS[before]:
            storage.move_run(RUN, state)
        if after in TRANSITIONS[before]:
            storage.move_run(RUN, after, "because")
            record = storage.run(RUN)
            assert record is not None
            assert record.detail == "because"
            assert storage.run_state(RUN) is after
        else:
            with pytest.raises(OutOfOrder, match=f"is {before}"):
                storage.move_run(RUN, after)
            assert storage.run_state(RUN) is before

    def test_members_see_a_start_as_running(self, storage: Storage) -> None:
        storage.add_run(ConsortiumInMemory().proposal(run_id=RUN))
        storage.move_run(RUN, RunState.STARTING)
        record = storage.run(RUN)
        assert record is not None
        assert record.state == "running"


class RecordContract:
    """What a run leaves behind as it goes."""

    def test_round_entries_come_in_the_order_in_which_they_were_stored(self, storage: Storage) -> None:
        storage.add_run(ConsortiumInMemory().proposal(run_id=RUN))
        entries = [RoundEntry("start", b"1"), RoundEntry("receipt", b"\x00\xff"), RoundEntry("start", b"1")]
        for entry in entries:
            storage.add_round_entry(RUN, entry)
        assert list(storage.round_entries(RUN)) == entries
        record = storage.run(RUN)
        assert record is not None
        assert record.rounds_done == 1

    def test_runs_do_not_see_each_others_records(self, storage: Storage) -> None:
        world, other = ConsortiumInMemory(), "0a" * 16
        for run_id in (RUN, other):
            storage.add_run(world.proposal(run_id=run_id))
        storage.add_round_entry(RUN, RoundEntry("start", b"1"))
        storage.add_progress(RUN, {"kind": "fit"})
        assert not storage.round_entries(other)
        assert not storage.progress(other)

    def test_a_record_of_no_run_is_refused(self, storage: Storage) -> None:
        with pytest.raises((InputError, StorageError)):
            storage.add_round_entry(RUN, RoundEntry("start", b"1"))
        assert not storage.round_entries(RUN)

    def test_progress_is_read_on_from_where_one_was(self, storage: Storage) -> None:
        storage.add_run(ConsortiumInMemory().proposal(run_id=RUN))
        for step in range(3):
            storage.add_progress(RUN, {"kind": "update", "step": step, "health": {"tvd1": 0.125}})
        numbers = [number for number, _ in storage.progress(RUN)]
        assert numbers == sorted(set(numbers))
        later = storage.progress(RUN, numbers[0])
        assert [record["step"] for _, record in later] == [1, 2]
        assert later[0][1]["health"] == {"tvd1": 0.125}

    def test_what_a_member_says_again_is_recorded_once(self, storage: Storage) -> None:
        storage.add_run(ConsortiumInMemory().proposal(run_id=RUN))
        for trouble in (Trouble.BROKEN, Trouble.BROKEN, Trouble.ROWS_REFUSED, Trouble.BROKEN):
            storage.record_trouble(RUN, "org-1", trouble)
        storage.record_trouble(RUN, "org-2", Trouble.BROKEN)
        assert [(record["member"], record["trouble"]) for _, record in storage.progress(RUN)] == [
            ("org-1", "broken"),
            ("org-1", "rows-refused"),
            ("org-1", "broken"),
            ("org-2", "broken"),
        ]

    def test_a_member_cannot_fill_the_records_with_its_troubles(self, storage: Storage) -> None:
        storage.add_run(ConsortiumInMemory().proposal(run_id=RUN))
        words = (Trouble.BROKEN, Trouble.NOT_AGREED)
        for number in range(50):
            storage.record_trouble(RUN, "org-1", words[number % 2])
        with pytest.raises(OutOfOrder, match="call the operator"):
            storage.record_trouble(RUN, "org-1", words[0])
        assert len(storage.progress(RUN)) == 50
        storage.record_trouble(RUN, "org-2", Trouble.BROKEN)

    def test_nothing_is_told_of_a_run_that_is_over(self, storage: Storage) -> None:
        storage.add_run(ConsortiumInMemory().proposal(run_id=RUN))
        storage.move_run(RUN, RunState.STOPPED)
        with pytest.raises(OutOfOrder, match="over"):
            storage.record_trouble(RUN, "org-1", Trouble.BROKEN)
        assert not storage.progress(RUN)

    def test_a_result_is_there_once_it_was_set(self, storage: Storage) -> None:
        storage.add_run(ConsortiumInMemory().proposal(run_id=RUN))
        assert storage.result(RUN) is None
        storage.set_result(RUN, {"rows": 416, "privacy": "none"})
        assert storage.result(RUN) == {"rows": 416, "privacy": "none"}
