"""The researcher's command as a whole: help, version, and what it loads."""

import subprocess
import sys

import click
import pytest
import typer.main
from typer.testing import CliRunner

from headwater import __version__
from headwater.cli import app


def commands(command: click.Command, path: str = "headwater") -> list[tuple[str, click.Command]]:
    found = [(path, command)]
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            found += commands(child, f"{path} {name}")
    return found


ALL = commands(typer.main.get_command(app))


@pytest.mark.parametrize(("path", "command"), ALL, ids=[path for path, _ in ALL])
def test_every_command_reads_like_a_manual_with_an_example(path: str, command: click.Command) -> None:
    assert command.help
    manual = f"{command.help}\n{command.epilog}"
    assert "Example" in manual
    assert path in manual
    shown = CliRunner().invoke(app, [*path.split()[1:], "--help"])
    assert shown.exit_code == 0
    assert "Usage" in shown.stdout


def test_schema_and_catalogue_are_mounted() -> None:
    paths = {path for path, _ in ALL}
    assert {"headwater schema draft", "headwater schema check"} <= paths
    assert {"headwater catalogue add", "headwater list", "headwater show", "headwater download"} <= paths
    assert "headwater verify" in paths


def test_the_version_is_printed() -> None:
    assert CliRunner().invoke(app, ["--version"]).stdout == f"headwater {__version__}\n"


def test_the_command_starts_without_heavy_libraries() -> None:
    code = (
        "import sys, headwater.cli\n"
        "heavy = ('torch', 'flwr', 'grpc', 'pandas', 'pyarrow', 'sklearn', 'lightgbm', 'matplotlib')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "[]"
