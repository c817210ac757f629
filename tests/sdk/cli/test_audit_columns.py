"""Columns that no schema can hold are named with the reason, not called additions of one file."""

from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pytest

from headwater.cli.audit_files import read_files
from headwater.errors import InputError

ROWS = 300


def write(folder: Path, without: tuple[str, ...] = ()) -> tuple[Path, Path, Path]:
    paths = []
    for place, name in enumerate(("train", "holdout", "synthetic")):
        columns = {
            "age": [20 + (row * 7 + place) % 60 for row in range(ROWS)],
            "notes": [f"seen on day {row} by number {row * 31 + place}" for row in range(ROWS)],
            "empty": pa.nulls(ROWS, pa.string()),
        }
        kept = {column: values for column, values in columns.items() if name != "synthetic" or column not in without}
        pyarrow.csv.write_csv(pa.table(kept), folder / f"{name}.csv")
        paths.append(folder / f"{name}.csv")
    train, holdout, synthetic = paths
    return train, holdout, synthetic


def test_columns_that_a_draft_leaves_out_are_named_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(InputError) as told:
        read_files(*write(tmp_path), schema_file=None)
    said = str(told.value)
    assert "has in addition" not in said
    assert "'notes', which in the real rows holds 600 different texts in 600 rows: free text" in said
    assert "'empty', which in the real rows holds no value" in said
    assert "seen on day" not in said


def test_without_them_the_audit_goes_on_and_says_what_it_leaves_out(tmp_path: Path) -> None:
    files = read_files(*write(tmp_path, ("notes", "empty")), None)
    assert files.schema.names == ("age",)
    assert [notice.split(":")[1].split(",")[0] for notice in files.notices] == [" column 'notes'", " column 'empty'"]


def test_a_column_of_the_synthetic_file_alone_is_an_addition(tmp_path: Path) -> None:
    paths = write(tmp_path, ("notes", "empty"))
    table = pyarrow.csv.read_csv(paths[2])
    pyarrow.csv.write_csv(table.append_column("employer", pa.array(["x"] * ROWS)), paths[2])
    with pytest.raises(InputError, match=r"synthetic\.csv has in addition 'employer'"):
        read_files(*paths, None)
