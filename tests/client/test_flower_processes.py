"""A real SuperLink, a real supervised SuperNode, the real executor: what runs and what is refused."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from flwr.cli.build import build_fab_from_disk
from structlog.testing import capture_logs

from headwater_client.flower.client_app import Outcome, build_client_app
from headwater_client.flower.executor import Executor
from headwater_client.flower.private import NodeRuntime, check_flower_version
from headwater_client.flower.supervisor import SuperNodeSettings, SuperNodeSupervisor
from support.superlink import SuperLink, wait_for, write_node_key

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")]

RUN_ID = "0f" * 16

SERVER_APP = """
import json, time
from flwr.app import ConfigRecord, Message, RecordDict
from flwr.serverapp import ServerApp

app = ServerApp()

@app.main()
def main(grid, context):
    nodes = []
    while not nodes:
        nodes = list(grid.get_node_ids())
        time.sleep(0.2)
    content = RecordDict({"headwater": ConfigRecord({"run_id": "RUN_ID"})})
    ids = list(grid.push_messages([Message(content, dst_node_id=node, message_type="query") for node in nodes]))
    replies = []
    while not replies:
        replies = list(grid.pull_messages(ids))
        time.sleep(0.2)
    answers = [
        {"error": reply.error.code, "reason": reply.error.reason} if reply.has_error()
        else dict(reply.content.config_records["headwater"])
        for reply in replies
    ]
    with open(str(context.run_config["out"]), "w") as file:
        json.dump(answers, file)
"""

MANIFEST = """
[project]
name = "headwater-stub"
version = "1.0.0"
dependencies = ["flwr>=1.41,<1.42"]

[tool.flwr.app]
publisher = "headwater"

[tool.flwr.app.components]
serverapp = "pushing:app"
clientapp = "headwater_client.app:app"

[tool.flwr.app.config]
out = "unset"
"""


def write_bundle(folder: Path, *, with_shadow: Path | None = None) -> str:
    """Write a bundle's folder; with `with_shadow`, one whose client code leaves a mark there when it is imported."""
    folder.mkdir()
    (folder / "pyproject.toml").write_text(MANIFEST)
    (folder / "pushing.py").write_text(SERVER_APP.replace("RUN_ID", RUN_ID))
    if with_shadow is not None:
        package = folder / "headwater_client"
        package.mkdir()
        # Flower's own command imports the package while it checks the folder, so the mark says which process ran it.
        (package / "__init__.py").write_text(f"import os\nprint(os.getpid(), file=open({str(with_shadow)!r}, 'a'))\n")
        (package / "app.py").write_text("from flwr.clientapp import ClientApp\n\napp = ClientApp()\n")
    return sha256(build_fab_from_disk(folder)).hexdigest()


@pytest.fixture(scope="module")
def superlink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SuperLink]:
    with SuperLink(tmp_path_factory.mktemp("flower") / "superlink") as running:
        yield running


def test_the_stub_runs_warm_and_a_bundle_with_code_is_refused_unopened(superlink: SuperLink, tmp_path: Path) -> None:
    check_flower_version()
    key = write_node_key(tmp_path / "node")
    superlink.register(key.with_suffix(".pub"))
    allowed = write_bundle(tmp_path / "stub")
    mark = tmp_path / "mark"
    other = write_bundle(tmp_path / "other", with_shadow=mark)
    joined: list[str] = []

    def join(run_id: str) -> Outcome:
        joined.append(run_id)
        return "done"

    supervisor = SuperNodeSupervisor(SuperNodeSettings(superlink.address, superlink.ca, key, tmp_path / "node-home"))
    runtime = NodeRuntime(supervisor.address, supervisor.secret)
    executor = Executor(runtime, allowed, lambda _stopped: build_client_app(join))
    thread = threading.Thread(target=executor.run)
    supervisor.start()
    thread.start()
    try:
        with capture_logs() as logs:
            first, second = tmp_path / "first.json", tmp_path / "second.json"
            superlink.run(tmp_path / "stub", {"out": str(first)})
            wait_for(first.exists, "the stub was answered")
            superlink.run(tmp_path / "other", {"out": str(second)})
            wait_for(second.exists, "the other bundle was answered")
    finally:
        executor.stop()
        thread.join()
        runtime.close()
        pid = supervisor.pid
        supervisor.stop()
    assert json.loads(first.read_text()) == [{"outcome": "done"}]
    assert joined == [RUN_ID]
    [refusal] = json.loads(second.read_text())
    assert refusal["error"] == 7  # Flower's INVALID_FAB
    assert other[:12] in refusal["reason"]
    assert [entry["bundle_sha256"] for entry in logs if entry["event"] == "bundle_refused"] == [other]
    assert pid is not None
    ran_in = {int(line) for line in mark.read_text().split()} if mark.exists() else set()
    assert not ran_in & {os.getpid(), pid}
    assert not list((tmp_path / "node-home").rglob("pushing.py"))
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_killed_supernode_is_started_again(superlink: SuperLink, tmp_path: Path) -> None:
    key = write_node_key(tmp_path / "node")
    superlink.register(key.with_suffix(".pub"))
    supervisor = SuperNodeSupervisor(SuperNodeSettings(superlink.address, superlink.ca, key, tmp_path / "node-home"))
    supervisor.start()
    try:
        first = supervisor.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: supervisor.pid not in (None, first), "another SuperNode runs")
        runtime = NodeRuntime(supervisor.address, supervisor.secret)
        wait_for(lambda: _answers(runtime), "the new SuperNode answers")
        runtime.close()
    finally:
        supervisor.stop()
    assert supervisor.pid is None


def _answers(runtime: NodeRuntime) -> bool:
    from headwater.errors import TransportError

    try:
        runtime.acquire()
    except TransportError:
        return False
    return True
