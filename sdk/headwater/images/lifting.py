"""A table of pictures as a table of scores, which every recipe for tables can take, and back."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.images.projection import REACH, Projection
from headwater.schema import Column, ImageColumn, NumericColumn, Schema
from headwater.schema.schema import MAXIMUM_COLUMNS
from headwater.schema.table import Table

__all__ = ["LiftedTable", "Lifting", "lifted_schema"]

F64 = NDArray[np.float64]

_LONGEST_STEM = 180


@dataclass(frozen=True)
class LiftedTable(Table):
    """Rows whose pictures are scores.

    Attributes:
        positions: float64, shape (rows,): where each row stands in the organisation's split. The pictures fix it, not
            the scores: a row is in one part in every run, whichever directions its run has.
    """

    positions: F64 = field(default_factory=lambda: np.zeros(0))

    def take(self, indices: NDArray[np.integer[Any]] | NDArray[np.bool_]) -> "LiftedTable":
        """As `Table.take`."""
        plain = super().take(indices)
        return LiftedTable(plain.schema, plain.columns, plain.rows, self.positions[indices])


@dataclass(frozen=True, eq=False)
class Lifting:
    """One projection for each image of a schema.

    Attributes:
        schema: with images.
        projections: in the order of `schema.images`.
    """

    schema: Schema
    projections: tuple[Projection, ...]

    def __post_init__(self) -> None:
        """Check that every image has its projection."""
        if tuple(projection.image for projection in self.projections) != self.schema.images:
            raise InputError("the projections are not of the schema's images; they do not belong together")

    @cached_property
    def lifted_schema(self) -> Schema:
        """The schema with a numeric column for each score in place of each image.

        Raises:
            InputError: these are more columns than a table may have.
        """
        return lifted_schema(self.schema, [part.scores for part in self.projections])

    def lift(self, table: Table, positions: F64) -> LiftedTable:
        """The rows with scores in place of pictures.

        Args:
            table: of the schema.
            positions: shape (rows,), of the split.
        """
        columns = self._others(table)
        for projection, names in self._named:
            scores = projection.to_scores(table.columns[projection.image.name])
            columns |= {name: np.ascontiguousarray(scores[:, place]) for place, name in enumerate(names)}
        return LiftedTable(self.lifted_schema, columns, table.rows, positions)

    def lower(self, table: Table, random: np.random.Generator) -> Table:
        """The rows with pictures in place of scores.

        Args:
            table: of the lifted schema.
            random: of what the scores leave open.
        """
        columns = self._others(table)
        for projection, names in self._named:
            scores = np.stack([table.columns[name] for name in names], axis=1)
            columns[projection.image.name] = projection.to_pictures(scores, random)
        return Table(self.schema, columns, table.rows)

    def to_document(self, *, all_directions: bool) -> list[dict[str, object]]:
        """JSON values that `from_document` reads back; `all_directions` as of `Projection.to_document`."""
        return [projection.to_document(all_directions=all_directions) for projection in self.projections]

    @classmethod
    def from_document(cls, schema: Schema, document: object) -> "Lifting":
        """Read a lifting of this schema.

        Raises:
            InputError: not a lifting of this schema.
        """
        if not isinstance(document, Sequence) or len(document) != len(schema.images):
            raise InputError("a lifting has not one projection for each image of the schema")
        parts = []
        for image, entry in zip(schema.images, document, strict=True):
            if not isinstance(entry, Mapping):
                raise InputError("a projection's document is not of this version's form")
            parts.append(Projection.from_document(image, entry))
        return cls(schema, tuple(parts))

    def _others(self, table: Table) -> dict[str, NDArray[Any]]:
        """The columns that lifted and pictured rows have alike."""
        plain = [column.name for column in self.schema.columns if not isinstance(column, ImageColumn)]
        return {name: table.columns[name] for name in plain}

    @cached_property
    def _named(self) -> list[tuple[Projection, tuple[str, ...]]]:
        """Each projection with the names of its scores."""
        names = _score_names(self.schema, [part.scores for part in self.projections])
        return list(zip(self.projections, names, strict=True))


def lifted_schema(schema: Schema, scores: Sequence[int]) -> Schema:
    """A schema with a numeric column for each score in place of each image.

    Args:
        schema: with images.
        scores: of each image, in the order of `schema.images`.

    Raises:
        InputError: these are more columns than a table may have.
    """
    count = len(schema.columns) - len(schema.images) + sum(scores)
    if count > MAXIMUM_COLUMNS:
        raise InputError(
            f"the pictures' scores make {count} columns of the table, at most {MAXIMUM_COLUMNS} are taken; set a lower "
            "recipe.images.scores, or leave out images"
        )
    names = iter(_score_names(schema, scores))
    columns: list[Column] = []
    for column in schema.columns:
        if isinstance(column, ImageColumn):
            columns += [
                NumericColumn(name=name, lower=-REACH, upper=REACH, sensitive=column.sensitive) for name in next(names)
            ]
        else:
            columns.append(column)
    return Schema(name=schema.name, columns=tuple(columns))


def _score_names(schema: Schema, scores: Sequence[int]) -> list[tuple[str, ...]]:
    """Names of each image's scores, which are no other column's."""
    taken, found = set(schema.names), []
    for image, count in zip(schema.images, scores, strict=True):
        # A name has an end, and so has what makes it different from others.
        stem = image.name[:_LONGEST_STEM]
        marks = itertools.chain(["", "'"], (f"'{attempt}" for attempt in itertools.count(2)))
        wished = (tuple(f"{stem}{mark}[{place}]" for place in range(count)) for mark in marks)
        names = next(names for names in wished if taken.isdisjoint(names))
        taken.update(names)
        found.append(names)
    return found
