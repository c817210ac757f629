"""The schema: all columns of a table, in order, as TOML for people and canonical JSON for digests."""

import functools
import json
import tomllib
from collections.abc import Mapping, Sequence
from typing import Literal, Self

import tomlkit
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from headwater.canonical import canonical_json, sha256_hex
from headwater.errors import InputError
from headwater.schema.columns import Column, ImageColumn, Name
from headwater.toml_array import toml_array

__all__ = ["Schema"]

MAXIMUM_COLUMNS = 10_000
# TOML promises integers of 64 bits, and past this a number reads better with an exponent.
_SHOWN_WHOLE = 1e15


class Schema(BaseModel):
    """Columns with public bounds and categories: the contract between organisations.

    Attributes:
        version: of this format.
        name: what the table is called.
        columns: in the order of the table; names are unique, at most one is the target.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    name: Name
    columns: tuple[Column, ...] = Field(min_length=1, max_length=MAXIMUM_COLUMNS)

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = self.names
        if len(set(names)) != len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise ValueError(f"column {twice[0]!r} stands twice")
        targets = [column.name for column in self.columns if column.role == "target"]
        if len(targets) > 1:
            raise ValueError(f"columns {targets[0]!r} and {targets[1]!r} are both the target; mark one")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Column names, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def target(self) -> Column | None:
        """The column to be predicted, if one is marked."""
        return next((column for column in self.columns if column.role == "target"), None)

    @property
    def target_index(self) -> int | None:
        """Position of the target, if one is marked."""
        return next((index for index, column in enumerate(self.columns) if column.role == "target"), None)

    @property
    def images(self) -> tuple[ImageColumn, ...]:
        """The columns of pictures, in order."""
        return tuple(column for column in self.columns if isinstance(column, ImageColumn))

    @property
    def unconfirmed(self) -> tuple[tuple[str, str], ...]:
        """(column, what) of every guess that nobody has confirmed."""
        return tuple((column.name, what) for column in self.columns for what in column.unconfirmed)

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON, 64 hexadecimal digits."""
        return _digest(self)

    def to_document(self) -> dict[str, object]:
        """The schema as JSON values."""
        document: dict[str, object] = self.model_dump(mode="json")
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, object]) -> Self:
        """Read a schema from JSON values.

        Raises:
            InputError: an unknown key, a wrong value; the line says where.
        """
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            problems = error.errors(include_url=False, include_input=False, include_context=False)
            what = problems[0]["msg"].removeprefix("Value error, ")
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            where = _where(problems[0]["loc"], document)
            raise InputError(f"the schema is not valid at {where}: {what}{more}; correct it there") from error

    def to_toml(self) -> str:
        """TOML for people: what is at its default is left out unless it was guessed, guesses carry a comment."""
        document = tomlkit.document()
        document.add("version", tomlkit.item(self.version))
        document.add("name", tomlkit.item(self.name))
        tables = tomlkit.aot()
        for column in self.columns:
            tables.append(_column_table(column))
        document.add("columns", tables)
        return tomlkit.dumps(document)

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """Read a schema from TOML.

        Raises:
            InputError: not TOML, or not a schema.
        """
        try:
            # A date may be written as a TOML date; the document form is plain JSON.
            document = json.loads(json.dumps(tomllib.loads(text), default=str))
        except (ValueError, RecursionError) as error:
            # Besides its own error, the parser raises these for a number of 5,000 digits and for nesting too deep.
            raise InputError(f"the schema is not TOML: {error}; correct it there") from error
        return cls.from_document(document)


def _where(place: tuple[int | str, ...], document: object) -> str:
    """A place as a person finds it: "column 'age', lower" for columns.0.numeric.lower."""
    columns = document.get("columns") if isinstance(document, Mapping) else None
    if len(place) < 2 or place[0] != "columns" or not isinstance(columns, Sequence):
        return ".".join(str(part) for part in place) or "its top"
    column = columns[int(place[1])]
    name = column.get("name") if isinstance(column, Mapping) else None
    found = f"column {name!r}" if isinstance(name, str) else f"column number {int(place[1]) + 1}"
    # The part after the number is the kind, which the person did not write as a place.
    return ", ".join([found, *(str(part) for part in place[3:])])


def _column_table(column: Column) -> tomlkit.items.Table:
    table = tomlkit.table()
    values = column.model_dump(mode="json", exclude_none=True)
    defaults = {name: field.default for name, field in type(column).model_fields.items() if not field.is_required()}
    first = ["name", "kind"]
    for key in first + [key for key in values if key not in first and key != "unconfirmed"]:
        by_default = key in defaults and getattr(column, key) == defaults[key]
        if key == "kind" or key in column.unconfirmed or not by_default:
            table.add(key, _item(_shown(values[key])))
    if column.unconfirmed:
        guesses = tomlkit.item(list(column.unconfirmed))
        guesses.comment("confirm or correct each, then delete this line")
        table.add("unconfirmed", guesses)
    return table


def _shown(value: object) -> object:
    """Whole numbers without a point, as a person writes them."""
    if isinstance(value, list):
        return [_shown(part) for part in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < _SHOWN_WHOLE:
        return int(value)
    return value


def _item(value: object) -> tomlkit.items.Item:
    if isinstance(value, list):
        array = toml_array(value)
        return array.multiline(True) if len(value) > 12 else array
    return tomlkit.item(value)


@functools.lru_cache(maxsize=64)
def _digest(schema: Schema) -> str:
    # Asked for in every round, and a schema never changes.
    return sha256_hex(canonical_json(schema.to_document()))
