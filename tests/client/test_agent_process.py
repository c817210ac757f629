"""`headwater-org serve` as a process: a run by Flower's invitation, a clean end by signal, no child left behind."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyarrow.csv import write_csv

from client.test_participation import first_task, sum_once
from headwater.flower_bundle import stub_folder
from headwater.secagg.protocol.events import Persist, RoundSummed
from support.offices import Office, approve_everywhere, rows_of
from support.organisations import RUN, EnrolledConsortium
from support.superlink import SuperLink, wait_for

pytestmark = pytest.mark.slow


@pytest.fixture
def superlink(consortium: EnrolledConsortium, tmp_path: Path) -> Iterator[SuperLink]:
    coordinator = consortium.coordinator
    certificates = (
        coordinator.authority.certificate_pem,
        coordinator.pair.certificate_pem,
        coordinator.pair.key_pem,
    )
    with SuperLink(tmp_path / "superlink", certificates) as running:
        home = consortium.homes["org-1"]
        settings = (home / "settings.toml").read_text()
        (home / "settings.toml").write_text(settings.replace("port = 1\n", f"port = {running.port}\n"))
        running.register(home / "keys" / "flower.key.pub")
        yield running


class Agent:
    """The command as a child process, its log in a file."""

    def __init__(self, home: Path, data: Path) -> None:
        self.log_file = home / "agent.log"
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable, "-c", "from headwater_client.cli import main; main()",
                    "serve", "--data", str(data), "--home", str(home), "--log-format", "json",
                ],
                stderr=log,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )  # fmt: skip

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    def wait_for(self, event: str) -> None:
        def logged() -> bool:
            assert self.process.poll() is None, self.log
            return f'"event": "{event}"' in self.log

        wait_for(logged, f"the agent logs {event}")

    def children(self) -> list[int]:
        """Processes whose command line says that they watch over this agent's life."""
        found = []
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"headwater_client.flower.supernode_process" in words and str(self.process.pid).encode() in words:
                found.append(int(folder.name))
        return found


@pytest.fixture
def agent(consortium: EnrolledConsortium, superlink: SuperLink, tmp_path: Path) -> Iterator[Agent]:
    approve_everywhere(consortium)
    write_csv(rows_of("org-1"), tmp_path / "rows.csv")
    running = Agent(consortium.homes["org-1"], tmp_path / "rows.csv")
    yield running
    if running.process.poll() is None:
        running.process.kill()
        running.process.wait()


def test_flowers_invitation_leads_to_a_sum_and_sigterm_leaves_nothing(
    consortium: EnrolledConsortium, superlink: SuperLink, agent: Agent
) -> None:
    plan = consortium.coordinator.store.proposals[RUN].proposal.plan
    agent.wait_for("supernode_started")
    superlink.run(stub_folder(), {"run": RUN})
    others = [Office(consortium.homes[member]) for member in ("org-2", "org-3")]
    stored: list[Persist] = []
    try:
        agent.wait_for("run_joined")
        loop = consortium.coordinator.loop
        summed = loop.run(asyncio.wait_for(sum_once(consortium, plan, first_task(plan), stored), 300), 310)
        loop.run(consortium.coordinator.hub.end_run(RUN))
        agent.wait_for("run_over")
    finally:
        for office in others:
            office.stop.set()
            office.thread.join(60)
    assert isinstance(summed, RoundSummed)
    assert summed.contributors == ("org-1", "org-2", "org-3")
    assert agent.children()
    agent.process.send_signal(signal.SIGTERM)
    assert agent.process.wait(300) == 0
    assert agent.children() == []
    assert '"event": "agent_stopped"' in agent.log


def test_a_killed_agent_takes_its_supernode_along_and_another_may_serve(
    consortium: EnrolledConsortium, agent: Agent, tmp_path: Path
) -> None:
    agent.wait_for("supernode_started")
    wait_for(lambda: bool(agent.children()), "the SuperNode runs")
    second = Agent(consortium.homes["org-1"], tmp_path / "rows.csv")
    assert second.process.wait(300) == 1
    assert "another process serves" in second.log
    agent.process.kill()
    agent.process.wait()
    wait_for(lambda: not agent.children(), "the SuperNode noticed")
    third = Agent(consortium.homes["org-1"], tmp_path / "rows.csv")
    third.wait_for("supernode_started")
    third.process.send_signal(signal.SIGINT)
    assert third.process.wait(300) == 0
    assert third.children() == []
