"""statistics.json: what synthetic rows look like, for pages and programs that do not want to read them all.

Everything in it follows from data.parquet and schema.toml alone, so it tells nothing that the rows do not tell;
`headwater verify` counts it again. No figure of a real row is in it: those that may be told stand in audit.json.
"""

import math
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import Field

from headwater.agreement.documents import Document
from headwater.errors import InputError, ReleaseRefused
from headwater.release.associations import matrix_of
from headwater.release.distribution import Distribution, bars_of, day_of, histogram_of
from headwater.release.domain import describe_kind, describe_role
from headwater.release.layout import MAXIMUM_STATISTICS_BYTES
from headwater.schema import BooleanColumn, CategoricalColumn, Column, DateColumn, ImageColumn, Schema

__all__ = [
    "COUNTED_ROWS",
    "PREVIEW_ROWS",
    "ColumnStatistics",
    "PairTrends",
    "Quantiles",
    "Statistics",
    "check_statistics",
    "first_rows",
    "statistics_of",
    "text_of_cell",
]

COUNTED_ROWS = 1_000_000
"""Of a larger table the first so many rows are counted: they are as good as any, and reading them costs a second."""

PREVIEW_ROWS = 20
_PAIR_ROWS = 100_000
_PAIR_COLUMNS = 40
_TOLERANCE = 1e-5
_PLACES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)

Number = float | str
"""A number, or of a date the day as YYYY-MM-DD."""


class Quantiles(Document):
    """Where a column's values lie, from the least to the largest."""

    least: Number
    p05: Number
    p25: Number
    median: Number
    p75: Number
    p95: Number
    largest: Number


class ColumnStatistics(Document):
    """One column.

    Attributes:
        name: as in the schema.
        kind: "integer", "number", "category", "yes or no", "date", "image".
        role: "target", "sensitive", both with a comma between, or "".
        missing: rows without a value.
        distinct: different values; None for an image.
        distribution: rows by value or by bins; None for an image, or where no row has a value.
        quantiles: of numbers and dates.
        mean: of numbers.
        deviation: standard deviation of numbers.
    """

    name: str
    kind: str
    role: str = ""
    missing: int = Field(ge=0)
    distinct: int | None = None
    distribution: Distribution | None = None
    quantiles: Quantiles | None = None
    mean: float | None = None
    deviation: float | None = None


class PairTrends(Document):
    """How strongly columns hang together.

    Attributes:
        rows: the first so many rows were looked at.
        columns: at most 40, in the schema's order, the target among them; no images.
        matrix: of each pair the measure that `headwater.release.associations.association` says: signed between
            numbers, 0 to 1 elsewhere; None where a column does not vary.
    """

    rows: int
    columns: tuple[str, ...]
    matrix: tuple[tuple[Annotated[float, Field(ge=-1, le=1)] | None, ...], ...]


class Statistics(Document):
    """The content of statistics.json.

    Attributes:
        rows: of data.parquet.
        counted: the first so many of them were counted; all, up to `COUNTED_ROWS`.
        preview: the first `PREVIEW_ROWS` rows as text, column by column in the schema's order; None where missing.
        columns: in the schema's order.
        pairs: None where there are fewer than two columns to compare.
    """

    format: Literal["headwater-statistics/1"] = "headwater-statistics/1"
    rows: int = Field(ge=1)
    counted: int = Field(ge=1)
    preview: tuple[tuple[str | None, ...], ...]
    columns: tuple[ColumnStatistics, ...]
    pairs: PairTrends | None = None

    def column(self, name: str) -> ColumnStatistics | None:
        """The column with this name, or None."""
        return next((column for column in self.columns if column.name == name), None)


def statistics_of(rows: pa.Table, schema: Schema, *, of: int | None = None) -> Statistics:
    """Count synthetic rows.

    Args:
        rows: as data.parquet has them, at least one; the first `COUNTED_ROWS` are counted. Nothing here may ever see
            real rows: every figure is published.
        schema: of the rows.
        of: rows of the whole table, where these are its first.
    """
    rows = rows.slice(0, COUNTED_ROWS)
    values = {column.name: _values(rows.column(column.name), column) for column in schema.columns}
    return Statistics(
        rows=of or rows.num_rows,
        counted=rows.num_rows,
        preview=_preview(rows.slice(0, PREVIEW_ROWS), schema),
        columns=tuple(_column(values[column.name], column, rows.num_rows) for column in schema.columns),
        pairs=_pairs(values, schema, min(rows.num_rows, _PAIR_ROWS)),
    )


def first_rows(file: Path) -> tuple[pa.Table, int]:
    """The rows of a Parquet file that are counted, and how many rows it has; the rest is not read.

    Raises:
        pyarrow.ArrowException, OSError: it cannot be read.
    """
    with pq.ParquetFile(file) as parquet:
        batches, left = [], COUNTED_ROWS
        for batch in parquet.iter_batches(batch_size=65_536):
            batches.append(batch.slice(0, left))
            left -= batches[-1].num_rows
            if left <= 0:
                break
        return pa.Table.from_batches(batches, parquet.schema_arrow), parquet.metadata.num_rows


