"""The serve loop with its children replaced: what starts, what stops, what is told when a part breaks."""

import threading
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pytest
from structlog.testing import capture_logs

from headwater.errors import OutOfOrder, TransportError
from headwater_client import agent
from headwater_client.connectors import ArrowSource
from headwater_client.flower.supervisor import SuperNodeSettings
from headwater_client.membership import Membership
from support.live_sessions import live_sessions
from support.organisations import EnrolledConsortium

SOURCE = ArrowSource(pa.table({"age": [1]}))


class FakeSupervisor:
    """In place of a SuperNode."""

    made: ClassVar[list["FakeSupervisor"]] = []

    def __init__(self, settings: SuperNodeSettings) -> None:
        self.settings = settings
        self.address = "127.0.0.1:1"
        self.secret = b"secret"
        self.running = False
        FakeSupervisor.made.append(self)

    def start(self) -> None:
        self.running = True

    def stop(self) -> None:
        self.running = False


class FakeRuntime:
    """A SuperNode without tasks; `broken` makes it fail in a way that nobody expects."""

    broken = False

    def __init__(self, address: str, secret: bytes) -> None:
        self.address = address

    def acquire(self) -> None:
        if FakeRuntime.broken:
            raise KeyError("private-value")

    def close(self) -> None:
        pass


@pytest.fixture
def membership(consortium: EnrolledConsortium, monkeypatch: pytest.MonkeyPatch) -> Membership:
    FakeSupervisor.made.clear()
    monkeypatch.setattr(FakeRuntime, "broken", False)
    monkeypatch.setattr(agent, "SuperNodeSupervisor", FakeSupervisor)
    monkeypatch.setattr(agent, "NodeRuntime", FakeRuntime)
    monkeypatch.setattr(agent, "_KEEP_UP_SECONDS", 0.0)
    return Membership.open(consortium.homes["org-1"])


def test_stop_ends_everything_that_was_started(membership: Membership) -> None:
    stop = threading.Event()
    before = threading.active_count()
    agent.serve(membership, SOURCE, stop, stop.set)
    [supervisor] = FakeSupervisor.made
    assert not supervisor.running
    assert threading.active_count() == before
    assert not agent.is_served(membership.home)


def test_the_node_goes_to_the_coordinators_https_with_the_pinned_ca(membership: Membership) -> None:
    stop = threading.Event()
    agent.serve(membership, SOURCE, stop, stop.set)
    settings = FakeSupervisor.made[0].settings
    assert settings.superlink == str(membership.settings.catalogue)
    assert settings.ca_certificate == membership.keys.ca_path.resolve()
    assert settings.private_key == membership.keys.flower_key_path.resolve()


def test_one_process_serves_a_folder(membership: Membership) -> None:
    stop = threading.Event()
    seen: list[bool] = []

    def second() -> None:
        seen.append(agent.is_served(membership.home))
        with pytest.raises(OutOfOrder, match="another process serves"):
            agent.serve(membership, SOURCE, threading.Event(), stop.set)
        stop.set()

    agent.serve(membership, SOURCE, stop, second)
    assert seen == [True]
    assert len(FakeSupervisor.made) == 1


def test_a_coordinator_that_is_away_is_told_once_and_asked_again(membership: Membership) -> None:
    stop = threading.Event()
    asked = 0

    def keep_up() -> None:
        nonlocal asked
        asked += 1
        if asked == 5:
            stop.set()
        raise TransportError("the coordinator is away")

    with capture_logs() as logs:
        agent.serve(membership, SOURCE, stop, keep_up)
    assert asked == 5
    assert [entry["event"] for entry in logs].count("agreement_waits") == 1


def test_a_part_that_breaks_stops_the_agent_with_one_line(
    membership: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeRuntime, "broken", True)
    with capture_logs() as logs, pytest.raises(OutOfOrder, match="executor ended unexpectedly") as failure:
        agent.serve(membership, SOURCE, threading.Event(), lambda: None)
    assert "private-value" not in str(failure.value) + str(logs)
    assert not FakeSupervisor.made[0].running


def test_sessions_of_a_killed_process_are_forgotten(membership: Membership, tmp_path: Path) -> None:
    membership.store.live_session("0f" * 16).__enter__()
    stop = threading.Event()
    agent.serve(membership, SOURCE, stop, stop.set)
    assert live_sessions(membership.store) == ()


def test_a_newer_flower_is_refused_before_anything_starts(
    membership: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    from headwater.errors import InputError
    from headwater_client.flower import private

    monkeypatch.setattr(private, "version", lambda name: "1.42.0")
    with pytest.raises(InputError, match="is needed"):
        agent.serve(membership, SOURCE, threading.Event(), lambda: None)
    assert FakeSupervisor.made == []
