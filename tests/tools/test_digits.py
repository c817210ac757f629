"""The digits row: its file is scikit-learn's, its figures are of the run."""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

import digits
from headwater.schema.draft import draft
from headwater.schema.reading import read_arrow


def test_the_file_holds_the_digits_and_is_drafted_as_one_image(tmp_path: Path) -> None:
    arrow = read_arrow(digits.digits_file(tmp_path))
    pixels, labels = load_digits(return_X_y=True)
    np.testing.assert_array_equal(arrow.column("pixel_3_4"), pixels[:, 28])
    np.testing.assert_array_equal(arrow.column("digit"), labels)
    schema = draft(arrow, "digit", "digits")
    assert schema.names == ("pixel", "digit")
    assert (schema.images[0].height, schema.images[0].width, schema.images[0].levels) == (8, 8, 17)


def test_digits_of_five_organisations_teach_more_than_those_of_one() -> None:
    row = digits.digits_row(seeds=(0,))
    assert row["accuracy"] >= 0.93
    assert row["alone"] < row["accuracy"] < row["real"]
    assert row["copies"] == 0
    assert row["nearest_synthetic"] > row["nearest_held_out"]
