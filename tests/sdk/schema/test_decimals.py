"""Numbers of so many decimals: found exactly, rounded within bounds, and written with no digit more."""

import io
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.schema import NumericColumn, Schema
from headwater.schema.decimals import decimals_of, first_unit, last_unit, rounded
from headwater.schema.table import Table
from headwater.schema.writing import write_csv

written = st.integers(0, 15).flatmap(
    lambda decimals: st.tuples(st.just(decimals), st.integers(-(10**15), 10**15)).map(
        lambda pair: Decimal(pair[1]).scaleb(-pair[0])
    )
)


@given(st.lists(written, min_size=1, max_size=8))
def test_the_fewest_decimals_that_write_every_value_are_found(values: list[Decimal]) -> None:
    digits = [max(0, -int(str(value.normalize().as_tuple().exponent))) for value in values]
    found = decimals_of(np.asarray([float(value) for value in values]))
    if max(abs(value) for value in values) * 10 ** max(digits) <= 2**53:
        assert found == max(digits)
    else:
        assert found is None or found <= max(digits)


@pytest.mark.parametrize("values", [[1 / 3], [0.1 + 0.2], [0.5, 1e-16], [1e9, 1e-9], [1e100, 0.5]])
def test_values_of_more_digits_than_are_kept_have_no_decimals(values: list[float]) -> None:
    assert decimals_of(np.asarray(values)) is None


@given(st.integers(0, 15), st.lists(st.floats(-1, 1), min_size=1))
def test_rounding_goes_to_the_nearest_and_keeps_bounds(decimals: int, shares: list[float]) -> None:
    bound = min(2**53 / 10.0**decimals, 1e9) * 0.99
    lower, upper = (float(edge) for edge in rounded(np.asarray([-bound, bound / 3]), decimals))
    values = np.clip(np.asarray(shares) * bound, lower, upper)
    near = rounded(values, decimals)
    assert ((near >= lower) & (near <= upper)).all()
    assert (np.abs(near - values) <= 0.5 / 10.0**decimals * (1 + 1e-9) + 1e-15 * np.abs(values)).all()
    np.testing.assert_array_equal(rounded(near, decimals), near)
    for value in near.tolist():
        assert round(value, decimals) == value


@given(st.integers(0, 6), st.floats(-1e6, 1e6))
def test_first_and_last_units_lie_on_their_sides(decimals: int, value: float) -> None:
    scale = 10.0**decimals
    first, last = (float(unit(np.asarray(value), decimals)) for unit in (first_unit, last_unit))
    assert (first - 1) / scale < value <= first / scale
    assert last / scale <= value < (last + 1) / scale
    assert first - last == (0 if rounded(np.asarray(value), decimals) == value else 1)


def test_a_file_has_no_digit_more_than_the_schema() -> None:
    column = NumericColumn(name="x", lower=0, upper=1000, decimals=4)
    values = rounded(np.random.default_rng(0).random(2000) * 1000, 4)
    text = io.BytesIO()
    write_csv(Table(Schema(name="t", columns=(column,)), {"x": values}, len(values)), text)
    lines = text.getvalue().decode().splitlines()[1:]
    assert max(len(line.partition(".")[2]) for line in lines) == 4
    assert [float(line) for line in lines] == values.tolist()
