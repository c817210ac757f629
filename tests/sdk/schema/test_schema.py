"""Schemas: what is refused, and that documents, TOML and digests agree."""

import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.errors import InputError
from headwater.schema import BooleanColumn, CategoricalColumn, Column, DateColumn, NumericColumn, Schema
from headwater.schema.columns import WIDEST_BOUND

names = st.text(min_size=1, max_size=12)
labels = st.text(min_size=1, max_size=8)
numbers = st.floats(-WIDEST_BOUND, WIDEST_BOUND)
days = st.dates()


@st.composite
def columns(draw: st.DrawFn, name: str) -> Column:
    missing, sensitive = draw(st.booleans()), draw(st.booleans())
    kind = draw(st.sampled_from(["numeric", "integer", "decimals", "categorical", "boolean", "date"]))
    if kind == "numeric":
        lower, upper = sorted((draw(numbers), draw(numbers)))
        special = tuple(draw(st.lists(numbers, max_size=3, unique=True)))
        return NumericColumn(
            name=name, lower=lower, upper=upper, special_values=special, missing=missing, unconfirmed=("lower",)
        )
    if kind == "decimals":
        places = draw(st.integers(0, 6))
        low, high = sorted(draw(st.tuples(st.integers(-(10**15), 10**15), st.integers(-(10**15), 10**15))))
        scale = 10.0**places
        return NumericColumn(name=name, lower=low / scale, upper=high / scale, decimals=places, missing=missing)
    if kind == "integer":
        lower, upper = sorted((draw(st.integers(-(2**53), 2**53)), draw(st.integers(-(2**53), 2**53))))
        return NumericColumn(name=name, lower=lower, upper=upper, integer=True, sensitive=sensitive)
    if kind == "date":
        first, last = sorted((draw(days), draw(days)))
        return DateColumn(name=name, lower=first, upper=last, missing=missing)
    if kind == "boolean":
        false, true = draw(st.lists(labels, min_size=2, max_size=2, unique=True))
        return BooleanColumn(name=name, false=false, true=true, missing=missing)
    categories = tuple(draw(st.lists(labels, min_size=1, max_size=20, unique=True)))
    other = draw(st.sampled_from([None, *categories]))
    return CategoricalColumn(name=name, categories=categories, other=other, missing=missing, sensitive=sensitive)


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    found = [draw(columns(name)) for name in draw(st.lists(names, min_size=1, max_size=5, unique=True))]
    return Schema(name=draw(names), columns=tuple(found))


@settings(deadline=None)
@given(schemas())
def test_a_schema_survives_toml_and_json(schema: Schema) -> None:
    assert Schema.from_toml(schema.to_toml()) == schema
    assert Schema.from_document(schema.to_document()) == schema
    assert Schema.from_toml(schema.to_toml()).digest == schema.digest


def schema_of(*columns: Column) -> Schema:
    return Schema(name="patients", columns=columns)


def test_the_digest_tells_schemas_apart() -> None:
    age = NumericColumn(name="age", lower=0, upper=120, integer=True)
    assert schema_of(age).digest != schema_of(age.model_copy(update={"upper": 121.0})).digest
    assert len(schema_of(age).digest) == 64


def test_a_schema_without_decimals_has_the_digest_that_was_signed_before_there_were_any() -> None:
    dose = NumericColumn(name="dose", lower=0, upper=120)
    assert schema_of(dose).digest == "ade56a4015b5386b8990a9efd42ed22e1c85aa4d55e42dc57a33db7ac5dd9b27"
    assert "decimals" not in schema_of(dose).to_document()["columns"][0]  # type: ignore[index]
    assert schema_of(dose.model_copy(update={"decimals": 0})).digest != schema_of(dose).digest


def test_target_and_guesses_are_found() -> None:
    schema = schema_of(
        NumericColumn(name="age", lower=0, upper=120, unconfirmed=("lower", "upper")),
        BooleanColumn(name="ill", role="target", unconfirmed=("kind",)),
    )
    assert schema.target is schema.columns[1]
    assert schema.target_index == 1
    assert schema.unconfirmed == (("age", "lower"), ("age", "upper"), ("ill", "kind"))
    assert schema_of(schema.columns[0]).target is None


def test_whole_numbers_and_guessed_defaults_are_shown_to_the_person_who_confirms() -> None:
    age = NumericColumn(name="age", lower=0, upper=120, integer=True, unconfirmed=("sensitive",))
    text = schema_of(age).to_toml()
    assert "upper = 120\n" in text
    assert "sensitive = false\n" in text
    assert 'unconfirmed = ["sensitive"] # confirm or correct' in text
    assert "missing" not in text


