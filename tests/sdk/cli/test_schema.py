"""`headwater schema`: what a person sees, and the exit status."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from headwater.cli import app, main
from headwater.errors import InputError
from headwater.schema import Schema

TABLE = "age,mean [cm],ward,id,ill\n" + "".join(
    f"{20 + row},{row / 7:.3f},{'north' if row % 2 else 'south'},p{row},{row % 2}\n" for row in range(60)
)
SECRET = "jane-doe"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "visits.csv"
    path.write_text(TABLE)
    return path


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_a_draft_is_a_schema_with_every_guess_marked(table: Path) -> None:
    text = run("schema", "draft", table, "--target", "ill")
    schema = Schema.from_toml(text)
    assert schema.name == "visits"
    assert schema.names == ("age", "mean [cm]", "ward", "ill")
    assert schema.target is not None
    assert schema.target.name == "ill"
    assert all(column.unconfirmed for column in schema.columns)
    assert '# Left out: column "id"' in text
    assert "confirm or correct" in text


def test_a_table_holds_to_its_own_draft_and_guesses_are_mentioned(table: Path, tmp_path: Path) -> None:
    schema = tmp_path / "schema.toml"
    schema.write_text(run("schema", "draft", table, "--target", "ill", "--name", "other"))
    shown = run("schema", "check", schema, table)
    assert "guesses in the schema are not confirmed" in shown
    assert "ignored" in shown
    assert "id" in shown


def refuse(*arguments: object, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """What the installed command prints when it refuses: standard output, standard error."""
    monkeypatch.setattr("sys.argv", ["headwater", *map(str, arguments)])
    monkeypatch.delenv("HEADWATER_TRACEBACK", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 1
    captured = capsys.readouterr()
    return captured.out, captured.err


def test_every_problem_is_listed_with_counts_and_no_value(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = tmp_path / "schema.toml"
    schema.write_text(run("schema", "draft", table, "--target", "ill"))
    broken = tmp_path / "broken.csv"
    broken.write_text(f"age,mean [cm],ward,ill\n200,{SECRET},north,0\n300,{SECRET},{SECRET},\n20,1,south,1\n")
    out, err = refuse("schema", "check", schema, broken, capsys=capsys, monkeypatch=monkeypatch)
    rows = [[cell.strip() for cell in line.split("│")[1:5]] for line in out.splitlines() if line.startswith("│")]
    assert [row[:3] for row in rows] == [
        ["age", "2", "changed"],
        ["mean [cm]", "2", "refused"],
        ["ward", "1", "refused"],
        ["ill", "1", "refused"],
    ]
    assert SECRET not in out + err
    assert err == "error: broken.csv has 3 problems that keep it from taking part; mend the table or the schema\n"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["draft", "absent.csv"], "there is no file"),
        (["draft", "."], "is a folder"),
        (["draft", "visits.csv", "--target", "nope"], "there is no column 'nope'"),
        (["check", "absent.toml", "visits.csv"], "there is no file"),
        (["check", "visits.csv", "visits.csv"], "not TOML"),
        (["check", "latin.toml", "visits.csv"], "not UTF-8"),
    ],
)
def test_bad_input_ends_in_one_line(
    table: Path,
    arguments: list[str],
    reason: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(table.parent)
    Path("latin.toml").write_bytes("name = 'é'".encode("latin-1"))
    out, err = refuse("schema", *arguments, capsys=capsys, monkeypatch=monkeypatch)
    assert out == ""
    assert err.startswith("error: ")
    assert reason in err
    assert err.count("\n") == 1


def test_cells_that_are_no_numbers_are_shown_on_the_terminal_and_not_in_the_schema(table: Path) -> None:
    table.write_text(TABLE.replace("35,2.143", "n/a?,2.143"))
    result = CliRunner().invoke(app, ["schema", "draft", str(table)], catch_exceptions=False)
    assert result.exit_code == 0
    assert result.stderr == (
        "warning: 1 of 60 values of column 'age' is no number (\"n/a?\", line 17): no table may hold such a value; "
        "mend or empty that cell\n"
    )
    assert "# 1 of 60 values of column 'age' is no number (line 17): no table" in result.stdout
    assert "n/a" not in result.stdout
    assert Schema.from_toml(result.stdout).columns[0].kind == "numeric"


def test_a_refused_cell_is_found_by_its_line(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = tmp_path / "schema.toml"
    schema.write_text(run("schema", "draft", table, "--target", "ill"))
    table.write_text(TABLE.replace("35,2.143", f"{SECRET},2.143"))
    out, _ = refuse("schema", "check", schema, table, capsys=capsys, monkeypatch=monkeypatch)
    assert "1 value is not numeric; mend them, or empty them and allow missing (line 17)" in " ".join(out.split())
    assert SECRET not in out


def test_a_column_name_cannot_break_out_of_a_comment(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('"x\nversion = 9",n\n,1\n,2\n')
    assert Schema.from_toml(run("schema", "draft", path)).names == ("n",)


def test_refusals_are_headwaters_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        CliRunner().invoke(app, ["schema", "draft", str(tmp_path)], catch_exceptions=False)
