"""A refined mixture's bytes: exact there and back, and nothing but InputError from hostile ones."""

import json
import struct
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from headwater.errors import InputError
from headwater.generator.refiner.drawing import RefinedDraws
from headwater.generator.refiner.features import Features
from headwater.generator.refiner.model import RefinedMixture, Weighing, is_refined
from headwater.generator.sampler import read_sampler
from headwater.mixture.form import Form, RowFeatures
from support.refined import fitted_mixture, refined_model

FRESH = refined_model(fitted_mixture(200))
FEATURES = FRESH.features
WEIGHING = Weighing(
    0.5,
    np.zeros(FEATURES.classes),
    np.zeros((FEATURES.classes, FEATURES.cells)),
    np.tile(np.linspace(-2, 2, 8), (FEATURES.scores, 1)),
)
MODEL = replace(FRESH, weighing=WEIGHING)
DATA = MODEL.to_bytes()


def test_a_refined_mixture_comes_back_from_its_bytes() -> None:
    unweighed = replace(MODEL, critic=MODEL.critic[:0], weighing=replace(WEIGHING, strength=0.0))
    for model in (FRESH, MODEL, replace(MODEL, refiner=MODEL.refiner[:0]), unweighed):
        back = RefinedMixture.from_bytes(model.to_bytes())
        assert back.to_bytes() == model.to_bytes()
        assert is_refined(model.to_bytes())
        assert read_sampler(model.to_bytes()).kind == "refined"


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(DATA) - 1), st.integers(1, 255))
def test_one_altered_byte_gives_a_model_or_an_input_error(place: int, change: int) -> None:
    data = bytearray(DATA)
    data[place] ^= change
    try:
        model = RefinedMixture.from_bytes(bytes(data))
    except InputError:
        return
    assert np.isfinite(model.refiner).all()
    assert np.isfinite(model.critic).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(DATA) - 1))
def test_cut_bytes_are_refused(length: int) -> None:
    with pytest.raises(InputError):
        RefinedMixture.from_bytes(DATA[:length])


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00" * 8, b"\xff" * 16, struct.pack("<Q", 2**63) + b"{}", struct.pack("<Q", 100_000) + b"[" * 100_000],
)
def test_bytes_that_are_no_refined_mixture_are_refused(data: bytes) -> None:
    assert not is_refined(data)
    with pytest.raises(InputError, match="no refined mixture"):
        RefinedMixture.from_bytes(data)


@pytest.mark.parametrize(
    "change",
    [
        {"refiner": MODEL.refiner[:-1]},
        {"critic": MODEL.critic * np.float32(np.nan)},
        {"refiner": MODEL.refiner + np.float32(1e7)},
        {"critic": MODEL.critic[:0]},
        {"critic": MODEL.critic.astype(np.float64)},
        {"weighing": replace(WEIGHING, strength=2.0)},
        {"weighing": replace(WEIGHING, strength=float("nan"))},
        {"weighing": replace(WEIGHING, normals=WEIGHING.normals + np.inf)},
        {"weighing": replace(WEIGHING, tables=WEIGHING.tables + 1e6)},
        {"weighing": replace(WEIGHING, tables=WEIGHING.tables[:, :-1])},
        {"weighing": replace(WEIGHING, knots=WEIGHING.knots[:, ::-1].copy())},
        {"weighing": replace(WEIGHING, knots=WEIGHING.knots[:, :1])},
    ],
)
def test_parts_that_are_out_of_range_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(InputError):
        replace(MODEL, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"noise": 0},
        {"width": 2**40},
        {"critic_width": 1.5},
        {"strength": "1"},
        {"strength": True},
        {"strength": 10**400},
        {"strength": 2},
        {"strength": -0.5},
        {"noise": None},
    ],
)
def test_a_description_that_is_not_ones_is_refused(change: dict[str, object]) -> None:
    (length,) = struct.unpack("<Q", DATA[:8])
    header = json.loads(json.loads(DATA[8 : 8 + length])["__metadata__"]["headwater-refined"])
    tensors = load_tensors(DATA)
    with pytest.raises(InputError):
        RefinedMixture.from_bytes(
            bytes(save_tensors(tensors, metadata={"headwater-refined": json.dumps(header | change)}))
        )


def test_hostile_bytes_around_the_mixture_are_refused() -> None:
    (length,) = struct.unpack("<Q", DATA[:8])
    header = json.loads(DATA[8 : 8 + length])["__metadata__"]
    tensors = load_tensors(DATA)
    for inner in (np.zeros(0, np.uint8), np.zeros(64, np.uint8), tensors["mixture"][:-1], tensors["mixture"] ^ 255):
        with pytest.raises(InputError):
            RefinedMixture.from_bytes(bytes(save_tensors(tensors | {"mixture": inner}, metadata=header)))
    with pytest.raises(InputError):
        RefinedMixture.from_bytes(bytes(save_tensors(tensors | {"more": np.zeros(1)}, metadata=header)))


def test_a_form_of_many_units_beside_a_wide_one_is_refused_without_its_memory() -> None:
    # 64 KiB of shares would ask for eight gigabytes.
    form = Form((*[1] * 30_000, 30_000), None, (), ())
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="too many units"):
            Features(form)
        assert tracemalloc.get_traced_memory()[1] < 64 * 2**20
    finally:
        tracemalloc.stop()


def test_opinions_of_weights_that_leave_float32_are_numbers() -> None:
    huge = replace(MODEL, critic=np.full_like(MODEL.critic, 1e6))
    draws = RefinedDraws(huge)
    rows = draws.drawn(64, np.random.default_rng(0))
    far = RowFeatures(rows.classes, rows.units, rows.scores * 1e30)
    assert np.abs(draws.logits(far)).max() <= 1e4
    assert len(draws.sampled(64, np.random.default_rng(0)).classes) == 64
