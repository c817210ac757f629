"""What every `Storage` keeps to about releases; a test module gives it the implementation by the fixture `storage`."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from headwater.audit.canaries.commitment import CanarySecret
from headwater.errors import InputError, OutOfOrder
from headwater_server.services.ports import CanaryOpening, ReleaseRecord, ReleaseState, WaiverRecord
from headwater_server.storage import Storage
from support.consortium import CREATED, ConsortiumInMemory

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
RUN = "0f" * 16
DIGEST, WAIVER = "d1" * 32, "7a" * 32


def world_with_run(storage: Storage, members: int = 3, **charter: Any) -> ConsortiumInMemory:
    """A run under a charter in force."""
    world = ConsortiumInMemory(members)
    signed = world.signed_charter(**charter)
    storage.add_charter(signed.model_copy(update={"signatures": {}}))
    for name, signature in signed.signatures.items():
        storage.add_charter_signature(signed.charter.digest, name, signature)
    storage.add_run(world.proposal(run_id=RUN, charter_digest=signed.charter.digest))
    return world


def waiting(storage: Storage, name: str = "visits", version: int = 1, digest: str = DIGEST) -> ReleaseRecord:
    """A release that waits, recorded."""
    charter = storage.charter_in_force()
    assert charter is not None
    record = ReleaseRecord(
        digest, RUN, charter.charter.digest, name, version, b'{"a":1}', "pass", ReleaseState.WAITING, CREATED
    )
    storage.add_release(record)
    return record


class ReleaseContract:
    """Releases wait for a quorum, attempts follow each other, waivers gather signatures."""

    def test_a_release_waits_as_it_was_recorded(self, storage: Storage) -> None:
        world_with_run(storage)
        record = waiting(storage)
        assert list(storage.releases()) == [record]
        assert storage.release(DIGEST) == record
        assert storage.release("00" * 32) is None

    def test_a_release_of_no_run_is_refused(self, storage: Storage) -> None:
        world_with_run(storage)
        record = waiting(storage)
        with pytest.raises(InputError, match="no run"):
            storage.add_release(replace(record, run_id="0a" * 16, release_digest="d2" * 32, version=2))

    def test_a_version_is_taken_once_whatever_became_of_it(self, storage: Storage) -> None:
        world = world_with_run(storage)
        assert storage.next_version("visits") == 1
        waiting(storage)
        storage.record_release_decision(world.release_decision(DIGEST, decision="refuse"), NOW)
        assert storage.next_version("visits") == 2
        assert storage.next_version("stays") == 1
        with pytest.raises(OutOfOrder, match="taken by another command"):
            waiting(storage, digest="d2" * 32)
        waiting(storage, version=2, digest="d2" * 32)
        assert [record.version for record in storage.releases()] == [1, 2]

    def test_the_quorum_approves_and_one_fewer_does_not(self, storage: Storage) -> None:
        world = world_with_run(storage, 4)
        waiting(storage)
        states = [
            storage.record_release_decision(world.release_decision(DIGEST, member), NOW).state
            for member in ("org-1", "org-2", "org-3")
        ]
        assert states == [ReleaseState.WAITING, ReleaseState.WAITING, ReleaseState.APPROVED]
        with pytest.raises(OutOfOrder, match="is approved"):
            storage.record_release_decision(world.release_decision(DIGEST, "org-4"), NOW)
        record = storage.release(DIGEST)
        assert record is not None
        assert [each.decision.member for each in record.decisions] == ["org-1", "org-2", "org-3"]
        charter = storage.charter_in_force()
        assert charter is not None
        for each in record.decisions:
            each.verify(charter.charter)

    def test_a_charter_s_own_quorum_counts(self, storage: Storage) -> None:
        world = world_with_run(storage, 4, release_quorum=2)
        waiting(storage)
        storage.record_release_decision(world.release_decision(DIGEST, "org-1"), NOW)
        settled = storage.record_release_decision(world.release_decision(DIGEST, "org-4"), NOW)
        assert settled.state is ReleaseState.APPROVED

    def test_refusals_that_leave_no_quorum_end_it(self, storage: Storage) -> None:
        world = world_with_run(storage, 4)
        waiting(storage)
        first = storage.record_release_decision(world.release_decision(DIGEST, "org-1", "refuse"), NOW)
        assert first.state is ReleaseState.WAITING
        storage.record_release_decision(world.release_decision(DIGEST, "org-2"), NOW)
        second = storage.record_release_decision(world.release_decision(DIGEST, "org-3", "refuse"), NOW)
        assert second.state is ReleaseState.REFUSED
        with pytest.raises(OutOfOrder, match="is refused"):
            storage.record_release_decision(world.release_decision(DIGEST, "org-1"), NOW)
        with pytest.raises(OutOfOrder, match="not approved"):
            storage.mark_published(DIGEST)

    def test_the_newest_decision_of_a_member_counts(self, storage: Storage) -> None:
        world = world_with_run(storage, 4)
        waiting(storage)
        for decision in ("approve", "refuse", "approve"):
            storage.record_release_decision(world.release_decision(DIGEST, "org-1", decision), NOW)
        record = storage.release(DIGEST)
        assert record is not None
        assert [each.decision.decision for each in record.decisions] == ["approve"]
        assert record.state is ReleaseState.WAITING

    def test_an_approved_release_is_marked_published_once_and_again(self, storage: Storage) -> None:
        world = world_with_run(storage)
        waiting(storage)
        with pytest.raises(OutOfOrder, match="is waiting, not approved"):
            storage.mark_published(DIGEST)
        for member in world.keys:
            storage.record_release_decision(world.release_decision(DIGEST, member), NOW)
        for _ in range(2):
            storage.mark_published(DIGEST)
        record = storage.release(DIGEST)
        assert record is not None
        assert record.state is ReleaseState.PUBLISHED

    def test_a_decision_on_no_release_is_refused(self, storage: Storage) -> None:
        world = world_with_run(storage)
        with pytest.raises(InputError, match="no release"):
            storage.record_release_decision(world.release_decision(DIGEST), NOW)
        with pytest.raises(InputError, match="no release"):
            storage.mark_published(DIGEST)

    def test_each_attempt_is_made_from_all_before_it(self, storage: Storage) -> None:
        world_with_run(storage)
        seen: list[Sequence[bytes]] = []

        def make(before: Sequence[bytes]) -> bytes:
            seen.append(before)
            return b"attempt %d" % (len(before) + 1)

        assert [storage.add_attempt(RUN, make) for _ in range(3)] == [b"attempt 1", b"attempt 2", b"attempt 3"]
        assert [list(before) for before in seen] == [[], [b"attempt 1"], [b"attempt 1", b"attempt 2"]]
        assert list(storage.attempts(RUN)) == [b"attempt 1", b"attempt 2", b"attempt 3"]

    def test_attempts_at_every_run_of_a_plan_s_name_are_one_chain(self, storage: Storage) -> None:
        world = world_with_run(storage)
        charter = storage.charter_in_force()
        assert charter is not None
        second, other = "0b" * 16, "0c" * 16
        storage.add_run(world.proposal(run_id=second, charter_digest=charter.charter.digest))
        plan = world.plan().model_copy(update={"name": "another-plan"})
        storage.add_run(world.proposal(run_id=other, charter_digest=charter.charter.digest, plan=plan))
        for run in (RUN, second, other, RUN):
            storage.add_attempt(run, lambda before: b"attempt %d" % (len(before) + 1))
        three = [b"attempt 1", b"attempt 2", b"attempt 3"]
        assert list(storage.attempts(RUN)) == list(storage.attempts(second)) == three
        assert list(storage.attempts(other)) == [b"attempt 1"]

    def test_an_attempt_that_cannot_be_made_leaves_nothing_behind(self, storage: Storage) -> None:
        world_with_run(storage)

        def broken(before: Sequence[bytes]) -> bytes:
            raise InputError("there is nothing to attempt")

        with pytest.raises(InputError, match="nothing to attempt"):
            storage.add_attempt(RUN, broken)
        with pytest.raises(InputError, match="no run"):
            storage.add_attempt("0a" * 16, lambda before: b"")
        assert not storage.attempts(RUN)

    def test_a_waiver_gathers_signatures(self, storage: Storage) -> None:
        world_with_run(storage)
        record = WaiverRecord(WAIVER, RUN, b'{"gate":"G10"}')
        for _ in range(2):
            storage.add_waiver(record)
        assert list(storage.waivers()) == [record]
        for member, signature in (("org-2", "02" * 64), ("org-1", "01" * 64), ("org-2", "02" * 64)):
            assert storage.add_waiver_signature(WAIVER, member, signature).signatures[member] == signature
        both = {"org-1": "01" * 64, "org-2": "02" * 64}
        assert list(storage.waivers()) == [replace(record, signatures=both)]
        with pytest.raises(InputError, match="no waiver"):
            storage.add_waiver_signature("00" * 32, "org-1", "01" * 64)
        with pytest.raises(InputError, match="no run"):
            storage.add_waiver(WaiverRecord("7b" * 32, "0a" * 16, b"{}"))

    def test_an_opened_secret_is_kept_once_for_each_member(self, storage: Storage) -> None:
        world_with_run(storage)
        first = CanaryOpening(RUN, "org-2", "ca" * 32, CanarySecret(b"s" * 32, b"t" * 32))
        other = replace(first, member_id="org-1", opened=CanarySecret(b"u" * 32, b"v" * 32))
        for opening in (first, other, replace(first, candidate="cb" * 32)):
            storage.add_canary_opening(opening)
        assert list(storage.canary_openings(RUN)) == [other, first]
        assert list(storage.canary_openings("0a" * 16)) == []

    def test_an_opening_of_no_run_is_refused(self, storage: Storage) -> None:
        with pytest.raises(InputError, match="no run"):
            storage.add_canary_opening(CanaryOpening(RUN, "org-1", "ca" * 32, CanarySecret(bytes(32), bytes(32))))
