"""Cells that are no numbers among numbers: when a column is numeric all the same, and what is said of them."""

import gzip
from pathlib import Path

import pyarrow as pa
import pytest

from headwater.errors import InputError
from headwater.schema import CategoricalColumn, NumericColumn
from headwater.schema.conform import check, conform
from headwater.schema.draft import Draft, draft_with_odd_cells
from headwater.schema.odd_cells import OddCells
from headwater.schema.row_lines import lines_of_rows, place_in_words


def drafted(cells: list[str], target: str | None = None) -> Draft:
    return draft_with_odd_cells(pa.table({"age": cells, "sex": ["f", "m"] * (len(cells) // 2)}), target, "t")


def ages(rows: int, different: int = 60) -> list[str]:
    return [str(20 + row % different) for row in range(rows)]


def test_one_bad_cell_leaves_a_column_numeric_and_is_named() -> None:
    cells = ages(26_050)
    cells[15], cells[40] = "n/a?", ""
    draft = drafted(cells)
    column = draft.schema.columns[0]
    assert isinstance(column, NumericColumn)
    assert (column.lower, column.upper, column.integer, column.missing) == (20, 79, True, True)
    assert {"kind", "missing"} <= set(column.unconfirmed)
    (odd,) = draft.odd_cells
    assert odd == OddCells("age", 1, 26_049, (15,), ("n/a?",), "numbers")
    assert odd.in_words({15: 17}) == (
        "1 of 26,049 values of column 'age' is no number (\"n/a?\", line 17): no table may hold such a value; mend or "
        "empty that cell"
    )
    assert odd.in_words().count('"n/a?", row 16') == 1
    assert "n/a" not in odd.in_words(quoting=False)


def test_the_line_does_what_it_says_when_the_cell_is_emptied() -> None:
    cells = ages(200)
    cells[7] = "n/a"
    draft = drafted(cells)
    given = pa.table({"age": cells, "sex": ["f", "m"] * 100})
    with pytest.raises(InputError, match=r"column 'age': 1 value is not numeric; .*headwater schema check says where"):
        conform(given, draft.schema)
    (problem,) = check(given, draft.schema)
    assert (problem.severity, problem.count, problem.rows) == ("refused", 1, (7,))
    assert problem.with_places({7: 9}).endswith("(line 9)")
    assert problem.with_places({}).endswith("(row 8)")
    mended = given.set_column(0, "age", pa.array([None if cell == "n/a" else cell for cell in cells]))
    assert conform(mended, draft.schema)[1] == ()


@pytest.mark.parametrize(
    ("rows", "different", "bad", "becomes", "said"),
    [
        (1000, 60, ["?"] * 10, NumericColumn, "numbers"),
        (1000, 60, ["?"] * 11, CategoricalColumn, "categories"),
        (50, 40, ["?"], NumericColumn, "numbers"),
        (50, 40, ["?", "x"], type(None), "nothing"),
        (1000, 60, ["NA"] * 250, CategoricalColumn, "categories"),
        (1000, 60, ["NA"] * 251, CategoricalColumn, None),
        # Few numbers may be codes, and a text beside them another one.
        (1000, 5, ["9b"], NumericColumn, "numbers"),
        (1000, 5, ["9b", "9b"], CategoricalColumn, None),
        (98, 5, ["9b", ""], CategoricalColumn, None),
    ],
)
def test_how_many_bad_cells_make_a_column_text(
    rows: int, different: int, bad: list[str], becomes: type, said: str | None
) -> None:
    # After the first rows: a glance at the top must not decide.
    cells = [*ages(rows - len(bad), different), *bad]
    draft = drafted(cells)
    found = next((column for column in draft.schema.columns if column.name == "age"), None)
    assert isinstance(found, becomes)
    assert [odd.drafted for odd in draft.odd_cells] == ([] if said is None else [said])


@pytest.mark.parametrize(("drafted_as", "says"), [("categories", "drafted as categories"), ("nothing", "left out")])
def test_what_became_of_the_column_is_said(drafted_as: str, says: str) -> None:
    odd = OddCells("a\nb", 5, 9, (1, 4, 2), ("x\ny", "\x1b[2J", "z" * 99), drafted_as)  # type: ignore[arg-type]
    line = odd.in_words()
    assert says in line
    assert line.isprintable()
    assert '("x?y", row 2; "?[2J", row 5; "' + "z" * 40 + '…", row 3; …)' in line


def test_the_most_frequent_cells_are_shown_where_they_first_stand() -> None:
    cells = ages(2000)
    for place, cell in ((5, "?"), (9, "NA"), (11, "NA"), (12, "?"), (13, "NA"), (14, "-"), (20, "b"), (21, "a")):
        cells[place] = cell
    (odd,) = drafted(cells).odd_cells
    assert (odd.texts, odd.rows, odd.count) == (("NA", "?", "-"), (9, 5, 14), 8)


def test_a_target_that_cannot_be_taken_says_why() -> None:
    with pytest.raises(InputError, match=r"2 of 50 values of column 'age' are no numbers .* left out"):
        drafted([*ages(48, 40), "?", "x"], "age")


CSV = '\n"a\nb",c\n\n1,"two\n\nlines"\n3,4\n\n5,6\n'


@pytest.mark.parametrize(
    ("name", "content"), [("a.csv", CSV.encode()), ("a.CSV.gz", gzip.compress(CSV.encode(), mtime=0))]
)
def test_rows_are_found_on_their_lines_past_empty_and_broken_ones(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert lines_of_rows(tmp_path / name, [0, 1, 2, 7]) == {0: 5, 1: 8, 2: 10}
    assert lines_of_rows(tmp_path / name, []) == {}


def test_rows_without_a_line_are_counted(tmp_path: Path) -> None:
    assert lines_of_rows(tmp_path / "a.parquet", [3]) == {}
    assert lines_of_rows(tmp_path / "absent.csv", [3]) == {}
    assert place_in_words(3, {}) == "row 4"
    assert place_in_words(1233, {1233: 1235}) == "line 1,235"
