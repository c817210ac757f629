"""One column: its kind, its public bounds or categories, and what it is for."""

import datetime
import math
import re
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StrictBool,
    StringConstraints,
    model_serializer,
    model_validator,
)

__all__ = [
    "LONGEST_NAME",
    "LONGEST_TEXT",
    "MOST_DECIMALS",
    "WIDEST_BOUND",
    "BooleanColumn",
    "CategoricalColumn",
    "Column",
    "DateColumn",
    "ImageColumn",
    "Name",
    "NumericColumn",
]

LONGEST_NAME = 200
LONGEST_TEXT = 2**20
# A limit of length makes the parser read the text: JSON can spell half of a character, which no file can hold.
Text = Annotated[str, StringConstraints(max_length=LONGEST_TEXT)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NAME)]
Number = Annotated[float, Field(strict=True)]
"""A finite float64; a whole number will do, a truth value will not."""

MAXIMUM_CATEGORIES = 100_000
# Each is looked for in every row, and is a state of its own to a mixture.
MAXIMUM_SPECIAL_VALUES = 1000
# A run sums the product of every pair of pixels: the square of this many.
MAXIMUM_PIXELS = 1024
_EXACT_INTEGER = 2**53

WIDEST_BOUND = 1e100
"""No bound is further from zero: well before sums, squares and widths of cells leave float64."""

MOST_DECIMALS = 15
"""No column keeps more digits after the point: a float64 has hardly more in all."""

# Names of months and days would depend on the locale.
_DATE_FORMAT = re.compile(r"(%[YmdHMS]|[^%a-zA-Z0-9{}]|T)+", re.ASCII)


