"""Spoilt bytes of mixtures, plain, tilted or refined, and of convolutions: one model, or the named error."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from headwater.generator.refiner.model import RefinedMixture
from headwater.images.convolution import Convolution, ConvolutionSpec, first_convolution
from headwater.mixture.parameters import Mixture
from headwater.mixture.tilt import Tilt
from headwater.schema import ImageColumn, Schema
from support.fuzzing.choices import Choices
from support.fuzzing.damage import damage_bytes
from support.fuzzing.parsers import Packed, check_packed
from support.mixtures import together
from support.refined import fitted_mixture, refined_model

MIXTURE = fitted_mixture(200)
SIZES = together(200)[1].sizes
TILT = Tilt(((0, 1),), SIZES, np.zeros(SIZES[0] * SIZES[1], np.float32), 0.0, 0.0)
SPEC = ConvolutionSpec(
    Schema(name="small", columns=(ImageColumn(name="picture", width=4, height=4, levels=4),)), channels=2, latent=3
)
MODELS: dict[str, tuple[Callable[[bytes], Packed], bytes]] = {
    "mixture": (Mixture.from_bytes, MIXTURE.to_bytes()),
    "tilted": (Mixture.from_bytes, replace(MIXTURE, tilt=TILT).to_bytes()),
    "refined": (RefinedMixture.from_bytes, refined_model(MIXTURE).to_bytes()),
    "convolution": (Convolution.from_bytes, first_convolution(SPEC, 1).to_bytes()),
}


@pytest.mark.parametrize("kind", MODELS)
def test_spoilt_bytes_are_one_model_or_are_refused(kind: str) -> None:
    read, data = MODELS[kind]
    assert check_packed(read, data)
    random = np.random.default_rng(0)
    outcomes = [check_packed(read, damage_bytes(data, Choices(random.bytes(24)))) for _ in range(3000)]
    assert not all(outcomes)
    assert any(outcomes)
