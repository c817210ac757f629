"""Where a report cannot go is told before the audit."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from headwater.cli import app
from headwater.cli.audit_outputs import check_outputs, write_output
from headwater.errors import InputError


def test_a_file_that_can_be_written_leaves_no_trace_of_the_try(tmp_path: Path) -> None:
    check_outputs({"--html": tmp_path / "a.html", "--json": None}, [])
    assert not list(tmp_path.iterdir())
    (tmp_path / "a.html").write_text("older", encoding="utf-8")
    check_outputs({"--html": tmp_path / "a.html"}, [])
    assert (tmp_path / "a.html").read_text(encoding="utf-8") == "older"


def test_a_link_that_leads_nowhere_yet_stays_and_leads_nowhere(tmp_path: Path) -> None:
    link = tmp_path / "link.html"
    link.symlink_to(tmp_path / "a.html")
    check_outputs({"--html": link}, [])
    assert [path.name for path in tmp_path.iterdir()] == ["link.html"]
    assert link.is_symlink()
    with pytest.raises(InputError, match="is the same file as --html"):
        check_outputs({"--html": link, "--json": tmp_path / "a.html"}, [])


def test_a_link_that_leads_to_itself_is_told_in_one_line(tmp_path: Path) -> None:
    loop = tmp_path / "a.html"
    loop.symlink_to(loop)
    with pytest.raises(InputError, match="cannot be written"):
        check_outputs({"--html": loop}, [])


@pytest.mark.parametrize(
    ("html", "figures", "words"),
    [
        ("none/a.html", None, "there is no folder"),
        (".", None, "is a folder"),
        ("a.html", "a.html", "--json"),
        ("train.csv", None, "which is read"),
        ("train.csv/a.html", None, "there is no folder"),
        ("x" * 300, None, "cannot be written"),
    ],
)
def test_what_could_not_be_written_is_refused(tmp_path: Path, html: str, figures: str | None, words: str) -> None:
    (tmp_path / "train.csv").touch()
    outputs = {"--html": tmp_path / html, "--json": None if figures is None else tmp_path / figures}
    with pytest.raises(InputError, match=words):
        check_outputs(outputs, [tmp_path / "train.csv"])


def test_the_command_says_so_before_it_reads_a_row(tmp_path: Path) -> None:
    given = [part for name in ("train", "holdout", "synthetic") for part in (f"--{name}", str(tmp_path / "no.csv"))]
    found = CliRunner().invoke(app, ["audit", *given, "--html", str(tmp_path / "none" / "a.html")])
    assert found.exit_code == 2
    (line,) = found.stderr.splitlines()
    assert line.startswith("error: --html ")
    assert "there is no folder" in line


def test_a_folder_that_goes_away_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--json .* cannot be written: no such file"):
        write_output("--json", tmp_path / "gone" / "a.json", "{}")
