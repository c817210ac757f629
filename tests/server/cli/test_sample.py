"""`sample` from a bundle to a file: what it writes, and what it refuses without leaving anything."""

import errno
import os
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet
import pytest
import typer
from typer.testing import CliRunner

import headwater_server.cli.sample as command
import headwater_server.sampling.trial as trial
from headwater.errors import HeadwaterError, InputError, StorageError
from headwater.generator import row_file as writing
from headwater.generator.bundle import Bundle
from headwater.generator.sampler import MixtureSampler
from support.likeness import fitted_mixture


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    mixture, encoding = fitted_mixture(800)
    folder = tmp_path_factory.mktemp("simulation") / "generator"
    Bundle(MixtureSampler(mixture), encoding).save(folder)
    return folder


def run(*given: object) -> str:
    """The command as a person gives it."""
    app = typer.Typer()
    app.callback()(lambda: None)
    command.register(app)
    result = CliRunner().invoke(app, ["sample", *map(str, given)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_rows_satisfy_all_conditions_and_carry_weights(bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.parquet"
    said = run(
        bundle, "--rows", 9000, "--where", "age=30..70", "--where", "ward=a|", "--balanced", "outcome", "--out", out
    )
    rows = pyarrow.parquet.read_table(out).to_pandas()
    assert len(rows) == 9000
    assert rows["age"].between(30, 70).all()
    assert set(rows["ward"].dropna()) == {"a"}
    assert rows["ward"].isna().any()
    assert (rows["outcome"] == "ill").mean() == pytest.approx(0.5, abs=0.01)
    assert rows["weight"].gt(0).all()
    assert "NOT DIFFERENTIALLY PRIVATE" in said


def test_two_parts_are_the_whole(bundle: Path, tmp_path: Path) -> None:
    """The simulation's own folder will do as the source."""
    for name, rows, start in (("whole", 3000, 0), ("first", 1000, 0), ("second", 2000, 1000)):
        run(bundle.parent, "--rows", rows, "--start", start, "--seed", 4, "--out", tmp_path / f"{name}.csv.gz")
    whole, first, second = (
        pyarrow.csv.read_csv(tmp_path / f"{name}.csv.gz").to_pandas() for name in ("whole", "first", "second")
    )
    assert whole.iloc[:1000].equals(first)
    assert whole.iloc[1000:].reset_index(drop=True).equals(second)


def test_views_are_written_in_groups(bundle: Path, tmp_path: Path) -> None:
    run(bundle, "--rows", 900, "--views", 3, "--view-std", 0.1, "--out", tmp_path / "views.csv")
    rows = pyarrow.csv.read_csv(tmp_path / "views.csv").to_pandas()
    assert rows.groupby("group_id").size().eq(3).all()


def test_a_dry_run_says_what_it_would_take_and_writes_nothing(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "_LEARNED_FROM", 400)
    monkeypatch.setattr(trial, "_PAIRS", 100)
    monkeypatch.setattr(trial, "VIEW_STEPS", (0.0, 30.0))
    out = tmp_path / "rows.parquet"
    said = run(bundle, "--rows", 5000, "--where", "age=30..45", "--where", "income=1..20000", "--dry-run", "--out", out)
    assert "of its rows" in said
    assert "5,000 rows: about" in said
    said = run(bundle, "--views", 2, "--dry-run", "--out", out)
    assert "100.0%" in said
    assert "agree up to 0" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (("--out", "{tmp}/rows.xlsx"), "name the file by its format"),
        (("--out", "{tmp}/taken.csv"), "is there already"),
        (("--out", "{tmp}/nowhere/rows.csv"), "there is no folder"),
        ((), "no file to write"),
        (("--out", "{tmp}/rows.csv", "--where", "ages=3"), "did you mean 'age'"),
        (("--out", "{tmp}/rows.csv", "--where", "income=999990..999991"), "holds for"),
        (("--out", "{tmp}/rows.csv", "--balanced", "outcome=ill"), "COLUMN=VALUE:SHARE"),
        (("--out", "{tmp}/rows.csv", "--balanced", "outcome=ill:0.5|well:0.6"), "sum to 1"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_left(
    bundle: Path, tmp_path: Path, given: tuple[str, ...], line: str
) -> None:
    (tmp_path / "taken.csv").write_text("mine")
    with pytest.raises(InputError, match=line):
        run(bundle, *(text.format(tmp=tmp_path) for text in given))
    assert [entry.name for entry in tmp_path.iterdir()] == ["taken.csv"]
    assert (tmp_path / "taken.csv").read_text() == "mine"


def test_a_name_may_be_as_long_as_any(bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / f"{'r' * 251}.csv"
    run(bundle, "--rows", 10, "--out", out)
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize(
    ("number", "line"),
    [
        (errno.ENOSPC, "the disk is full; make room, nothing was kept"),
        (errno.EIO, "Input/output error; mend that or choose another --out, nothing was kept"),
    ],
)
def test_a_disk_that_fails_leaves_nothing(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, line: str
) -> None:
    class Full:
        def write_table(self, table: object) -> None:
            raise OSError(number, os.strerror(number))

        def close(self) -> None:
            raise OSError(number, os.strerror(number))

    def begun(unfinished: Path, *_: object) -> Full:
        unfinished.write_text("half")
        return Full()

    monkeypatch.setattr(writing, "_open", begun)
    with pytest.raises(StorageError, match=line):
        run(bundle, "--out", tmp_path / "rows.parquet")
    assert list(tmp_path.iterdir()) == []


def test_a_source_that_is_none_is_refused(tmp_path: Path) -> None:
    for named in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(HeadwaterError, match=r"no generator|no coordinator"):
            run(named, "--dry-run", "--home", tmp_path / "home")
