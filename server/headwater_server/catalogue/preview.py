"""The first rows of a release as text, for a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pyarrow.parquet as pq

from headwater.release.domain import describe_domain, describe_kind, describe_role
from headwater.release.layout import DATA, SCHEMA
from headwater.release.statistics import text_of_cell
from headwater.schema import Schema

__all__ = ["ColumnView", "Preview", "load_preview"]

_ROWS = 12


@dataclass(frozen=True)
class ColumnView:
    """A column in words."""

    name: str
    kind: str
    values: str
    role: str
    numeric: bool


@dataclass(frozen=True)
class Preview:
    """What a page shows of schema and rows; None stands for a missing value."""

    columns: tuple[ColumnView, ...]
    rows: Sequence[Sequence[str | None]]


@lru_cache(maxsize=128)
def load_preview(folder: Path) -> Preview:
    """Read schema and first rows of a published folder, once: it never changes."""
    schema = Schema.from_toml((folder / SCHEMA).read_text(encoding="utf-8"))
    columns = tuple(
        ColumnView(
            name=column.name,
            kind=describe_kind(column),
            values=describe_domain(column),
            role=describe_role(column),
            numeric=column.kind == "numeric",
        )
        for column in schema.columns
    )
    with pq.ParquetFile(folder / DATA) as file:
        batch = next(file.iter_batches(batch_size=_ROWS))
        values = [column.to_pylist() for column in batch.columns]
    return Preview(columns, [[text_of_cell(value) for value in row] for row in zip(*values, strict=True)])