HEAD = 'version = 1\nname = "patients"\n[[columns]]\nname = "age"\n'


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        ('kind = "numeric"\nlower = 3\nupper = 2', "lower 3 is above upper 2"),
        ('kind = "numeric"\nlower = true\nupper = 2', "valid number"),
        ('kind = "numeric"\nlower = nan\nupper = 2', "finite"),
        ('kind = "numeric"\nlower = 0\nupper = inf', "finite"),
        ('kind = "numeric"\nlower = 0\nupper = 2\ninteger = "yes"', "boolean"),
        ('kind = "numeric"\nlower = 0.5\nupper = 2\ninteger = true', "whole bounds"),
        ('kind = "numeric"\nlower = 0\nupper = 1e17\ninteger = true', "whole bounds"),
        ('kind = "numeric"\nlower = 0\nupper = 2\ndecimals = 16', "less than or equal to 15"),
        ('kind = "numeric"\nlower = 0\nupper = 2\ndecimals = -1', "greater than or equal to 0"),
        ('kind = "numeric"\nlower = 0\nupper = 2\ndecimals = 2.0', "valid integer"),
        ('kind = "numeric"\nlower = 0\nupper = 2\ndecimals = true', "valid integer"),
        ('kind = "numeric"\nlower = 0\nupper = 2\ndecimals = 2\ninteger = true', "whole numbers have no decimals"),
        ('kind = "numeric"\nlower = 0.125\nupper = 2\ndecimals = 2', "lower 0.125 has more than 2 decimals"),
        ('kind = "numeric"\nlower = 0\nupper = 1e15\ndecimals = 2', "upper 1e+15 with 2 decimals has more digits"),
        ('kind = "numeric"\nlower = 0\nupper = 1\nspecial_values = [9, 9.0]', "stands twice"),
        ('kind = "numeric"\nlower = 0\nupper = 1\nmaximum = 3', "column 'age', maximum"),
        ('kind = "numeric"\nlower = 0\nupper = 1\nunconfirmed = ["bounds"]', "not one of its keys"),
        ('kind = "numeric"\nupper = 1', "column 'age', lower: Field required"),
        ('kind = "number"', "column 'age'"),
        ('kind = "categorical"\ncategories = []', "categories"),
        ('kind = "categorical"\ncategories = ["a", "a"]', "stands twice"),
        ('kind = "categorical"\ncategories = ["a", ""]', "empty text means missing"),
        ('kind = "categorical"\ncategories = ["a"]\nother = "b"', "not one of its categories"),
        ('kind = "boolean"\ntrue = "no"\nfalse = "no"', "both labels"),
        ('kind = "boolean"\ntrue = true', "valid string"),
        ('kind = "date"\nlower = 2021-01-01\nupper = 2020-01-01', "is after"),
        ('kind = "date"\nlower = 2020-01-01\nupper = 2020-02-31', "not TOML"),
        ('kind = "date"\nlower = 2020-01-01\nupper = 2021-01-01\nformat = "%d %b %Y"', "not made of %Y"),
        ('kind = "date"\nlower = 2020-01-01\nupper = 2021-01-01\nformat = "%m/%Y"', "not made of %Y"),
        ('kind = "date"\nlower = 2020-01-01\nupper = 2021-01-01\nformat = "%A %Y-%m-%d"', "not made of %Y"),
    ],
)
def test_a_wrong_column_is_refused_with_its_place(column: str, reason: str) -> None:
    with pytest.raises(InputError) as refusal:
        Schema.from_toml(HEAD + column)
    assert reason in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "text",
    ["", "columns = 3", "version = 1\nname = 'x'\ncolumns = []", "version = 2", "= 4", 'name = "x"\ncolumns = [1]'],
)
def test_what_is_no_schema_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        Schema.from_toml(text)


def test_two_columns_of_one_name_and_two_targets_are_refused() -> None:
    with pytest.raises(ValueError, match="stands twice"):
        schema_of(BooleanColumn(name="ill"), BooleanColumn(name="ill"))
    with pytest.raises(ValueError, match="both the target"):
        schema_of(BooleanColumn(name="ill", role="target"), BooleanColumn(name="old", role="target"))


def test_a_date_may_be_a_toml_date_or_text() -> None:
    text = HEAD + 'kind = "date"\nlower = 2020-01-01\nupper = "2021-01-01"'
    column = Schema.from_toml(text).columns[0]
    assert isinstance(column, DateColumn)
    assert (column.lower, column.upper) == (datetime.date(2020, 1, 1), datetime.date(2021, 1, 1))
    assert (column.lower_day, column.upper_day) == (18262, 18628)


@pytest.mark.parametrize(
    "change",
    [
        {"categories": ["\ud800"]},
        {"name": "\udfff"},
        {"categories": ["a"], "other": "\ud800"},
        {"kind": "boolean", "false": "\ud800"},
    ],
)
def test_a_text_that_no_file_can_hold_is_refused(change: dict[str, object]) -> None:
    """JSON can spell half of a surrogate pair; a schema that held one would have no digest and could not be written."""
    column = {"name": "x", "kind": "categorical", "categories": ["a"]} | change
    column = {key: value for key, value in column.items() if key != "categories" or column["kind"] == "categorical"}
    with pytest.raises(InputError, match="valid string"):
        Schema.from_document({"name": "s", "columns": [column]})
    with pytest.raises(InputError, match="valid string"):
        Schema.from_document({"name": "\ud800", "columns": [{"name": "x", "kind": "boolean"}]})


def test_special_values_are_as_many_as_a_run_can_tell_apart() -> None:
    column = {"name": "x", "kind": "numeric", "lower": 0, "upper": 9, "special_values": list(range(-1000, 0))}
    assert Schema.from_document({"name": "s", "columns": [column]}).columns
    with pytest.raises(InputError, match="at most 1000"):
        Schema.from_document({"name": "s", "columns": [column | {"special_values": list(range(-1001, 0))}]})