def check_statistics(data: bytes, file: Path, schema: Schema) -> Statistics:
    """Hold the content of statistics.json to the rows that it speaks of.

    Args:
        data: of statistics.json.
        file: data.parquet, whose digest was checked.
        schema: of its rows.

    Raises:
        ReleaseRefused: it is no such document, or tells something else than the rows do.
    """
    if len(data) > MAXIMUM_STATISTICS_BYTES:
        raise ReleaseRefused(f"statistics.json has more than {MAXIMUM_STATISTICS_BYTES:,} bytes; no release needs that")
    try:
        told = Statistics.from_bytes(data)
    except InputError as error:
        raise ReleaseRefused(f"statistics.json cannot be believed: {error}") from error
    try:
        rows, number = first_rows(file)
        counted = statistics_of(rows, schema, of=number)
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise ReleaseRefused(f"{file.name} does not hold rows of the release's own schema; do not use it") from error
    if place := _difference(told.model_dump(), counted.model_dump(), ""):
        raise ReleaseRefused(
            f"statistics.json does not follow from {file.name}, at {place}; do not use the release, tell the consortium"
        )
    return told


def _difference(told: object, counted: object, place: str) -> str:
    """Where two documents differ; sums of floats come out a little different on other machines."""
    match told, counted:
        case dict(), dict() if told.keys() == counted.keys():
            found = (_difference(told[key], counted[key], f"{place}.{key}".lstrip(".")) for key in told)
        case tuple() | list(), tuple() | list() if len(told) == len(counted):
            pairs = enumerate(zip(told, counted, strict=True))
            found = (_difference(one, other, f"{place}[{index}]") for index, (one, other) in pairs)
        case float(), float():
            return "" if math.isclose(told, counted, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE) else place
        case _:
            return "" if type(told) is type(counted) and told == counted else place
    return next((where for where in found if where), "")


def _values(column: pa.ChunkedArray, told: Column) -> NDArray[Any]:
    """Numbers and days as float64, NaN where missing; categories as int64, -1 where missing; an image as it is."""
    match told:
        case CategoricalColumn() | BooleanColumn():
            codes = pc.fill_null(pc.index_in(column, value_set=pa.array(told.categories, pa.string())), -1)
            return np.asarray(codes.to_numpy(), np.int64)
        case ImageColumn():
            return np.zeros(0)
        case DateColumn():
            return _floats(column.cast(pa.int32()))
        case _:
            return _floats(column)


def _floats(column: pa.ChunkedArray) -> NDArray[np.float64]:
    # Plus zero: there is one zero, whatever its sign was.
    numbers = pc.fill_null(column.cast(pa.float64(), safe=False), math.nan).to_numpy() + 0.0
    return np.asarray(numbers, np.float64)


def _column(values: NDArray[Any], column: Column, rows: int) -> ColumnStatistics:
    counted = ColumnStatistics(name=column.name, kind=describe_kind(column), role=describe_role(column), missing=0)
    if isinstance(column, ImageColumn):
        return counted
    if isinstance(column, CategoricalColumn | BooleanColumn):
        missing = int((values < 0).sum())
        distinct = len(np.unique(values)) - bool(missing)
        shown = bars_of(values, column) if distinct else None
        return counted.model_copy(update={"missing": missing, "distinct": distinct, "distribution": shown})
    present = values[~np.isnan(values)]
    found: dict[str, object] = {"missing": rows - len(present), "distinct": len(np.unique(present))}
    if len(present):
        date = isinstance(column, DateColumn)
        places = (day_of(place) if date else float(place) for place in np.quantile(present, _PLACES))
        found["distribution"] = histogram_of(present, column)
        found["quantiles"] = Quantiles(**dict(zip(Quantiles.model_fields, places, strict=True)))
        if not date:
            found |= {"mean": float(present.mean()), "deviation": float(present.std())}
    return counted.model_copy(update=found)


def _pairs(values: dict[str, NDArray[Any]], schema: Schema, rows: int) -> PairTrends | None:
    plain = [column for column in schema.columns if not isinstance(column, ImageColumn)]
    chosen = plain[:_PAIR_COLUMNS]
    if schema.target in plain and schema.target not in chosen:
        chosen = [*plain[: _PAIR_COLUMNS - 1], schema.target]
    if len(chosen) < 2:
        return None
    matrix = matrix_of([values[column.name][:rows] for column in chosen])
    return PairTrends(rows=rows, columns=tuple(column.name for column in chosen), matrix=matrix)


def _preview(rows: pa.Table, schema: Schema) -> tuple[tuple[str | None, ...], ...]:
    columns = [rows.column(column.name).to_pylist() for column in schema.columns]
    return tuple(tuple(text_of_cell(value) for value in row) for row in zip(*columns, strict=True))


def text_of_cell(value: object) -> str | None:
    """A value as a page or a preview shows it; None for a missing one."""
    match value:
        case None:
            return None
        case list():
            return f"picture of {len(value)} pixels"
        case float():
            return f"{value:.6g}" if math.isfinite(value) else None
        case _:
            return str(value)
