"""The public set of secrets: fixed by the schema, numbered, and never wider than is ranked quickly."""

import numpy as np
import pytest

from headwater.audit.canaries.secret_space import SecretSpace, public_values
from headwater.errors import InputError
from headwater.schema import BooleanColumn, CategoricalColumn, DateColumn, ImageColumn, NumericColumn, Schema
from support.recipes import SCHEMA, small_table
from support.reference_generators import SCHEMA as REFERENCE


def category(name: str, count: int, **more: object) -> CategoricalColumn:
    return CategoricalColumn.model_validate({"name": name, "categories": [str(each) for each in range(count)], **more})


def test_sensitive_columns_come_first_then_those_of_most_values_and_never_most_columns() -> None:
    assert SecretSpace.of(REFERENCE).columns == ("illness", "origin", "age")
    assert SecretSpace.of(REFERENCE).size == 6 * 3 * 32
    space = SecretSpace.of(SCHEMA)
    assert (space.columns, space.size) == (("age", "income"), 1024)
    assert space.identifying == ("ward", "floor", "smoker", "seen", "outcome")
    few = Schema(name="few", columns=(category("a", 2), category("b", 3), category("c", 9, role="target")))
    assert (SecretSpace.of(few).columns, SecretSpace.of(few).size) == (("b",), 3)


def test_values_are_those_that_the_schema_allows() -> None:
    assert public_values(NumericColumn(name="n", lower=0, upper=3, integer=True)).tolist() == [0, 1, 2, 3]
    cents = public_values(NumericColumn(name="n", lower=0, upper=1, decimals=2))
    assert len(cents) == 32
    assert np.array_equal(np.round(cents, 2), cents)
    days = public_values(DateColumn(name="d", lower="2020-01-01", upper="2020-01-05"))  # type: ignore[arg-type]
    assert days.tolist() == [18262, 18263, 18264, 18265, 18266]
    assert public_values(BooleanColumn(name="b")).tolist() == [0, 1]
    many = public_values(category("c", 1000))
    assert (len(many), many[0], many[-1], many.dtype) == (64, 0, 999, np.dtype(np.int32))


def test_members_are_numbered_there_and_back() -> None:
    space = SecretSpace.of(SCHEMA)
    members = np.arange(space.size)
    assert np.array_equal(space.member(space.combination(members)), members)
    with pytest.raises(InputError, match="no canary is given"):
        space.member(small_table(5))


def test_schemas_without_room_for_a_secret_are_refused() -> None:
    lone = Schema(name="lone", columns=(category("a", 5),))
    still = Schema(name="still", columns=(category("a", 1), category("b", 1)))
    drawn = Schema(name="drawn", columns=(ImageColumn(name="i", height=2, width=2), category("b", 5)))
    for schema, said in ((lone, "canaries = 0"), (still, "two values"), (drawn, "pictures")):
        with pytest.raises(InputError, match=said):
            SecretSpace.of(schema)
