"""Spoilt networks, mixtures (plain, tilted, packed or refined), convolutions and pictures: one model, or refused."""

import json
import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from headwater.canonical import canonical_json
from headwater.encoding.encoding import Encoding
from headwater.errors import InputError
from headwater.generator.model import Model
from headwater.generator.network import Critic, Generator
from headwater.generator.refiner.model import RefinedMixture
from headwater.generator.spec import GeneratorSpec
from headwater.images.convolution import Convolution, ConvolutionSpec, first_convolution
from headwater.images.lifting import Lifting
from headwater.images.projection import Projection
from headwater.images.wrapping import unwrap, wrap
from headwater.mixture.packing import is_packed_mixture, pack_mixture, unpack_mixture
from headwater.mixture.parameters import Mixture
from headwater.mixture.tilt import Tilt
from headwater.schema import ImageColumn, Schema
from support.fuzzing.choices import Choices
from support.fuzzing.damage import damage_bytes, damage_json, every_change, json_bytes
from support.fuzzing.parsers import Packed, check_packed
from support.mixtures import together
from support.refined import fitted_mixture, refined_model

MIXTURE = fitted_mixture(200)
SIZES = together(200)[1].sizes
TILT = Tilt(((0, 1),), SIZES, np.zeros(SIZES[0] * SIZES[1], np.float32), 0.0, 0.0)
IMAGE = ImageColumn(name="picture", width=4, height=4, levels=4)
SPEC = ConvolutionSpec(Schema(name="small", columns=(IMAGE,)), channels=2, latent=3)
PROJECTION = Projection(IMAGE, 2, np.zeros(16), np.eye(16), np.ones(16))


class Pictures:
    """What a file of pictures holds, with the way back to bytes."""

    def __init__(self, data: bytes) -> None:
        self.parts = unwrap(data)

    def to_bytes(self) -> bytes:
        return wrap(*self.parts)


def mixture_of(data: bytes) -> Mixture:
    """A mixture, packed or not; what was packed is written with all its digits."""
    return unpack_mixture(data) if is_packed_mixture(data) else Mixture.from_bytes(data)


def network(**shape: object) -> bytes:
    """A generator and its critic of the smallest shape, but for what is given."""
    smallest = GeneratorSpec((3, 2, 2), label=2, latent=2, width=4, blocks=1, critic_width=2, critic_layers=1)
    spec = GeneratorSpec.from_document(smallest.to_document() | shape)
    return Model.of(Generator(spec), critic=Critic(spec)).to_bytes()


MODELS: dict[str, tuple[Callable[[bytes], Packed], bytes]] = {
    "network": (Model.from_bytes, network()),
    "grouped": (Model.from_bytes, network(groups=[{"columns": [0, 1], "combinations": [[0, 0], [1, 1], [2, 0]]}])),
    "attention": (Model.from_bytes, network(kind="attention", attention_heads=2)),
    "mixture": (Mixture.from_bytes, MIXTURE.to_bytes()),
    "tilted": (Mixture.from_bytes, replace(MIXTURE, tilt=TILT).to_bytes()),
    "packed": (mixture_of, pack_mixture(replace(MIXTURE, tilt=TILT), "int8")),
    "pictures": (Pictures, wrap(Lifting(SPEC.schema, (PROJECTION,)), b"inner")),
    "refined": (RefinedMixture.from_bytes, refined_model(MIXTURE).to_bytes()),
    "convolution": (Convolution.from_bytes, first_convolution(SPEC, 1).to_bytes()),
}


def header_of(data: bytes) -> tuple[dict[str, Any], str]:
    """What stands before a model's tensors, and the key of its description."""
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    (key,) = header["__metadata__"]
    return header, key


def with_header(data: bytes, text: bytes) -> bytes:
    (length,) = struct.unpack("<Q", data[:8])
    return struct.pack("<Q", len(text)) + text + data[8 + length :]


def described(data: bytes, choices: Choices) -> bytes:
    """A model's bytes with one to three values changed in its description, or in what is said of its tensors."""
    header, key = header_of(data)
    if choices.below(3):
        spoilt = damage_json(header["__metadata__"][key].encode(), choices)
        header["__metadata__"][key] = spoilt.decode("utf-8", "surrogatepass")
        text = json.dumps(header).encode()
    else:
        text = damage_json(json.dumps(header).encode(), choices)
    return with_header(data, text)


@pytest.mark.parametrize("kind", MODELS)
def test_spoilt_bytes_are_one_model_or_are_refused(kind: str) -> None:
    read, data = MODELS[kind]
    assert check_packed(read, data)
    random = np.random.default_rng(0)
    outcomes = [check_packed(read, damage_bytes(data, Choices(random.bytes(24)))) for _ in range(3000)]
    assert not all(outcomes)
    assert any(outcomes)


@pytest.mark.parametrize("kind", MODELS)
def test_models_with_a_spoilt_description_are_one_model_or_are_refused(kind: str) -> None:
    read, data = MODELS[kind]
    random = np.random.default_rng(1)
    outcomes = [check_packed(read, described(data, Choices(random.bytes(48)))) for _ in range(3000)]
    assert not all(outcomes)
    assert any(outcomes)


@pytest.mark.parametrize("kind", MODELS)
def test_models_with_any_one_change_of_their_description_are_one_model_or_are_refused(kind: str) -> None:
    read, data = MODELS[kind]
    header, key = header_of(data)
    outcomes = set()
    for changed in every_change(json.loads(header["__metadata__"][key])):
        description = json_bytes(changed).decode("utf-8", "surrogatepass")
        text = json.dumps(header | {"__metadata__": {key: description}}).encode()
        outcomes.add(check_packed(read, with_header(data, text)))
    assert outcomes == {True, False}


def test_an_encoding_with_a_spoilt_value_is_refused_or_can_be_written() -> None:
    _, encoding, _, _ = together(200)
    document, random = canonical_json(encoding.to_document()), np.random.default_rng(2)
    taken = 0
    for _ in range(1000):
        spoilt = json.loads(damage_json(document, Choices(random.bytes(48))).decode("utf-8", "surrogatepass"))
        try:
            read = Encoding.from_document(encoding.schema, spoilt)
        except InputError:
            continue
        taken += 1
        written = canonical_json(read.to_document())
        assert canonical_json(Encoding.from_document(encoding.schema, json.loads(written)).to_document()) == written
    assert taken
