"""The description of a data frame is harmless where it is what a library writes of these columns, and not else."""

import json

import pytest

from headwater.audit.frame_description import said_beyond
from headwater.schema import NumericColumn, Schema

SCHEMA = Schema(name="ages", columns=(NumericColumn(name="age", lower=0, upper=120),))
COLUMN = {"name": "age", "field_name": "age", "pandas_type": "float64", "numpy_type": "float64", "metadata": None}
PLAIN: dict[str, object] = {
    "index_columns": [{"kind": "range", "name": None, "start": 0, "stop": 9, "step": 1}],
    "column_indexes": [],
    "columns": [COLUMN],
    "attributes": {},
    "creator": {"library": "pyarrow", "version": "26.0.1"},
    "pandas_version": "3.1.1",
}


def beyond(text: str) -> tuple[str, ...]:
    return said_beyond(text.encode(), ["age"], 9, SCHEMA)


def test_what_libraries_write_is_harmless_in_either_form() -> None:
    assert beyond(json.dumps(PLAIN)) == ()
    assert beyond(json.dumps(PLAIN, separators=(",", ":"))) == ()
    assert beyond(json.dumps(PLAIN | {"index_columns": []})) == ()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"index_columns": ["patient"]}, "an index"),
        ({"index_columns": [{"kind": "range", "name": None, "start": 40, "stop": 49, "step": 1}]}, "an index"),
        ({"column_indexes": [{"name": "x"}]}, "a name of the columns' index"),
        (
            {"columns": [COLUMN | {"metadata": {"num_categories": 3, "ordered": False}}]},
            "columns that the file has not",
        ),
        ({"columns": [COLUMN | {"numpy_type": "made for Ada"}]}, "columns that the file has not"),
        ({"columns": []}, "columns that the file has not"),
        ({"attributes": {"source": "x"}}, "attributes"),
        ({"creator": {"library": "Ada's script", "version": "1"}}, "a writer that is unknown"),
        ({"pandas_version": "rows of Ada"}, "a writer that is unknown"),
        ({"more": 1}, "entries that pandas does not write"),
    ],
)
def test_each_part_is_looked_at(changes: dict[str, object], words: str) -> None:
    assert beyond(json.dumps(PLAIN | changes)) == (words,)


@pytest.mark.parametrize("text", ["{", "[]", '{"a": 1, "a": 2}', json.dumps(PLAIN) + "  "])
def test_another_form_may_hide_anything(text: str) -> None:
    (words,) = beyond(text)
    assert "JSON" in words
