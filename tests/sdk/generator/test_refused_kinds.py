"""Kinds of generator that compression cannot take: one line says so."""

import pytest

from headwater.errors import InputError
from headwater.generator.compression import compress
from headwater.generator.sampler import read_sampler
from headwater.recipe.settings import FitSettings
from support.refined import fitted_mixture, refined_model


def test_a_refined_generator_is_not_compressed_and_one_line_says_which_kinds_are() -> None:
    sampler = read_sampler(refined_model(fitted_mixture(200)).to_bytes())
    with pytest.raises(
        InputError, match="of kind refined cannot be compressed; give a mixture or a network"
    ) as refused:
        compress(sampler, precision="int8", terms=FitSettings(steps=1))
    assert "\n" not in str(refused.value)
