"""Fixed point: exact sums, and a norm that rounding never passes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.errors import InputError
from headwater.recipe.fixed_point import fixed_point, integer_norm_squared, largest_magnitude, scale_for, to_real
from headwater.recipe.layout import Layout, layout_of_counts
from headwater.secagg.crypto.ring import RingBits, RingVector, from_signed, ring_type

VECTORS = st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=50)


@given(VECTORS, st.floats(1e-3, 1e3), st.integers(8, 26), st.floats(0, 1))
def test_the_rounded_integers_keep_the_clip_norm_exactly(
    values: list[float], clip: float, bits: int, weight: float
) -> None:
    units = fixed_point(np.array(values), clip, scale_for(clip, bits), weight)
    assert sum(int(unit) ** 2 for unit in units) <= largest_magnitude(bits) ** 2


def test_rounding_to_nearest_alone_would_pass_the_clip_norm() -> None:
    # 1000 equal values of norm exactly the clip, each a little above half a unit: nearest doubles the norm.
    values = np.full(1000, 0.6)
    clip = float(np.linalg.norm(values))
    units = fixed_point(values, clip, 1.0)
    assert integer_norm_squared(np.rint(values).astype(np.int64)) > clip**2
    assert integer_norm_squared(units) <= clip**2


@given(VECTORS)
def test_a_vector_within_the_clip_comes_back_within_a_unit(values: list[float]) -> None:
    real = np.array(values)
    clip = max(1.0, 2 * float(np.linalg.norm(real)))
    scale = scale_for(clip, 24)
    assert np.abs(to_real(fixed_point(real, clip, scale), scale) - real).max() <= 0.51 / scale


def test_slices_are_rounded_as_the_whole_vector_would_be() -> None:
    # Above the size of a slice and no multiple of it.
    real = np.random.default_rng(5).uniform(-1, 1, 100_001).astype(np.float32)
    scale = scale_for(1000.0, 26)
    assert np.array_equal(fixed_point(real, 1000.0, scale), np.rint(real.astype(np.float64) * scale).astype(np.int64))


@pytest.mark.parametrize("place", [0, 40_000, 100_000])
def test_a_value_that_is_not_finite_is_found_in_whichever_slice(place: int) -> None:
    real = np.zeros(100_001)
    real[place] = np.inf
    with pytest.raises(InputError, match="not finite"):
        fixed_point(real, 1.0, 1.0)


def test_a_vector_outside_the_clip_keeps_its_direction() -> None:
    units = fixed_point(np.array([30.0, 40.0]), 5.0, scale_for(5.0, 20))
    assert to_real(units, scale_for(5.0, 20)) == pytest.approx([3, 4], abs=1e-4)


@given(st.lists(st.integers(-(2**30), 2**30), max_size=3000))
def test_the_integer_norm_is_exact_whatever_the_magnitudes(values: list[int]) -> None:
    assert integer_norm_squared(np.array(values, dtype=np.int64)) == sum(value**2 for value in values)


@pytest.mark.parametrize(
    ("values", "clip", "scale", "weight"),
    [([np.nan], 1, 1, 1), ([np.inf], 1, 1, 1), ([1], 0, 1, 1), ([1], 1, np.inf, 1), ([1], 1, 1, 1.1), ([1], 1, -1, 1)],
)
def test_unusable_numbers_are_refused(values: list[float], clip: float, scale: float, weight: float) -> None:
    with pytest.raises(InputError):
        fixed_point(np.array(values, dtype=float), clip, scale, weight)


@given(
    st.lists(st.lists(st.integers(-1000, 1000), min_size=4, max_size=4), min_size=1, max_size=10),
    st.sampled_from([32, 64]),
)
def test_the_sum_of_joined_vectors_splits_into_the_sums_of_their_parts(parts: list[list[int]], bits: RingBits) -> None:
    layout = Layout(2, ("m",))
    total: RingVector = np.zeros(layout.length, ring_type(bits))
    for first, second, weight, metric in parts:
        total += layout.join(np.array([first, second]), weight, {"m": metric}, largest=1000, ring_bits=bits)
    summed = layout.split(total)
    columns = np.array(parts).sum(axis=0)
    assert summed.payload.tolist() == columns[:2].tolist()
    assert summed.weight == columns[2]
    assert summed.metrics == {"m": columns[3]}


def test_a_sum_that_the_narrow_ring_has_no_room_for_is_exact_in_the_wide_one() -> None:
    layout, largest = layout_of_counts(1), largest_magnitude(28)
    total: RingVector = np.zeros(layout.length, ring_type(64))
    for _ in range(1000):
        total += layout.join(np.array([largest]), largest, {"skipped_rows": 0}, largest=largest, ring_bits=64)
    assert layout.split(total).payload.tolist() == [1000 * largest]


def test_a_value_larger_than_promised_never_leaves() -> None:
    layout = layout_of_counts(1)
    with pytest.raises(InputError, match="value_bits"):
        layout.join(np.array([16]), 3, {"skipped_rows": 0}, largest=15)
    with pytest.raises(InputError, match="value_bits"):
        layout.join(np.array([3]), 16, {"skipped_rows": 0}, largest=15)


def test_parts_and_sums_of_the_wrong_size_are_refused() -> None:
    layout = layout_of_counts(2)
    with pytest.raises(InputError, match="does not fit"):
        layout.join(np.zeros(3, np.int64), 0, {"skipped_rows": 0}, largest=9)
    with pytest.raises(InputError, match="expected 4"):
        layout.split(np.zeros(5, np.uint32))


def test_a_clip_of_more_units_than_an_integer_holds_is_refused() -> None:
    with pytest.raises(InputError, match="smaller scale"):
        fixed_point(np.ones(3), 1.0, 2.0**31)


def test_the_rounded_vector_goes_into_the_ring_without_a_copy() -> None:
    units = fixed_point(np.array([-1.0, 0.25]), 2.0, 4.0)
    ring = from_signed(units)
    assert np.shares_memory(ring, units)
    assert ring.tolist() == [2**32 - 4, 1]
    assert from_signed(units, 64).tolist() == [2**64 - 4, 1]
