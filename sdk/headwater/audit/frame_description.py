"""What the description of a data frame, as pandas leaves it in a Parquet file, says beyond the file's own schema."""

import json
import re
from collections.abc import Mapping, Sequence

from headwater.schema import BooleanColumn, CategoricalColumn, Schema

__all__ = ["said_beyond"]

_KEYS = {"index_columns", "column_indexes", "columns", "attributes", "creator", "pandas_version", "partition_columns"}
_LIBRARIES = ("pyarrow", "fastparquet")
_VERSION = re.compile(r"[0-9][0-9a-z.+]{0,15}")
_TYPE = re.compile(r"[a-z]{1,12}[0-9]{0,3}(\[[a-z]{1,12}\])?", re.IGNORECASE)


def said_beyond(value: bytes, columns: Sequence[str], rows: int, schema: Schema) -> tuple[str, ...]:
    """Parts of a `pandas` entry that tell more than names and types of the columns; none where it is harmless.

    Harmless are an index that only counts the rows of this file from 0, types, versions of the libraries, and numbers
    of categories that the schema lists. A part of other rows' range tells where rows came from; a name of an index,
    attributes and anything unknown may tell anything.

    Args:
        value: of the entry, JSON.
        columns: of the file, in its order.
        rows: of the file.
        schema: that was agreed on.

    Returns:
        Words, never with what was found.
    """
    try:
        text = value.decode("utf-8")
        document = json.loads(text)
    except (ValueError, RecursionError):
        return ("bytes that are no JSON",)
    # Written as libraries write it: no second entry of one name, no blanks that say something.
    forms = [
        json.dumps(document, ensure_ascii=plain, separators=by) for plain in (True, False) for by in (None, (",", ":"))
    ]
    if not isinstance(document, dict) or text not in forms:
        return ("JSON in another form than libraries write",)
    parts = {
        "entries that pandas does not write": document.keys() <= _KEYS,
        "an index": _counts_rows(document.get("index_columns"), rows),
        "a name of the columns' index": _is_bare(document.get("column_indexes")),
        "columns that the file has not": _are_columns(document.get("columns"), columns, schema),
        "attributes": not document.get("attributes") and not document.get("partition_columns"),
        "a writer that is unknown": _is_library(document.get("creator"), document.get("pandas_version")),
    }
    return tuple(words for words, harmless in parts.items() if not harmless)


def _counts_rows(index: object, rows: int) -> bool:
    counting = {"kind": "range", "name": None, "start": 0, "stop": rows, "step": 1}
    return index in ([], [counting])


def _is_bare(names: object) -> bool:
    if not isinstance(names, list) or len(names) > 1:
        return False
    return all(
        isinstance(each, dict)
        and each.get("name") is None
        and each.get("field_name") is None
        and _has_types(each)
        and each.get("metadata") in (None, {"encoding": "UTF-8"})
        for each in names
    )


def _are_columns(described: object, columns: Sequence[str], schema: Schema) -> bool:
    if not isinstance(described, list) or len(described) != len(columns):
        return False
    listed = {
        column.name: len(column.categories)
        for column in schema.columns
        if isinstance(column, CategoricalColumn | BooleanColumn)
    }
    return all(
        isinstance(each, dict)
        and each.get("name") == name
        and each.get("field_name", name) == name
        and _has_types(each)
        and _is_counted(each.get("metadata"), listed.get(name, 0))
        for each, name in zip(described, columns, strict=True)
    )


def _has_types(described: Mapping[str, object]) -> bool:
    types = (described.get("pandas_type"), described.get("numpy_type"))
    known = described.keys() <= {"name", "field_name", "pandas_type", "numpy_type", "metadata"}
    return known and all(isinstance(kind, str) and _TYPE.fullmatch(kind) for kind in types)


def _is_counted(metadata: object, listed: int) -> bool:
    if metadata is None:
        return True
    if not isinstance(metadata, dict) or metadata.keys() != {"num_categories", "ordered"}:
        return False
    count = metadata["num_categories"]
    return isinstance(count, int) and 0 <= count <= listed and isinstance(metadata["ordered"], bool)


def _is_library(creator: object, version: object) -> bool:
    if not isinstance(creator, dict) or creator.keys() != {"library", "version"}:
        return False
    versions = (creator["version"], version)
    return creator["library"] in _LIBRARIES and all(
        isinstance(each, str) and _VERSION.fullmatch(each) for each in versions
    )
