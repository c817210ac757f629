"""The bins that peers are given: made of the public grid alone, or of noisy counts that they pay for."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from peers.dpmm_tables import BINNING_SHARE, Category, Numeric, bin_columns

CELLS = {"name": "gain", "missing": True, "special": [0.0], "lows": [1, 2, 3, 5, 9, 17], "highs": [1, 2, 4, 8, 16, 99]}
GAIN: dict[str, Any] = {**CELLS, "whole": True}
SEX: dict[str, Any] = {"name": "sex", "missing": True, "categories": ["f", "m"]}
VALUES = pd.Series([0, 1, 4, 5, 16, 99, np.nan])


def settings(**changes: Any) -> dict[str, Any]:
    return {"binning": "cells", "bins": 3, "weighed": False, "rho": 0.5} | changes


def test_cells_of_the_grid_are_joined_by_their_number_and_special_values_stand_alone() -> None:
    column = Numeric(GAIN)
    column.even(3, "cells")

    assert column.encode(VALUES).tolist() == [0, 1, 2, 2, 3, 3, 4]
    assert column.size == 5


def test_bins_of_even_width_part_the_bounds() -> None:
    column = Numeric(GAIN)
    column.even(3, "width")

    assert column.encode(VALUES).tolist() == [0, 1, 1, 1, 1, 2, 3]


def test_each_value_is_drawn_in_the_bin_that_it_was_encoded_to() -> None:
    column, random = Numeric(GAIN), np.random.default_rng(1)
    column.even(3, "cells")
    codes = np.repeat(np.arange(column.size), 200)
    drawn = column.decode(codes, random)

    assert column.encode(pd.Series(drawn)).tolist() == codes.tolist()
    assert np.isnan(drawn[codes == 4]).all()
    assert {5, 8} <= set(drawn[codes == 2]) <= set(range(3, 9))


def test_a_cell_is_drawn_by_its_count_where_that_is_clear_of_noise() -> None:
    column, random = Numeric(GAIN), np.random.default_rng(1)
    column.even(3, "cells")
    column.weigh(np.asarray([50.0, 3, 900, -40, 10, 5, 5, 0]), deviation=10.0)
    drawn = column.decode(np.full(500, 1), random)

    assert np.mean(drawn == 2) > 0.98


def test_adaptive_bins_hold_as_much_as_was_asked_for() -> None:
    column = Numeric(GAIN)
    column.adaptive(np.asarray([100.0, 400, 20, 30, 60, 300, 40, 0]), deviation=1.0, bins=5)

    # 950 rows in five bins: 1 alone has enough, 2 to 8 lie between two that have, what is left over joins the last.
    assert column.encode(VALUES).tolist() == [0, 1, 2, 2, 3, 3, 4]


def test_only_counted_cells_cost_a_share_of_the_budget() -> None:
    table = pd.DataFrame({"gain": VALUES, "sex": ["f", "m", "m", None, "f", "f", "m"]})
    free, paid = bin_columns(table, [GAIN, SEX], settings())
    assert paid == 0
    assert free["sex"].encode(table["sex"]).tolist() == [0, 1, 1, 2, 0, 0, 1]
    for bought in (settings(weighed=True), settings(binning="adaptive")):
        assert bin_columns(table, [GAIN, SEX], bought)[1] == BINNING_SHARE
    assert bin_columns(table, [SEX], settings(weighed=True))[1] == 0


def test_categories_come_back() -> None:
    column = Category(SEX)

    assert column.decode(np.asarray([1, 0, 2]), np.random.default_rng(1)).tolist() == ["m", "f", None]
    with pytest.raises(KeyError):
        column.encode(pd.Series(["x"]))
