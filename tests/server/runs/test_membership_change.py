"""What a plan's choice on a change of members comes to: real organisations over loopback, one of which leaves."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from headwater.secagg.protocol.events import RoundClosed
from headwater.secagg.protocol.families import Family
from headwater_client.membership import Membership
from headwater_client.transport.aggregation import Progress
from headwater_server.runs.driver import RunDriver
from headwater_server.settings import CoordinatorHome
from headwater_server.storage import RunState, SqlStorage
from support.offices import Office, approve_everywhere
from support.organisations import RUN, EnrolledConsortium
from support.rpc import RpcCoordinator, shared_loop

pytestmark = pytest.mark.usefixtures("in_outline")

PROMPT = {"setup_seconds": 3, "round_seconds": 20}
COUNTS = {"kind": "marginals", "fit": {"steps": 5, "batch": 16}}


class NoFlower:
    """Invites nobody: the organisations of these tests come by themselves."""

    async def start_run(self, run_id: str) -> int:
        return 1

    async def run_is_over(self, flower_run: int) -> bool:
        return False

    async def stop_run(self, flower_run: int) -> None:
        pass


@pytest.fixture
def four(tmp_path: Path) -> Iterator[EnrolledConsortium]:
    coordinator = RpcCoordinator(shared_loop())
    enrolled = EnrolledConsortium(coordinator, tmp_path / "members", members=4)
    yield enrolled
    enrolled.close()
    coordinator.close()


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[SqlStorage]:
    storage = SqlStorage(f"sqlite:///{tmp_path / 'state.db'}")
    yield storage
    storage.close()


def record_agreement(storage: SqlStorage, consortium: EnrolledConsortium) -> None:
    """What the members signed, as the coordinator's database holds it when a run is started."""
    store = consortium.coordinator.store
    signed = store.signed_charter
    assert signed is not None
    storage.add_charter(signed.model_copy(update={"signatures": {}}))
    for member, signature in signed.signatures.items():
        storage.add_charter_signature(signed.charter.digest, member, signature)
    storage.add_run(store.proposals[RUN])
    for decision in store.decisions:
        storage.record_decision(decision, consortium.coordinator.now)
    storage.move_run(RUN, RunState.STARTING)


def run_until_one_leaves(
    consortium: EnrolledConsortium, storage: SqlStorage, folder: Path, choice: str, after: int = 1
) -> tuple[dict[str, str | Exception | None], list[str]]:
    """A whole run, in which org-4 leaves for good after some sums; each one's outcome, and how the run was over."""
    approve_everywhere(consortium, recipe=COUNTS, aggregation={"on_membership_change": choice, **PROMPT})
    record_agreement(storage, consortium)
    coordinator, leaving = consortium.coordinator, threading.Event()
    driver = RunDriver(RUN, CoordinatorHome(folder), storage, coordinator.hub, NoFlower(), consortium.key)

    def leave(event: Progress) -> None:
        if isinstance(event, RoundClosed) and event.round >= after:
            leaving.set()

    with capture_logs() as logs:
        offices = {member: Office(home) for member, home in consortium.homes.items() if member != "org-4"}
        offices["org-4"] = Office(consortium.homes["org-4"], on_progress=leave)
        driving = coordinator.loop.submit(driver.drive())
        assert leaving.wait(60)
        offices["org-4"].stop.set()
        driving.result(120)  # type: ignore[call-arg]
        outcomes = {member: office.join() for member, office in offices.items()}
    return outcomes, [entry["reason"] for entry in logs if entry["event"] == "run_over"]


def test_a_strict_run_whose_cohort_changes_fails_by_a_name_that_both_sides_read(
    four: EnrolledConsortium, storage: SqlStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headwater_server.runs.driver.MAXIMUM_ATTEMPTS", 2)
    outcomes, over = run_until_one_leaves(four, storage, tmp_path / "coordinator", "strict")
    record = storage.run(RUN)
    assert record is not None
    assert storage.run_state(RUN) is RunState.FAILED
    assert record.detail.startswith("strict: every sum is over one cohort, and org-4 is away")
    assert [outcomes[member] for member in ("org-1", "org-2", "org-3")] == ["done"] * 3
    assert len(over) == 3
    assert all("strict: every sum is over one cohort, and org-4 is away" in reason for reason in over)
    # protocol 4.10: what each organisation wrote down before its Confirm left.
    for home in four.homes.values():
        membership = Membership.open(home)
        assert {(kept.family, kept.members) for kept in membership.store.cohort_history()} == {
            ("counts/main/train", ("org-1", "org-2", "org-3", "org-4"))
        }
        membership.store.close()


def test_a_run_under_continue_goes_on_with_those_that_remain(
    four: EnrolledConsortium, storage: SqlStorage, tmp_path: Path
) -> None:
    outcomes, _ = run_until_one_leaves(four, storage, tmp_path / "coordinator", "continue")
    assert storage.run_state(RUN) is RunState.FINISHED
    assert [outcomes[member] for member in ("org-1", "org-2", "org-3")] == ["done"] * 3
    result = storage.result(RUN)
    assert result is not None
    assert result["protection"] == "no protection against differencing"
    membership = Membership.open(four.homes["org-1"])
    assert membership.store.cohort_history() == ()
    membership.store.close()


def test_a_run_over_others_than_an_earlier_one_fails_and_says_who_held_it_to_which_cohort(
    four: EnrolledConsortium, storage: SqlStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headwater_server.runs.driver.MAXIMUM_ATTEMPTS", 1)
    approve_everywhere(four, recipe=COUNTS, aggregation={"on_membership_change": "strict", **PROMPT})
    record_agreement(storage, four)
    earlier = ("org-1", "org-2", "org-3", "org-4", "org-9")
    for home in four.homes.values():
        membership = Membership.open(home)
        membership.store.record_cohort("1f" * 16, 1, Family("counts/main/train"), earlier)
        membership.store.close()
    coordinator = four.coordinator
    driver = RunDriver(RUN, CoordinatorHome(tmp_path / "home"), storage, coordinator.hub, NoFlower(), four.key)
    with capture_logs() as logs:
        offices = [Office(home) for home in four.homes.values()]
        coordinator.loop.run(driver.drive(), 120)
        for office in offices:
            office.join()
    record = storage.run(RUN)
    assert record is not None
    words = "differencing: the family 'counts/main/train' was summed with org-9, who is not in this session"
    assert storage.run_state(RUN) is RunState.FAILED
    assert words in record.detail
    told = [entry["reason"] for entry in logs if entry["event"] == "run_over"]
    assert len(told) == 4
    assert all(words in reason for reason in told)
