"""The demo's parts that need no consortium: its table, its folder, its processes."""

import fcntl
import shlex
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from headwater.errors import HeadwaterError, InputError
from headwater.evaluation.split import judge_split
from headwater_server.cli import app
from headwater_server.demo.consortium import Consortium, coordinator_folder
from headwater_server.demo.data import default_table, prepare
from headwater_server.demo.looking_around import program, what_to_try
from headwater_server.demo.processes import ProcessGroup, free_ports
from headwater_server.output_folder import claim_folder
from headwater_server.settings import CoordinatorHome


def is_alive(pid: int) -> bool:
    try:
        # A zombie is gone for everybody but its parent.
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_default_table_is_shared_out_whole_unequal_and_skewed() -> None:
    data = prepare(None, None, None, 3, "label:1")
    rows = sorted(int(row) for part in data.parts for row in part)
    assert rows == list(range(data.train.num_rows))
    assert data.test.num_rows == len(judge_split(569)[1])
    assert len({len(part) for part in data.parts}) == 3
    shares = [data.rows_of(n).column("diagnosis").to_pylist().count("malignant") / len(data.parts[n]) for n in range(3)]
    assert max(shares) - min(shares) > 0.2


def test_test_rows_are_no_training_rows() -> None:
    data = prepare(None, None, None, 3, "iid")
    train = {tuple(row.values()) for row in data.train.to_pylist()}
    assert not train & {tuple(row.values()) for row in data.test.to_pylist()}
    assert data.train.num_rows + data.test.num_rows == default_table().num_rows


@pytest.mark.parametrize(
    ("data", "target", "organisations", "line"),
    [
        (None, None, 2, "3 at least"),
        (Path("nowhere.csv"), "x", 3, "there is no file"),
        (None, "age of the moon", 3, "there is no column"),
    ],
)
def test_unusable_request_is_one_clear_line(
    data: Path | None, target: str | None, organisations: int, line: str
) -> None:
    with pytest.raises(InputError, match=line):
        prepare(data, target, None, organisations, "iid")


def test_data_without_a_target_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("a,b\n1,x\n2,y\n")
    with pytest.raises(InputError, match="--target"):
        prepare(table, None, None, 3, "iid")


def test_a_target_that_no_classifier_can_be_scored_on_is_refused_before_anything_starts() -> None:
    with pytest.raises(InputError, match="the classes of 'mean area' in the test rows are not the two or more"):
        prepare(None, "mean area", None, 3, "iid")


def test_folder_that_the_command_made_is_replaced_and_no_other(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    claim_folder(folder, "demo")
    (folder / "old.csv").write_text("old")
    (folder / "sub").mkdir()
    claim_folder(folder, "demo")
    assert [entry.name for entry in folder.iterdir()] == [".headwater-demo"]
    foreign = tmp_path / "mine"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("precious")
    with pytest.raises(InputError, match="was not made by demo"):
        claim_folder(foreign, "demo")
    assert (foreign / "thesis.txt").read_text() == "precious"
    with pytest.raises(InputError, match="was not made by simulate"):
        claim_folder(folder, "simulate")


def test_a_demo_that_is_up_keeps_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    claim_folder(folder, "demo")
    home = CoordinatorHome(coordinator_folder(folder / "consortium"))
    home.folder.mkdir(parents=True)
    with home.lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        answer = CliRunner().invoke(app, ["demo", "--out", str(folder)])
    assert isinstance(answer.exception, InputError)
    assert "a demo is up in" in str(answer.exception)
    assert home.lock.is_file()


def test_free_ports_differ() -> None:
    assert len(set(free_ports(20))) == 20


def test_leaving_the_group_ends_children_and_grandchildren(tmp_path: Path) -> None:
    pid_file = tmp_path / "pids"
    script = tmp_path / "parent_and_child.py"
    script.write_text(
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import signal, time; "
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)'])\n"
        f"open({str(pid_file)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}} ')\n"
        "time.sleep(600)\n"
    )
    environment = {"PYTHONPATH": str(tmp_path)}
    with ProcessGroup(tmp_path / "logs", environment) as processes:
        (tmp_path / "package").mkdir()
        (tmp_path / "package" / "__init__.py").touch()
        script.rename(tmp_path / "package" / "both.py")
        processes.start("both", "package.both")
        while not pid_file.is_file() or not pid_file.read_text().endswith(" "):
            time.sleep(0.01)
        pids = [int(pid) for pid in pid_file.read_text().split()]
        assert all(is_alive(pid) for pid in pids)
    assert not [pid for pid in pids if is_alive(pid)]


