"""A refined mixture's bytes: exact there and back, and nothing but InputError from hostile ones."""

import json
import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from headwater.errors import InputError
from headwater.generator.refiner.model import RefinedMixture, Weighing, is_refined
from headwater.generator.sampler import read_sampler
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
    for model in (FRESH, MODEL, replace(MODEL, refiner=MODEL.refiner[:0]), replace(MODEL, critic=MODEL.critic[:0])):
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
