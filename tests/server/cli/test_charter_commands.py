"""`headwater-coordinator`: what the operator reads of a charter and of each group of commands."""

import stat
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
import typer.main
from typer.testing import CliRunner

from headwater.agreement.signing import fingerprint
from headwater_server.authority import Authority
from headwater_server.cli import app
from headwater_server.settings import CoordinatorHome, CoordinatorSettings
from headwater_server.storage import SqlStorage
from support.consortium import ConsortiumInMemory

WORLD = ConsortiumInMemory(4)
COMMANDS = typer.main.get_command(app)
GROUPS = sorted(name for name, command in getattr(COMMANDS, "commands", {}).items() if isinstance(command, click.Group))


def done(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    if result.exception is not None:
        raise result.exception
    return result.output


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A coordinator whose one charter waits for signatures."""
    place = CoordinatorHome(tmp_path / "coordinator")
    authority = Authority.create("Rivers", datetime.now(UTC))
    server = authority.issue_server("coordinator", ["127.0.0.1"], datetime.now(UTC))
    settings = CoordinatorSettings(consortium="Rivers")
    place.create(settings, authority, server)
    storage = SqlStorage(place.database_url(settings))
    storage.add_charter(WORLD.signed_charter())
    storage.close()
    return place.folder


@pytest.mark.parametrize("columns", ["60", "200"])
def test_every_fingerprint_of_a_first_charter_is_on_one_line(
    home: Path, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("NO_COLOR", "1")
    lines = done("charter", "show", "--home", str(home)).splitlines()
    for member in WORLD.charter().members:
        assert f"  {fingerprint(member.identity_key)}  {member.id}" in lines
    heads = next(line for line in lines if "member" in line and "signed" in line)
    cells = [cell.strip() for cell in heads.split("\N{BOX DRAWINGS HEAVY VERTICAL}")[1:-1]]
    assert cells == ["member", "name", "data set", "signed"]


def test_the_home_is_for_its_owner_alone(home: Path) -> None:
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_a_folder_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    authority = Authority.create("Rivers", datetime.now(UTC))
    server = authority.issue_server("coordinator", ["127.0.0.1"], datetime.now(UTC))
    CoordinatorHome(tmp_path).create(CoordinatorSettings(consortium="Rivers"), authority, server)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700


@pytest.mark.parametrize("group", GROUPS)
def test_every_group_of_commands_has_an_example(group: str) -> None:
    assert f"Example:  headwater-coordinator {group} " in done(group, "--help")
