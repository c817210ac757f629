"""A mixture's bytes: exact there and back, and nothing but InputError from hostile ones."""

import json
import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save

from headwater.encoding.groups import Group
from headwater.errors import InputError
from headwater.mixture.expectation import expect
from headwater.mixture.form import MOST_CELLS, Form
from headwater.mixture.maximisation import maximise
from headwater.mixture.parameters import Mixture, is_mixture
from headwater.model_header import metadata_of
from support.mixtures import SETTINGS, mixture_of, part_of, together

_, ENCODING, FORM, ROWS = together()
MIXTURE = mixture_of(FORM, ROWS)
DATA = MIXTURE.to_bytes()


def test_a_mixture_comes_back_from_its_bytes() -> None:
    fitted = maximise(MIXTURE, expect(MIXTURE, ROWS, part_of(ROWS, np.arange(5))), SETTINGS)
    back = Mixture.from_bytes(fitted.to_bytes())
    assert back.to_bytes() == fitted.to_bytes()
    np.testing.assert_array_equal(back.shares, fitted.shares)
    np.testing.assert_array_equal(back.factors, fitted.factors)
    assert back.form.unit_sizes == fitted.form.unit_sizes
    assert is_mixture(DATA)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(DATA) - 1), st.integers(1, 255))
def test_one_altered_byte_gives_a_mixture_or_an_input_error(place: int, change: int) -> None:
    data = bytearray(DATA)
    data[place] ^= change
    try:
        mixture = Mixture.from_bytes(bytes(data))
    except InputError:
        return
    assert np.isfinite(mixture.shares).all()
    assert mixture.weights.min() > 0


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(DATA)))
def test_cut_bytes_are_refused(length: int) -> None:
    if length < len(DATA):
        with pytest.raises(InputError):
            Mixture.from_bytes(DATA[:length])


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00" * 8, b"\xff" * 16, struct.pack("<Q", 2**63) + b"{}", struct.pack("<Q", 100_000) + b"[" * 100_000],
)
def test_bytes_that_are_no_mixture_are_refused(data: bytes) -> None:
    assert not is_mixture(data)
    with pytest.raises(InputError, match="no mixture"):
        Mixture.from_bytes(data)


@pytest.mark.parametrize(
    "change",
    [
        {"weights": MIXTURE.weights * 2},
        {"weights": np.full(MIXTURE.components, np.nan)},
        {"shares": MIXTURE.shares * 0},
        {"shares": MIXTURE.shares[:, :-1]},
        {"means": MIXTURE.means + 1e9},
        {"factors": MIXTURE.factors * 1e-9},
        {"factors": MIXTURE.factors + np.triu(np.ones(MIXTURE.factors.shape[1:]), 1)},
        {"classes": MIXTURE.classes[::-1].copy()},
        {"classes": MIXTURE.classes + 5},
        {"span": (1.0, 1.0)},
        {"span": (np.nan, 1.0)},
        {"span": (-1e300, 1e300)},
        # Ascending, if differences wrap around.
        {"classes": np.asarray([0] * (MIXTURE.components - 2) + [2**31 - 1, -(2**31)], np.int32)},
        {"weights": np.asarray(1.0)},
    ],
)
def test_parameters_that_are_no_distribution_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(InputError):
        replace(MIXTURE, **change)  # type: ignore[arg-type]


DOCUMENT = json.loads(metadata_of(DATA, "mixture")["headwater-mixture"])
FORM_DOCUMENT = DOCUMENT["form"]


def described(**changes: object) -> bytes:
    """The mixture's bytes with another description."""
    return bytes(save(load(DATA), metadata={"headwater-mixture": json.dumps(DOCUMENT | changes)}))


@pytest.mark.parametrize(
    "change",
    [
        {"sizes": [10**9] * 7},
        {"sizes": [2]},
        {"sizes": "many"},
        {"label": 99},
        {"label": True},
        {"groups": []},
        {"groups": [{"columns": [0, 0], "count": 1}]},
        {"groups": [{"columns": [2, 3], "count": 10**6}]},
        {"scores": []},
        {"scores": [{"column": 0, "states": [], "knots": 10**6}]},
        {"scores": 5},
    ],
)
def test_a_hostile_description_of_the_form_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(InputError):
        Mixture.from_bytes(described(form=FORM_DOCUMENT | change))


@pytest.mark.parametrize(
    "change",
    [
        {"version": True},
        {"version": 1.0},
        {"version": 0},
        {"version": 2},
        {"form": []},
        {"span": ["-1", "1"]},
        {"span": [False, True]},
        {"span": [0, 10**400]},
        {"span": [0, 1, 2]},
        {"span": "01"},
    ],
)
def test_a_hostile_description_beside_the_form_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(InputError, match="no mixture"):
        Mixture.from_bytes(described(**change))


def test_a_later_release_s_mixture_says_what_to_install() -> None:
    with pytest.raises(InputError, match="version 3, 2 is read here; install"):
        Mixture.from_bytes(described(version=3))


def test_the_unchanged_description_is_taken() -> None:
    assert Mixture.from_bytes(described()).to_bytes() == DATA


def test_a_super_column_of_more_columns_than_64_bits_tell_apart_is_refused() -> None:
    """Two combinations would have one number, and rows would be counted where they are not."""
    sizes = (MOST_CELLS,) * 4
    group = Group((0, 1, 2, 3), np.zeros((1, 4), np.int32))
    with pytest.raises(InputError, match="told apart"):
        Form(sizes, None, (group,), ())
