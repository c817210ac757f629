"""Pictures in files: both forms read alike, everything that is no picture is named."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from headwater.errors import InputError
from headwater.schema import ImageColumn, Schema
from headwater.schema.conform import check, conform
from headwater.schema.draft import draft
from headwater.schema.image import pixel_columns, pixel_names
from headwater.schema.reading import read_arrow
from headwater.schema.table import Table
from headwater.schema.writing import write_csv
from support.pictures import IMAGE, PICTURES, picture_table


def lists(pictures: list[Any]) -> pa.Table:
    return pa.table({"scan": pictures, "shape": ["bar"] * len(pictures)})


def refusals(arrow: pa.Table) -> list[str]:
    return [problem.what for problem in check(arrow, PICTURES) if problem.severity == "refused"]


def test_pictures_come_back_from_csv_and_from_parquet(tmp_path: Path) -> None:
    table = picture_table(20)
    write_csv(table, tmp_path / "scans.csv")
    pyarrow.parquet.write_table(table.to_arrow(), tmp_path / "scans.parquet")
    for name in ("scans.csv", "scans.parquet"):
        read, problems = conform(read_arrow(tmp_path / name), PICTURES)
        assert problems == ()
        np.testing.assert_array_equal(read.columns["scan"], table.columns["scan"])
    assert pyarrow.parquet.read_table(tmp_path / "scans.parquet").schema.field("scan").type.list_size == 16


def test_a_csv_has_a_column_for_each_pixel_in_the_place_of_the_image() -> None:
    wide = pixel_columns(picture_table(3).to_arrow(), PICTURES)
    assert wide.column_names == [*pixel_names(IMAGE), "shape"]
    assert wide.column("scan_2_1").to_pylist() == picture_table(3).columns["scan"][:, 9].tolist()


@pytest.mark.parametrize(
    ("pictures", "said"),
    [
        ([[0] * 15], "1 picture has another length than 4 × 4 = 16"),
        ([[0] * 16, None], "1 picture has a missing pixel"),
        ([[None] * 16], "1 picture has a missing pixel"),
        ([[0.5] * 16, [1] * 16], "1 picture has a pixel that is no whole number"),
        ([[8] * 16, [-1] * 16], "2 pictures have a level outside 0 to 7"),
        (["black"], "of type string; give lists of 16 whole numbers"),
    ],
)
def test_what_is_no_picture_is_refused_and_counted(pictures: list[Any], said: str) -> None:
    (what,) = refusals(lists(pictures))
    assert what.startswith(said)


def test_pixel_columns_that_are_not_all_there_are_named() -> None:
    arrow = pixel_columns(picture_table(4).to_arrow(), PICTURES)
    (what,) = refusals(arrow.drop_columns(["scan_1_2", "scan_3_3"]))
    assert "14 of its 16 pixel columns" in what
    assert "scan_1_2 is the first" in what
    (what,) = refusals(arrow.select(["shape"]))
    assert "the columns scan_0_0 to scan_3_3" in what
    (what,) = refusals(arrow.append_column("scan", [[[0] * 16] * 4]))
    assert "drop one" in what


def test_a_problem_never_shows_a_level() -> None:
    problems = check(lists([[77] * 16]), PICTURES)
    assert all("77" not in problem.what for problem in problems)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"height": 40, "width": 40}, "1600 pixels, at most 1024"),
        ({"missing": True}, "never missing"),
        ({"role": "target"}, "never the target"),
        ({"levels": 1}, "levels"),
    ],
)
def test_a_schema_refuses_what_no_image_can_be(changes: dict[str, object], said: str) -> None:
    entry = {"name": "scan", "kind": "image", "height": 4, "width": 4} | changes
    with pytest.raises(InputError, match=said):
        Schema.from_document({"name": "scans", "columns": [entry]})


def test_a_schema_with_an_image_is_the_same_after_toml() -> None:
    assert Schema.from_toml(PICTURES.to_toml()) == PICTURES


def test_a_table_refuses_pictures_of_another_size() -> None:
    columns = dict(picture_table(4).columns)
    columns["scan"] = columns["scan"][:, :9]
    with pytest.raises(InputError, match="uint8"):
        Table(PICTURES, columns, 4)


def test_rows_with_pictures_can_be_taken_and_put_together() -> None:
    table = picture_table(10)
    both = Table.concat([table.take(np.arange(4)), table.take(np.arange(10) >= 4)])
    np.testing.assert_array_equal(both.columns["scan"], table.columns["scan"])


def test_a_draft_finds_pictures_in_both_forms() -> None:
    arrow = picture_table(60).to_arrow()
    for rows in (arrow, pixel_columns(arrow, PICTURES)):
        schema = draft(rows, "shape", "scans")
        assert schema.names == ("scan", "shape")
        (image,) = schema.images
        assert (image.height, image.width, image.levels) == (4, 4, 8)
        assert image.unconfirmed == ("height", "width", "levels")


def test_a_draft_leaves_numbers_that_are_no_pictures_alone() -> None:
    hole = pixel_columns(picture_table(30).to_arrow(), PICTURES).drop_columns(["scan_0_3"])
    assert not draft(hole, "shape", "scans").images
    measured = pa.table({"dose_0_0": [0.5] * 4, "dose_0_1": [1.5] * 4, "dose_1_0": [2.5] * 4, "dose_1_1": [3.0] * 4})
    assert not draft(measured, None, "doses").images


def test_an_image_says_how_many_pixels_it_has() -> None:
    assert ImageColumn(name="x", height=3, width=5).pixels == 15
