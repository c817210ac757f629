"""CSV out: what a reader finds again, pandas as the judge reads it and ours alike."""

import datetime
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.schema import CategoricalColumn, DateColumn, NumericColumn, Schema
from headwater.schema.conform import load_table
from headwater.schema.reading import read_arrow
from headwater.schema.writing import write_csv


def judged(table: object) -> pd.DataFrame:
    """As tools/bench/quality.py reads it."""
    text = io.BytesIO()
    write_csv(table, text)
    return pd.read_csv(io.BytesIO(text.getvalue()), keep_default_na=False, na_values=[""])


def test_the_judge_finds_the_types_of_the_real_table() -> None:
    schema = Schema(
        name="t",
        columns=(
            NumericColumn(name="age", lower=0, upper=9, integer=True),
            NumericColumn(name="visits", lower=0, upper=9, integer=True, missing=True),
            NumericColumn(name="dose of x", lower=0, upper=9, missing=True),
            CategoricalColumn(name="target", categories=("0", "1")),
            CategoricalColumn(name="word", categories=(" 7", "?", "a,b", 'say "x"', "NA")),
        ),
    )
    arrow = pa.table(
        {
            "age": [1, 2, 3, 4, 5],
            "visits": [1, None, 2, 3, 4],
            "dose of x": [0.1, None, 1 / 3, 5.0, 1e-7],
            "target": ["0", "1", "1", "0", "1"],
            "word": [" 7", "?", "a,b", 'say "x"', "NA"],
        }
    )
    frame = judged(load_table(arrow, schema))
    assert [str(kind) for kind in frame.dtypes][:4] == ["int64", "float64", "float64", "int64"]
    assert frame["word"].tolist() == [" 7", "?", "a,b", 'say "x"', "NA"]
    assert frame["visits"].isna().tolist() == [False, True, False, False, False]
    np.testing.assert_array_equal(frame["dose of x"].dropna(), [0.1, 1 / 3, 5.0, 1e-7])


def test_dates_are_written_as_their_schema_says(tmp_path: Path) -> None:
    day = DateColumn(
        name="seen", lower=datetime.date(1960, 1, 1), upper=datetime.date(2020, 1, 1), format="%d.%m.%Y", missing=True
    )
    table = load_table(pa.table({"seen": ["31.12.1969", None]}), Schema(name="t", columns=(day,)))
    write_csv(table, tmp_path / "a.csv")
    assert read_arrow(tmp_path / "a.csv")["seen"].to_pylist() == ["31.12.1969", None]


text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@settings(deadline=None)
@given(st.lists(text, min_size=1))
def test_any_text_is_read_back_exactly(tmp_path_factory: pytest.TempPathFactory, words: list[str]) -> None:
    path = tmp_path_factory.mktemp("text") / "a.csv"
    write_csv(pa.table({"word": words, "n": pa.array([0] * len(words))}), path)
    assert [str(word) for word in read_arrow(path)["word"].to_pylist()] == words


def test_a_failed_write_leaves_what_stood_there_and_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.csv"
    write_csv(pa.table({"a": [1]}), path)

    def full(_: object, target: Path, __: object) -> None:
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pyarrow.csv, "write_csv", full)
    with pytest.raises(OSError, match="No space"):
        write_csv(pa.table({"a": [2]}), path)
    assert path.read_bytes() == b'"a"\n1\n'
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.csv"]
