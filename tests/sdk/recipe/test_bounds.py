"""Numbers of a plan are bounded: none asks for any amount of memory, and each can be written as canonical JSON."""

import math

import pytest
from pydantic import BaseModel, ValidationError

from headwater.canonical import canonical_json
from headwater.encoding.settings import EncodingSettings
from headwater.images.settings import ConvolutionSettings, ImageSettings
from headwater.mixture.settings import MixtureSettings
from headwater.recipe.settings import MarginalSettings

NUMBERS = [
    (kind, name)
    for kind in (EncodingSettings, MixtureSettings, ConvolutionSettings, ImageSettings, MarginalSettings)
    for name, field in kind.model_fields.items()
    if field.annotation in (int, float, tuple[int, ...], tuple[float, ...])
]


@pytest.mark.parametrize(("kind", "name"), NUMBERS)
@pytest.mark.parametrize("number", [2**60, -(2**60), math.inf, math.nan])
def test_a_number_without_bound_is_refused(kind: type[BaseModel], name: str, number: float) -> None:
    several = kind.model_fields[name].annotation not in (int, float)
    with pytest.raises(ValidationError):
        kind.model_validate({name: [number] if several else number})


def test_the_defaults_are_within_their_bounds() -> None:
    assert len(NUMBERS) > 30
    for kind in dict(NUMBERS):
        assert kind.model_validate(kind().model_dump()) == kind()
        assert canonical_json(kind().model_dump(mode="json"))
