"""`headwater audit` as a person meets it: verdict, exit status, report, and one clear line for each mistake."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
from click.testing import Result
from typer.testing import CliRunner

from headwater.cli import app
from headwater.evidence.measure import Measure
from headwater.release.evidence import Evidence
from headwater.release.policy import Decision
from headwater.schema.writing import write_csv
from support.reference_generators import SCHEMA, Generator, fixture, law, memoriser, safe

ROWS, FEW = 1800, 400


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["audit", *map(str, arguments)], catch_exceptions=False)


def files(folder: Path, generator: Generator, seed: int = 1, rows: int = ROWS) -> list[object]:
    train, holdout, random = fixture(seed, rows, rows)
    for name, table in (("train", train), ("holdout", holdout), ("synthetic", generator(train, random))):
        write_csv(table, folder / f"{name}.csv")
    (folder / "schema.toml").write_text(SCHEMA.to_toml(), encoding="utf-8")
    return options(folder)


def options(folder: Path) -> list[object]:
    given: list[object] = ["--schema", folder / "schema.toml", "--seed", 1]
    for name in ("train", "holdout", "synthetic"):
        given += [f"--{name}", folder / f"{name}.csv"]
    return given


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """An audit of a table of which a fifth is copied, with its page and its figures."""
    folder = tmp_path_factory.mktemp("copied")
    declared = ["--group", "origin", "--secret", "illness", "--task", "approved"]
    found = run(*files(folder, memoriser(0.2)), *declared, "--html", folder / "a.html", "--json", folder / "a.json")
    return folder, found


def test_a_copier_fails_with_status_1_and_copying_is_named(copied: tuple[Path, Result]) -> None:
    _, found = copied
    assert found.exit_code == 1
    assert "Fail: do not publish this table." in found.stdout
    assert "raining rows were copied" in found.stdout
    assert "Mend the generator" in found.stdout


def test_each_gate_has_a_line_and_those_of_a_federation_do_not_apply(copied: tuple[Path, Result]) -> None:
    _, found = copied
    for gate in range(14):
        assert re.search(rf"G{gate} ", found.stdout)
    document = json.loads((copied[0] / "a.json").read_text(encoding="utf-8"))
    decision = Decision.model_validate_json(json.dumps(document["decision"]))
    outcomes = {result.gate: result.outcome for result in decision.gates}
    assert {outcomes[gate] for gate in ("G1", "G2", "G3", "G13")} == {"not applicable"}
    assert outcomes["G6"] == "fail"


def test_progress_names_every_check_with_its_time(copied: tuple[Path, Result]) -> None:
    _, found = copied
    assert re.search(r"\[1/\d+\] controls: \d+\.\d s of CPU time", found.stderr)
    assert "linkability" in found.stderr


def test_the_figures_are_the_document_that_the_policy_judged(copied: tuple[Path, Result]) -> None:
    folder, _ = copied
    document = json.loads((folder / "a.json").read_text(encoding="utf-8"))
    evidence = Evidence.model_validate_json(json.dumps(document["evidence"]))
    assert evidence.rows == ROWS
    assert evidence.source == "one holder of files"
    assert {"linkability", "copies.near", "validity", "marginals.1-way"} <= {m.check for m in evidence.measures}
    assert document["seed"] == 1


class Page(HTMLParser):
    """What a page holds, as far as the tests ask."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_the_page_is_complete_in_itself_and_needs_no_script(copied: tuple[Path, Result]) -> None:
    text = (copied[0] / "a.html").read_text(encoding="utf-8")
    page = Page(text)
    assert not page.all("script")
    assert not page.all("link")
    assert not page.all("img")
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert not re.search(r"https?://", text)
    assert not re.search(r"url\((?!#)", text)
    assert all((found.get("href") or "").startswith("#") for found in page.all("a"))


def test_the_page_speaks_to_those_who_do_not_see_it(copied: tuple[Path, Result]) -> None:
    page = Page((copied[0] / "a.html").read_text(encoding="utf-8"))
    assert page.all("html")[0]["lang"] == "en"
    assert len(page.all("h1")) == 1
    assert len(page.all("caption")) == len(page.all("table")) > 3
    charts = [found for found in page.all("div") if found.get("class") == "chart"]
    assert len(charts) == len(page.all("svg")) > 2
    assert all(found["role"] == "img" and len(found["aria-label"] or "") > 40 for found in charts)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_the_page_says_what_could_not_have_been_seen(copied: tuple[Path, Result]) -> None:
    text = (copied[0] / "a.html").read_text(encoding="utf-8")
    assert "Fail: do not publish this table." in text
    assert "What this audit could not have seen" in text
    assert "Two disjoint halves of the columns" in text
    assert "Would have found" in text


def test_an_honest_table_passes_with_status_0(tmp_path: Path) -> None:
    found = run(*files(tmp_path, safe, 3), "--quick")
    assert found.exit_code == 0, found.stdout
    assert "Pass" in found.stdout


def test_a_table_too_small_to_judge_is_inconclusive_with_status_3(tmp_path: Path) -> None:
    found = run(*files(tmp_path, safe, 4, 200), "--quick", "--html", tmp_path / "a.html")
    assert found.exit_code == 3, found.stdout
    assert "Inconclusive" in found.stdout
    assert "the self-test needs 1800" in (tmp_path / "a.html").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files(tmp_path, safe, rows=FEW)
    return tmp_path