def test_command_that_fails_is_told_by_its_own_line(tmp_path: Path) -> None:
    with (
        ProcessGroup(tmp_path / "logs", {}) as processes,
        pytest.raises(HeadwaterError, match="headwater-coordinator charter` failed: there is no coordinator in"),
    ):
        processes.run("show", "headwater-coordinator", "charter", "show", "--home", str(tmp_path / "nowhere"))


def test_child_that_dies_is_noticed_with_the_end_of_its_log(tmp_path: Path) -> None:
    with ProcessGroup(tmp_path / "logs", {}) as processes:
        processes.start("idle", "http.server", "0", "--bind", "127.0.0.1")
        processes.check_alive()
        processes.signal("idle", signal.SIGKILL)
        ((_, child),) = processes._running
        while is_alive(child.pid):
            time.sleep(0.01)
        with pytest.raises(HeadwaterError, match="the process idle ended with status -9"):
            processes.check_alive()


def test_a_consortium_that_is_kept_up_says_what_to_try_in_each_role(tmp_path: Path) -> None:
    with ProcessGroup(tmp_path / "logs", {}) as processes:
        consortium = Consortium(tmp_path, processes, prepare(None, None, None, 3, "iid"))
        consortium.run_id, consortium.charter_digest = "4b" * 16, "3f" * 32
        lines = [line.strip() for line in what_to_try(consortium, "visits", tmp_path / "researcher")]
    assert f"In a browser: {consortium.address}/datasets/visits" in lines
    assert f"{consortium.address}/runs/{'4b' * 16}" in lines
    assert f"export HEADWATER_HOME={tmp_path / 'researcher'}" in lines
    add = next(shlex.split(line) for line in lines if " catalogue add " in line)
    assert add[1:] == [
        "catalogue", "add", consortium.address, "--ca", str(consortium.ca), "--charter", "3f" * 32,
    ]  # fmt: skip
    assert any(line.endswith(f"datasets list --home {tmp_path / 'hospital-a'}") for line in lines)
    assert any(line.endswith(f"downloads visits --home {tmp_path / 'coordinator'}") for line in lines)
    # What somebody copies must be a program of this environment, whatever PATH says.
    assert shutil.which(add[0]) is not None


def test_a_program_is_named_so_that_this_shell_finds_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    beside = Path(sys.executable).parent
    monkeypatch.setenv("PATH", str(beside))
    assert program("headwater") == "headwater"
    monkeypatch.setenv("PATH", "/nowhere")
    assert program("headwater") == str(beside / "headwater") or not Path(program("headwater")).is_absolute()
    # One below the folder is named from there, and a path with a blank is quoted.
    (tmp_path / "a place").mkdir()
    (tmp_path / "a place" / "headwater").write_text("")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "a place" / "python"))
    monkeypatch.chdir(tmp_path)
    assert program("headwater") == "'a place/headwater'"


def test_the_demos_run_pages_are_open_to_who_looks_around(tmp_path: Path) -> None:
    with ProcessGroup(tmp_path / "logs", {}) as processes:
        consortium = Consortium(tmp_path, processes, prepare(None, None, None, 3, "iid"))
        consortium._coordinate("init", "--name", "Demo consortium")
        assert not CoordinatorHome(consortium.home).settings().catalogue_open_runs
        consortium._open_run_pages()
    settings = CoordinatorHome(consortium.home).settings()
    assert settings.catalogue_open_runs
    assert settings.consortium == "Demo consortium"


def test_the_manual_says_that_keeping_leaves_everything_up() -> None:
    words = " ".join(CliRunner().invoke(app, ["demo", "--help"], env={"COLUMNS": "200"}).output.split())
    assert "Leave the whole consortium up until Ctrl-C" in words
    assert "Nothing of it stays running, unless --keep leaves the whole consortium up" in words
