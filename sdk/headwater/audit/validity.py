"""Validity: does every published row hold to the schema, as whoever downloads it reads it?"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import About, AuditRows
from headwater.evidence.measure import Measure
from headwater.evidence.settings import AuditSettings
from headwater.schema import Column, DateColumn, ImageColumn, NumericColumn, Schema
from headwater.schema.decimals import rounded
from headwater.schema.image import image_sources, pixel_names
from headwater.schema.parsing import days_of, numbers_of, text_of

__all__ = ["Validity", "invalid_cells", "unknown_columns"]

I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]

_NAMED = 50


class Validity:
    """The share of rows without a value that the schema does not allow.

    Nothing is mended on the way, as reading a table does: a value out of bounds, with a decimal too many, in no
    category or missing where none may be makes its row invalid, and so does a column that is not there. Columns that
    the schema does not know are of the artefact scan.

    Cost: one look at each cell.

    Args:
        candidate: whose rows are published.
        settings: of the audit; nothing in them matters here.
        published: the rows as a file has them, read back; None for the candidate's own, as they would be written.
    """

    name = "validity"
    federated = True
    size = 0
    about = About(
        title="Validity",
        question="Does every synthetic row hold to the schema?",
        knowledge="The published rows and the schema.",
        statistic="The share of rows whose every value is within bounds and categories; 1 where all are.",
        misses="Rows whose values are possible each by itself and impossible together.",
        source="Schema of the plan",
        disclosure="public",
    )

    def __init__(self, candidate: Candidate, settings: AuditSettings, published: pa.Table | None = None) -> None:
        """Bind to a candidate and what was written of it."""
        self._table = candidate.table
        self._given = published

    def count(self, rows: AuditRows, random: np.random.Generator) -> I64:
        """Nothing: no real row is needed."""
        return np.zeros(0, np.int64)

    def read(self, counts: I64) -> tuple[Measure, ...]:
        """The share, with the share of invalid values of each column that has any.

        Raises:
            InputError: counts of another check.
        """
        if counts.shape != (0,):
            raise InputError("validity counts nothing where the rows are; these are counts of another check")
        published = self._table.to_arrow() if self._given is None else self._given
        rows = published.num_rows
        if not rows:
            reason = "the published table has no rows; publish at least one"
            return (Measure(check=self.name, status="inconclusive", reason=reason, better="higher", null=1.0),)
        invalid = np.zeros(rows, np.bool_)
        details: dict[str, float] = {}
        for column in self._table.schema.columns:
            wrong = invalid_cells(published, column)
            invalid |= wrong
            if wrong.any() and len(details) < _NAMED:
                details[f"invalid in {column.name}"] = float(wrong.mean())
        valid = rows - int(invalid.sum())
        measure = Measure(
            check=self.name, value=valid / rows, null=1.0, better="higher", tally=(valid, rows), trials=rows,
            details=details,
        )  # fmt: skip
        return (measure,)


def invalid_cells(arrow: pa.Table, column: Column) -> Mask:
    """Which rows have a value in this column that it does not allow, shape (rows,); all of them without the column."""
    if isinstance(column, ImageColumn):
        return _invalid_pictures(arrow, column)
    if column.name not in arrow.column_names:
        return np.ones(arrow.num_rows, np.bool_)
    values = arrow.column(column.name)
    match column:
        case NumericColumn():
            fits, missing = _fitting_numbers(values, column)
        case DateColumn():
            days, unreadable = days_of(values, column.format)
            fits, missing = (days >= column.lower_day) & (days <= column.upper_day), np.isnan(days) & ~unreadable
        case _:
            text = text_of(values)
            if text is None:
                return np.ones(arrow.num_rows, np.bool_)
            # The empty text is no category: it is how a CSV writes missing.
            missing = np.asarray(pc.is_null(text), np.bool_)
            fits = np.asarray(pc.is_in(text, value_set=pa.array(column.categories, pa.string())), np.bool_)
    return np.asarray(~(fits | (missing & column.missing)))


def _fitting_numbers(values: pa.ChunkedArray, column: NumericColumn) -> tuple[Mask, Mask]:
    """Which values are such numbers as the column takes, and which are missing."""
    numbers, unreadable = numbers_of(values)
    fits = (numbers >= column.lower) & (numbers <= column.upper)
    if column.integer:
        fits &= np.rint(numbers) == numbers
    elif column.decimals is not None:
        fits &= rounded(np.where(fits, numbers, np.nan), column.decimals) == numbers
    fits |= np.isin(numbers, column.special_values)
    return fits, np.isnan(numbers) & ~unreadable


def unknown_columns(arrow: pa.Table, schema: Schema) -> tuple[str, ...]:
    """Columns of a table that its schema does not know, in order."""
    known = set(schema.names).union(*(image_sources(arrow, column) for column in schema.images))
    return tuple(name for name in arrow.column_names if name not in known)


def _invalid_pictures(arrow: pa.Table, column: ImageColumn) -> Mask:
    if column.name in arrow.column_names:
        lists = arrow.column(column.name).combine_chunks()
        kind = lists.type
        if not (pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)):
            return np.ones(arrow.num_rows, np.bool_)
        lengths = np.asarray(pc.fill_null(pc.list_value_length(lists), -1))
        wrong = lengths != column.pixels
        pixels, unreadable = numbers_of(pa.chunked_array([pc.list_flatten(lists)]))
        owner = np.asarray(pc.list_parent_indices(lists), np.int64)
        wrong[owner[unreadable | _off_scale(pixels, column)]] = True
        return np.asarray(wrong)
    wrong = np.zeros(arrow.num_rows, np.bool_)
    for name in pixel_names(column):
        if name not in arrow.column_names:
            return np.ones(arrow.num_rows, np.bool_)
        pixels, unreadable = numbers_of(arrow.column(name))
        wrong |= unreadable | _off_scale(pixels, column)
    return wrong


def _off_scale(pixels: NDArray[np.float64], column: ImageColumn) -> Mask:
    # A missing pixel is NaN, which is within nothing.
    return np.asarray(~((pixels >= 0) & (pixels <= column.levels - 1) & (np.rint(pixels) == pixels)))
