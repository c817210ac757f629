"""Values by cells that the candidate fixes: numbers by sixteenths of its own, categories as they are."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from headwater.audit.row_hashes import code_hashes, value_hashes
from headwater.schema import BooleanColumn, CategoricalColumn, ImageColumn
from headwater.schema.table import Table

__all__ = ["cell_hashes", "cells", "edges_of"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]

_CELLS = 16


def edges_of(table: Table) -> dict[str, F64]:
    """Where sixteenths of each numeric column's values end; equal ends are one."""
    edges = {}
    for column in table.schema.columns:
        if not isinstance(column, CategoricalColumn | BooleanColumn | ImageColumn):
            values = table.columns[column.name]
            known = values[~np.isnan(values)]
            quantiles = np.quantile(known, np.arange(1, _CELLS) / _CELLS) if len(known) else np.zeros(0)
            edges[column.name] = np.unique(quantiles)
    return edges


def cells(table: Table, edges: Mapping[str, F64]) -> I64:
    """Codes of every column but pictures, numbers by their cell, missing -1; shape (rows, columns)."""
    parts = []
    for column in table.schema.columns:
        values = table.columns[column.name]
        if column.name in edges:
            parts.append(_cell(values, edges[column.name]))
        elif not isinstance(column, ImageColumn):
            parts.append(values.astype(np.int64))
    return np.stack(parts, axis=1) if parts else np.zeros((table.rows, 0), np.int64)


def cell_hashes(table: Table, edges: Mapping[str, F64]) -> U64:
    """As `value_hashes`, of all columns, but numbers in one cell are equal; shape (rows, columns)."""
    hashes = value_hashes(table)
    codes = np.zeros(hashes.shape, np.int64)
    for place, name in enumerate(table.schema.names):
        if name in edges:
            codes[:, place] = _cell(table.columns[name], edges[name])
    numbers = [place for place, name in enumerate(table.schema.names) if name in edges]
    # Hashed beside all columns, so that one cell's number in two columns is not one value.
    hashes[:, numbers] = code_hashes(codes)[:, numbers]
    return hashes


def _cell(values: F64, edges: F64) -> I64:
    cell = np.searchsorted(edges, values, side="right")
    return np.where(np.isnan(values), -1, cell).astype(np.int64)
