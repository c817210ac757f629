"""Whole consortia of real processes: organisations that are killed, and a bundle that carries code."""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from headwater.schema import CategoricalColumn, NumericColumn, Schema
from headwater_server.demo.consortium import Consortium
from headwater_server.demo.data import DemoData
from headwater_server.demo.processes import ProcessGroup
from headwater_server.settings import CoordinatorHome
from headwater_server.storage import RunState, SqlStorage

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

SCHEMA = Schema(
    name="visits",
    columns=(
        NumericColumn(name="age", lower=0, upper=100, integer=True),
        CategoricalColumn(name="ward", categories=("north", "south", "west")),
        CategoricalColumn(name="back", categories=("no", "yes"), role="target"),
    ),
)
# Local training long enough that a process can be hit in it, of networks so narrow that it costs little else.
EDITS: dict[str, dict[str, object]] = {
    "recipe": {"base": "marginals"},
    "recipe.network": {"latent": 4, "width": 16, "blocks": 1, "critic_width": 8, "critic_layers": 1},
    "recipe.fit": {"steps": 20, "batch": 64},
    "recipe.update": {"local_steps": 100, "batch": 16},
}
WAIT_SECONDS = 600.0  # far beyond what a run takes: a busy machine may not fail it


def visits(rows: int, organisations: int) -> DemoData:
    random = np.random.default_rng(1)
    age = random.integers(0, 100, rows)
    ward = random.choice(["north", "south", "west"], rows)
    back = np.where(random.random(rows) < age / 120, "yes", "no")
    table = pa.table({"age": age, "ward": ward, "back": back})
    parts = tuple(np.array_split(np.arange(rows), organisations))
    return DemoData("visits", SCHEMA, False, table, table.slice(0, 50), parts)


class Running:
    """A consortium whose organisations serve and whose run is approved."""

    def __init__(self, folder: Path, processes: ProcessGroup, organisations: int) -> None:
        self.processes = processes
        self._logs = folder / "logs"
        self.consortium = Consortium(folder, processes, visits(600, organisations))
        self.consortium.set_up()
        self.consortium.enrol()
        self.consortium.agree_on_charter()
        self.consortium.propose_plan(SCHEMA, rounds=2, seed=0, edits=EDITS, change="continue")
        self.consortium.approve()
        self.consortium.serve_rows()
        home = CoordinatorHome(self.consortium.home)
        self.storage = SqlStorage(home.database_url(home.settings()))

    @property
    def run(self) -> str:
        return self.consortium.run_id

    def start(self) -> None:
        self.processes.run(
            "start", "headwater-coordinator", "run", "start", self.run, "--home", str(self.consortium.home)
        )

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + WAIT_SECONDS
        while not condition():
            assert time.monotonic() < end, f"waited {WAIT_SECONDS:.0f} s in vain until {what}"
            time.sleep(0.02)

    def wait_for_training(self) -> None:
        """Until the organisations were asked for the first update: three sums (or two) came before it."""
        self.wait(lambda: any(r.get("kind") == "fit" for _, r in self.storage.progress(self.run)), "the fit is done")
        counted = self.count("receipt")
        self.wait(lambda: self.count("start") > counted, "an update is asked for")

    def count(self, kind: str) -> int:
        return sum(entry.kind == kind for entry in self.storage.round_entries(self.run))

    def log_of(self, member: str) -> Path:
        return self._logs / f"{member}.log"

    def over(self) -> bool:
        return self.storage.run_state(self.run).over

    def updates(self) -> list[int]:
        """How many organisations were in each sum of updates."""
        records = [record for _, record in self.storage.progress(self.run)]
        return [int(str(record["contributors"])) for record in records if record.get("kind") == "update"]


@pytest.fixture
def four(tmp_path: Path) -> Iterator[Running]:
    with ProcessGroup(tmp_path / "logs", {"OMP_NUM_THREADS": "1"}) as processes:
        yield Running(tmp_path, processes, 4)


def test_organisation_killed_before_its_upload_does_not_stop_the_run(four: Running) -> None:
    four.start()
    four.wait_for_training()
    four.processes.signal("hospital-d", signal.SIGKILL)
    four.wait(four.over, "the run is over")
    assert four.storage.run_state(four.run) is RunState.FINISHED
    assert four.updates() == [3, 3]
    dropped = [record for _, record in four.storage.progress(four.run) if record.get("kind") == "dropped"]
    assert "hospital-d" in {record["member"] for record in dropped}
    result = four.storage.result(four.run)
    assert result is not None
    assert result["protection"] == "no protection against differencing"


def test_organisation_killed_after_its_upload_does_not_stop_the_run(four: Running) -> None:
    four.start()
    four.wait_for_training()
    # One organisation is held still, so that the round cannot close before the other one is killed.
    four.processes.signal("hospital-a", signal.SIGSTOP)
    log = four.log_of("hospital-d")
    # One vector for each round that is closed, and the one of this round; it may have been sent before we look.
    wanted = four.count("receipt") + 1
    four.wait(lambda: log.read_text().count("vector_sent") >= wanted, "hospital-d has sent its vector")
    time.sleep(1.0)  # what the connection has taken is still on its way to the coordinator's process
    four.processes.signal("hospital-d", signal.SIGKILL)
    four.processes.signal("hospital-a", signal.SIGCONT)
    four.wait(four.over, "the run is over")
    assert four.storage.run_state(four.run) is RunState.FINISHED
    # Whether its last message was read before the connection broke is the machine's affair; tests of the protocol's
    # machines hold the sum to be exact either way.
    assert len(four.updates()) == 2
    assert min(four.updates()) >= 3


def test_bundle_that_carries_code_is_refused_by_every_organisation(tmp_path: Path) -> None:
    # What the coordinator's Flower would send in place of the stub: the same id, and a package that shadows ours.
    evil = tmp_path / "evil"
    shadow = evil / "headwater_client"
    shadow.mkdir(parents=True)
    witness = tmp_path / "witness"
    (shadow / "__init__.py").write_text(
        f"open({str(witness)!r}, 'a').write(open('/proc/self/cmdline').read().replace(chr(0), ' ') + chr(10))\n"
    )
    (shadow / "app.py").write_text("from flwr.clientapp import ClientApp\napp = ClientApp()\n")
    from headwater.flower_bundle import stub_folder

    (evil / "pyproject.toml").write_text((stub_folder() / "pyproject.toml").read_text())
    with ProcessGroup(tmp_path / "logs", {"OMP_NUM_THREADS": "1"}) as processes:
        running = Running(tmp_path, processes, 3)
        flower = running.consortium.home / "flower"
        environment = {"FLWR_HOME": str(flower / "home"), "FLWR_TELEMETRY_ENABLED": "0"}
        processes.run(
            "evil", "flwr", "run", str(evil), "hw", "--run-config", f'run="{running.run}"', environment=environment
        )
        logs = [running.log_of(member) for member in running.consortium.members]
        running.wait(lambda: all("bundle_refused" in log.read_text() for log in logs), "every organisation refused")
        # Flower looks at a bundle where it is sent from, so the attacker runs it; no process of an organisation may.
        ran_by = witness.read_text() if witness.exists() else ""
        assert not [line for line in ran_by.splitlines() if "headwater-org" in line or "headwater_client" in line]
        assert running.storage.run_state(running.run) is RunState.PROPOSED
        assert running.count("session") == 0
