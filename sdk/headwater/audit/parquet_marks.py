"""What a Parquet file says beside its rows: metadata, statistics, dictionaries, columns that nobody asked for."""

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from headwater.audit.frame_description import said_beyond
from headwater.audit.telling_texts import telling_in_text
from headwater.audit.validity import unknown_columns
from headwater.schema import BooleanColumn, CategoricalColumn, Schema
from headwater.schema.parsing import text_of

__all__ = ["marks_of_columns", "marks_of_parquet", "notes_of_parquet"]

_LONG = 64
_FRAME = b"pandas"
_ARROW = b"ARROW:schema"
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_.:-]{1,40}")
_REMEDY = "write it without, by pyarrow.parquet.write_table(table.replace_schema_metadata(None), FILE), or write CSV"


def marks_of_parquet(file: Path, schema: Schema, added: Sequence[str] = ()) -> Iterator[str]:
    """What is wrong with a file's metadata and columns, in words without a value.

    Looked at are key-value metadata of the file and of columns (Arrow's own schema of these columns may stand there,
    and of a data frame what `said_beyond` calls harmless), who wrote it, columns and texts that the schema does not
    list, statistics that no row of their part bears out, and dictionaries with values that no row has: both come from
    other rows than those of the file.

    Args:
        file: to look at.
        schema: of its rows.
        added: columns of numbers that may stand beside the schema's.

    Raises:
        pyarrow.ArrowException, OSError: it cannot be read.
    """
    with pq.ParquetFile(file) as parquet:
        metadata = parquet.metadata
        for key, value in (metadata.metadata or {}).items():
            if key == _ARROW:
                yield from _marks_of_arrow(value, metadata.metadata, parquet.schema_arrow.names)
            elif key == _FRAME:
                beyond = said_beyond(value, parquet.schema_arrow.names, metadata.num_rows, schema)
                words = "a data frame's description in the file's metadata, key 'pandas'"
                yield from (f"{words}, with {part}; {_REMEDY}" for part in beyond)
            else:
                yield from _marks_of_pair(key, value, "the file's metadata")
        for field in parquet.schema_arrow:
            for key, value in (field.metadata or {}).items():
                if key != b"PARQUET:field_id":
                    yield from _marks_of_pair(key, value, f"the metadata of column {field.name!r}")
        yield from (f"{what} in the name of its writer" for what in telling_in_text(metadata.created_by or ""))
        listed = {
            column.name: pa.array(column.categories, pa.string())
            for column in schema.columns
            if isinstance(column, CategoricalColumn | BooleanColumn)
        }
        texts = [field.name for field in parquet.schema_arrow if field.name in listed]
    with pq.ParquetFile(file, read_dictionary=texts) as parquet:
        for group in range(metadata.num_row_groups):
            held = parquet.read_row_group(group)
            if not group:
                yield from marks_of_columns(held.schema.empty_table(), schema, added)
            for place in range(metadata.num_columns):
                yield from _marks_of_statistics(metadata.row_group(group).column(place), held)
            for name in texts:
                yield from _marks_of_texts(held.column(name), name, listed[name])


def marks_of_columns(rows: pa.Table, schema: Schema, added: Sequence[str] = ()) -> Iterator[str]:
    """Columns that neither the schema knows nor a number's column is `added`, and texts that it does not list."""
    for name in unknown_columns(rows, schema):
        kind = rows.schema.field(name).type
        if name in added and (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
            continue
        index = name == "" or name.lower() in ("index", "level_0") or name.startswith(("Unnamed:", "__index_level_"))
        words = "a data frame's index" if index else "a column that the schema does not know"
        yield f"{words}, {name!r}" if not index else words
    for column in schema.columns:
        if isinstance(column, CategoricalColumn | BooleanColumn) and column.name in rows.column_names and rows.num_rows:
            yield from _marks_of_texts(rows.column(column.name), column.name, pa.array(column.categories, pa.string()))


def _marks_of_arrow(value: bytes, metadata: Mapping[bytes, bytes], names: Sequence[str]) -> Iterator[str]:
    """What Arrow's own schema, which a file carries beside Parquet's, holds that the file does not hold as well."""
    where = f"Arrow's schema in the file's metadata, key 'ARROW:schema'; {_REMEDY}"
    try:
        content = pa.BufferReader(base64.b64decode(value, validate=True))
        schema = pa.ipc.read_schema(content)
        # Writers may end it with what says that nothing comes.
        beyond = content.read().strip(b"\x00\xff")
    except (pa.ArrowException, ValueError, OSError):
        yield f"something else in the place of {where}"
        return
    if beyond:
        yield f"more than a schema in the place of {where}"
    if list(schema.names) != list(names):
        yield f"other columns than the file's in {where}"
    # What stands in the file's own metadata as well is told there, and what a field has, with its column.
    if any(metadata.get(key) != held for key, held in (schema.metadata or {}).items()):
        yield f"an entry that the file's metadata does not have, in {where}"


def _marks_of_pair(key: bytes, value: bytes, where: str) -> Iterator[str]:
    name = key.decode("utf-8", "replace")
    named = f"key {name!r}" if _PLAIN_KEY.fullmatch(name) else "a key that is no plain word"
    yield f"an entry in {where} that nothing here writes, {named}; {_REMEDY}"
    text = (key + b"\n" + value).decode("utf-8", "replace")
    yield from (f"{what} in {where}" for what in telling_in_text(text))


def notes_of_parquet(file: Path, schema: Schema) -> Iterator[str]:
    """What is looked at and found harmless, for people who see it in the file.

    Raises:
        pyarrow.ArrowException, OSError: it cannot be read.
    """
    with pq.ParquetFile(file) as parquet:
        value = (parquet.metadata.metadata or {}).get(_FRAME)
        if value is not None and not said_beyond(value, parquet.schema_arrow.names, parquet.metadata.num_rows, schema):
            yield "its metadata's key 'pandas' tells only names and types of the columns, as the schema does"


def _marks_of_texts(values: pa.ChunkedArray, name: str, listed: pa.Array) -> Iterator[str]:
    dictionary = pa.types.is_dictionary(values.type)
    held = pa.chunked_array([chunk.dictionary for chunk in values.chunks]) if dictionary else values
    text = text_of(held) if held.num_chunks else None
    if text is None:
        return
    strange = pc.unique(text.drop_null())
    strange = strange.filter(pc.invert(pc.is_in(strange, value_set=listed)))
    if not len(strange):
        return
    longest = pc.max(pc.utf8_length(strange)).as_py()
    words = "free text" if longest >= _LONG else "texts"
    yield f"{words} in column {name!r} that the schema does not list"


def _marks_of_statistics(chunk: pq.ColumnChunkMetaData, rows: pa.Table) -> Iterator[str]:
    statistics, name = chunk.statistics, chunk.path_in_schema
    if statistics is None or not statistics.has_min_max or name not in rows.column_names:
        return
    values = rows.column(name)
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    ends = pc.min_max(values)
    least, most = ends["min"].as_py(), ends["max"].as_py()
    # A long text's statistics may be cut short; the end is then no value, but what it begins with is one's.
    if isinstance(least, str) and isinstance(statistics.min, str):
        told = least.startswith(statistics.min) and str(most)[:8] == str(statistics.max)[:8]
    else:
        told = least is not None and statistics.min <= least and statistics.max >= most
        told = told and (statistics.min, statistics.max) == (least, most)
    if not told:
        yield f"statistics of column {name!r} that its rows do not bear out"