class _Column(BaseModel):
    """What every column has.

    Attributes:
        name: as in the table's header.
        missing: whether a value may be missing.
        role: the target is what a model will be asked to predict.
        sensitive: an attribute that must not be learned about a person.
        unconfirmed: keys of this column that `headwater schema draft` guessed and nobody has confirmed yet.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: Name
    missing: StrictBool = False
    role: Literal["feature", "target"] = "feature"
    sensitive: StrictBool = False
    unconfirmed: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _check_unconfirmed(self) -> Self:
        for key in self.unconfirmed:
            if key not in type(self).model_fields:
                raise ValueError(f"column {self.name!r}: unconfirmed names {key!r}, which is not one of its keys")
        return self


class NumericColumn(_Column):
    """Numbers between public bounds; values outside are clipped and counted.

    Attributes:
        lower: least value, special values apart.
        upper: largest value.
        integer: whole numbers only.
        decimals: digits after the point at most, 0 to 15; None for as many as a float64 has. Not with `integer`, and
            not for special values, which stay as they are.
        special_values: at most 1,000 values with a meaning of their own, like -1 for "not asked"; never mixed with
            others.
    """

    kind: Literal["numeric"] = "numeric"
    lower: Number
    upper: Number
    integer: StrictBool = False
    decimals: int | None = Field(default=None, ge=0, le=MOST_DECIMALS, strict=True)
    special_values: tuple[Number, ...] = Field(default=(), max_length=MAXIMUM_SPECIAL_VALUES)

    @model_serializer(mode="wrap")
    def _without_decimals(self, as_it_is: SerializerFunctionWrapHandler) -> dict[str, object]:
        # Schemas from before the key, and all without it, keep the digest that organisations have signed.
        document: dict[str, object] = as_it_is(self)
        if self.decimals is None:
            document.pop("decimals", None)
        return document

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.lower > self.upper:
            raise ValueError(f"column {self.name!r}: lower {self.lower:g} is above upper {self.upper:g}")
        if max(abs(self.lower), abs(self.upper)) > WIDEST_BOUND:
            raise ValueError(
                f"column {self.name!r}: the bounds {self.lower:g} and {self.upper:g} reach beyond ±{WIDEST_BOUND:g}; "
                "give bounds that the column's meaning has"
            )
        if len(set(self.special_values)) != len(self.special_values):
            raise ValueError(f"column {self.name!r}: a special value stands twice")
        if self.integer:
            numbers = (self.lower, self.upper, *self.special_values)
            if not all(number == math.floor(number) and abs(number) <= _EXACT_INTEGER for number in numbers):
                raise ValueError(
                    f"column {self.name!r}: an integer column needs whole bounds and special values within ±2^53"
                )
        return self

    @model_validator(mode="after")
    def _check_decimals(self) -> Self:
        decimals = self.decimals
        if decimals is None:
            return self
        if self.integer:
            raise ValueError(f"column {self.name!r}: whole numbers have no decimals; leave out decimals or integer")
        for key, bound in (("lower", self.lower), ("upper", self.upper)):
            if abs(bound) * 10.0**decimals > _EXACT_INTEGER:
                raise ValueError(
                    f"column {self.name!r}: {key} {bound:g} with {decimals} decimals has more digits than a float64 "
                    "holds; take fewer decimals or a narrower bound"
                )
            if round(bound, decimals) != bound:
                raise ValueError(
                    f"column {self.name!r}: {key} {bound!r} has more than {decimals} decimals; round the bound "
                    "outwards or take more decimals"
                )
        return self


class CategoricalColumn(_Column):
    """One of a public list of categories; text, compared exactly.

    Attributes:
        categories: at least one, each once, in any order that means something to people.
        other: the category that unknown values become; None refuses them.
    """

    kind: Literal["categorical"] = "categorical"
    categories: tuple[Text, ...] = Field(min_length=1, max_length=MAXIMUM_CATEGORIES)
    other: Text | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(set(self.categories)) != len(self.categories):
            raise ValueError(f"column {self.name!r}: a category stands twice")
        if "" in self.categories:
            raise ValueError(f"column {self.name!r}: the empty text means missing and can be no category")
        if self.other is not None and self.other not in self.categories:
            raise ValueError(f"column {self.name!r}: other = {self.other!r} is not one of its categories")
        return self


class BooleanColumn(_Column):
    """Two labels.

    Attributes:
        false: the text of the negative label, code 0.
        true: the text of the positive label, code 1.
    """

    kind: Literal["boolean"] = "boolean"
    false: Text = Field(default="false", min_length=1)
    true: Text = Field(default="true", min_length=1)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.false == self.true:
            raise ValueError(f"column {self.name!r}: both labels are {self.true!r}")
        return self

    @property
    def categories(self) -> tuple[str, ...]:
        """The labels in the order of their codes."""
        return (self.false, self.true)


class DateColumn(_Column):
    """Days between public bounds.

    Attributes:
        lower: first day.
        upper: last day.
        format: how the day is written in text: %Y, %m and %d once each, %H, %M and %S where a time of day (which is
            dropped) stands too, and signs between.
    """

    kind: Literal["date"] = "date"
    lower: datetime.date
    upper: datetime.date
    format: Text = "%Y-%m-%d"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.lower > self.upper:
            raise ValueError(f"column {self.name!r}: lower {self.lower} is after upper {self.upper}")
        once = all(self.format.count(directive) == 1 for directive in ("%Y", "%m", "%d"))
        if not once or not _DATE_FORMAT.fullmatch(self.format):
            raise ValueError(
                f"column {self.name!r}: format {self.format!r} is not made of %Y, %m and %d once each, "
                "perhaps %H, %M, %S, and signs"
            )
        return self

    @property
    def lower_day(self) -> int:
        """Days from 1970-01-01 to the first day."""
        return (self.lower - datetime.date(1970, 1, 1)).days

    @property
    def upper_day(self) -> int:
        """Days from 1970-01-01 to the last day."""
        return (self.upper - datetime.date(1970, 1, 1)).days


class ImageColumn(_Column):
    """Pictures of one size in grey levels; none may be missing.

    Attributes:
        height: rows of pixels.
        width: pixels in a row; height × width is at most 1,024.
        levels: a pixel is a whole number from 0 to levels − 1.
    """

    kind: Literal["image"] = "image"
    height: int = Field(ge=2, le=MAXIMUM_PIXELS, strict=True)
    width: int = Field(ge=2, le=MAXIMUM_PIXELS, strict=True)
    levels: int = Field(default=256, ge=2, le=256, strict=True)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.pixels > MAXIMUM_PIXELS:
            raise ValueError(
                f"column {self.name!r}: {self.height} × {self.width} are {self.pixels} pixels, at most "
                f"{MAXIMUM_PIXELS} are taken; make the pictures smaller"
            )
        if self.missing or self.role == "target":
            raise ValueError(f"column {self.name!r}: a picture is never missing and never the target")
        return self

    @property
    def pixels(self) -> int:
        """Pixels of one picture."""
        return self.height * self.width


Column = Annotated[
    NumericColumn | CategoricalColumn | BooleanColumn | DateColumn | ImageColumn, Field(discriminator="kind")
]
"""Any column; `kind` tells which."""
