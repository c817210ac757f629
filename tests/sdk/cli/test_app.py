"""The researcher's command as a whole: help, version, and what it loads."""

import subprocess
import sys
import tomllib

import click
import pytest
import typer
import typer.main
from typer.testing import CliRunner

from headwater import __version__
from headwater.cli import app
from headwater.cli.entry import _EXTRAS, run
from support.specification import ROOT


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


@pytest.mark.parametrize(
    ("package", "extra"),
    [
        ("lightgbm", "headwater[evaluation]"),
        ("sklearn.linear_model", "headwater[evaluation]"),
        ("ray", "headwater[simulation]"),
        ("matplotlib.figure", "headwater[coordinator]"),
        ("torch", "headwater[org] or headwater[coordinator]"),
    ],
)
def test_a_package_that_is_not_there_is_named_with_the_extra_that_brings_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], package: str, extra: str
) -> None:
    def missing() -> None:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)

    lonely = typer.Typer()
    lonely.command()(missing)
    monkeypatch.setattr(sys, "argv", ["lonely"])
    with pytest.raises(SystemExit) as ended:
        run(lonely)
    assert ended.value.code == 1
    assert capsys.readouterr().err == f"error: the package {package} is not installed; pip install {extra} brings it\n"


def test_extras_are_those_that_the_distribution_has() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    names = {"dp_accounting": "dp-accounting", "sklearn": "scikit-learn"}
    for extra, packages in _EXTRAS.items():
        brought = " ".join(declared[extra])
        assert all(names.get(package, package) in brought for package in packages if package != "ray"), extra
    assert "flwr[simulation]" in " ".join(declared["simulation"])


def test_the_command_starts_without_heavy_libraries() -> None:
    code = (
        "import sys, headwater.cli\n"
        "heavy = ('torch', 'flwr', 'grpc', 'pandas', 'pyarrow', 'scipy', 'sklearn', 'lightgbm', 'matplotlib')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "[]"