def refused(found: Result) -> str:
    assert found.exit_code == 2
    (line,) = [line for line in found.stderr.splitlines() if line.startswith("error: ")]
    return line


def without(path: Path, column: str, more: str | None = None) -> None:
    table = pyarrow.csv.read_csv(path)
    table = table.drop_columns([column])
    if more is not None:
        table = table.append_column(more, pa.array(["x"] * table.num_rows))
    pyarrow.csv.write_csv(table, path)


def test_columns_that_differ_are_all_named_in_one_line(folder: Path) -> None:
    without(folder / "holdout.csv", "age")
    without(folder / "synthetic.csv", "work", "employer")
    line = refused(run(*options(folder)))
    assert "holdout.csv lacks 'age'" in line
    assert "synthetic.csv lacks 'work' and has in addition 'employer'" in line


def test_a_holdout_that_was_not_held_out_is_refused(folder: Path) -> None:
    (folder / "holdout.csv").write_bytes((folder / "train.csv").read_bytes())
    assert "was not held out" in refused(run(*options(folder)))


def test_one_file_in_two_roles_is_refused(folder: Path) -> None:
    given = [folder / "train.csv" if str(part).endswith("holdout.csv") else part for part in options(folder)]
    assert "one file is given twice" in refused(run(*given))


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        (["--policy", "stern"], "there is no policy 'stern'"),
        (["--group", "town"], "--group town: there is no such column"),
        (["--group", "age"], "--group age: a numeric column has no groups"),
        (["--secret", "town"], "--secret town: there is no such column"),
        (["--task", "town"], "--task town: there is no such column"),
    ],
)
def test_what_is_declared_must_be_there(folder: Path, extra: list[str], told: str) -> None:
    assert told in refused(run(*options(folder), *extra))


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "synthetic.csv").unlink()
    assert "synthetic.csv" in refused(run(*options(folder)))


def test_a_package_of_the_extra_is_asked_for_before_any_work(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headwater.cli.auditing.find_spec", lambda name: None if name == "fairlearn" else object())
    line = refused(run(*options(folder)))
    assert line == "error: the package fairlearn is not installed; pip install 'headwater[audit]' brings it"


def test_without_a_schema_one_is_guessed_and_that_is_said_loudly(tmp_path: Path) -> None:
    given = files(tmp_path, safe, 6, FEW)[2:]
    found = run(*given, "--quick", "--task", "approved", "--html", tmp_path / "a.html")
    assert found.exit_code in (0, 3)
    assert "No --schema: one was guessed" in " ".join(found.stderr.split())
    assert "guessed from the real rows and confirmed by nobody" in (tmp_path / "a.html").read_text(encoding="utf-8")


def test_values_that_the_schema_refuses_are_a_finding_and_not_the_end(tmp_path: Path) -> None:
    given = files(tmp_path, safe, 7, FEW)
    table = pyarrow.csv.read_csv(tmp_path / "synthetic.csv")
    work = np.array(table.column("work").to_pylist(), dtype=object)
    work[:20] = "astronaut"
    table = table.set_column(table.column_names.index("work"), "work", pa.array(work.tolist(), pa.string()))
    pyarrow.csv.write_csv(table, tmp_path / "synthetic.csv")
    found = run(*given, "--quick", "--json", tmp_path / "a.json")
    assert found.exit_code == 1
    assert "Values are outside the schema" in found.stdout
    assert "20 values are in none of the" in " ".join(found.stderr.split())
    measures = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))["evidence"]["measures"]
    (validity,) = [Measure.model_validate(measure) for measure in measures if measure["check"] == "validity"]
    assert validity.value == pytest.approx(1 - 20 / FEW)


def test_a_name_with_markup_is_shown_and_not_obeyed(tmp_path: Path) -> None:
    odd = "<b>$x$ & [red]"
    train, holdout, random = fixture(8, 400, 400)
    for name, table in (("train", train), ("holdout", holdout), ("synthetic", law(400, random))):
        arrow = table.to_arrow()
        arrow = arrow.rename_columns([odd if column == "origin" else column for column in arrow.column_names])
        pyarrow.csv.write_csv(arrow, tmp_path / f"{name}.csv")
    columns = tuple(
        column.model_copy(update={"name": odd}) if column.name == "origin" else column for column in SCHEMA.columns
    )
    (tmp_path / "schema.toml").write_text(SCHEMA.model_copy(update={"columns": columns}).to_toml(), encoding="utf-8")
    found = run(*options(tmp_path), "--quick", "--group", odd, "--html", tmp_path / "a.html")
    assert found.exit_code in (0, 1, 3)
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "<b>" not in text
    assert "&lt;b&gt;$x$ &amp; [red]" in text


def test_rows_of_sdvs_gaussian_copula_are_audited_as_any_others(tmp_path: Path) -> None:
    # tools/gen_copula_rows.py made them of these training rows.
    given = files(tmp_path, safe, 11, 2000)
    (tmp_path / "synthetic.csv").write_bytes(Path(__file__).with_name("gaussian_copula.csv").read_bytes())
    found = run(*given, "--quick", "--json", tmp_path / "a.json")
    document = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    outcomes = {result["gate"]: result["outcome"] for result in document["decision"]["gates"]}
    # It copies nobody, and it does not know what hangs together.
    assert found.exit_code == 1
    assert outcomes["G6"] == "pass"
    assert outcomes["G9"] == "fail"
    assert "columns differ" in found.stdout
