"""Every number of a recipe has an upper end: a plan names memory and time that organisations then spend."""

import math
from collections.abc import Iterator

import annotated_types
import pytest
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from headwater.errors import InputError
from headwater.recipe.settings import RecipeSettings
from headwater_server.simulation.overrides import override
from support.recipes import small_plan


def numbers(model: type[BaseModel], name: str = "recipe") -> Iterator[tuple[str, type[BaseModel], FieldInfo]]:
    """Every field that is one number, by its dotted name."""
    for field, info in model.model_fields.items():
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from numbers(kind, f"{name}.{field}")
        elif kind in (int, float):
            yield f"{name}.{field}", model, info


FOUND = {name: (model, info) for name, model, info in numbers(RecipeSettings)}


def test_numbers_are_found() -> None:
    assert len(FOUND) > 100


@pytest.mark.parametrize("name", FOUND)
def test_a_number_is_bounded_and_finite(name: str) -> None:
    model, info = FOUND[name]
    field = name.rsplit(".", 1)[1]
    ends = [part for part in info.metadata if isinstance(part, annotated_types.Le | annotated_types.Lt)]
    assert ends, "it has no upper end"
    if info.annotation is float:
        for value in (math.inf, math.nan):
            with pytest.raises(ValidationError):
                model.model_validate({field: value})


def test_what_is_no_bound_is_refused_by_its_name() -> None:
    with pytest.raises(InputError, match=r"recipe\.refiner\.update\.clip: "):
        override(small_plan(base="mixture"), ["recipe.refiner.update.clip=inf"])
