"""The three files of an audit, read by one schema."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from headwater.cli.audit_columns import check_columns, differ, left_out
from headwater.errors import InputError
from headwater.schema import ImageColumn, Schema
from headwater.schema.conform import conform
from headwater.schema.convert import PlainColumn, Problem, convert_column
from headwater.schema.parsing import text_of
from headwater.schema.reading import read_arrow
from headwater.schema.table import Table

__all__ = ["AuditFiles", "read_files"]

_TARGET_OF_DRAFT = "audited"


@dataclass(frozen=True, eq=False)
class AuditFiles:
    """Tables of one schema, and what had to be done to them.

    Attributes:
        schema: by which they were read.
        drafted: whether it was guessed from the real rows.
        train, holdout: the real rows.
        synthetic: the rows that may be published, without those that the schema refuses.
        written: the synthetic rows as their file has them, all of them.
        confirmed: the same, or None where they hold to a schema that was guessed: bounds that were guessed from the
            real rows bind nobody.
        private: the training rows as their file has them, with columns that the schema leaves out.
        notices: a line each, for people.
    """

    schema: Schema
    drafted: bool
    train: Table = field(repr=False)
    holdout: Table = field(repr=False)
    synthetic: Table = field(repr=False)
    written: pa.Table = field(repr=False)
    confirmed: pa.Table | None = field(repr=False)
    private: pa.Table = field(repr=False)
    notices: tuple[str, ...]


def read_files(
    train: Path, holdout: Path, synthetic: Path, schema_file: Path | None, tasks: Sequence[str] = ()
) -> AuditFiles:
    """Read and conform three files.

    Args:
        train: rows that the generator was fitted to.
        holdout: rows that it never saw.
        synthetic: rows that it made.
        schema_file: TOML; None to guess a schema from the real rows.
        tasks: columns that models predict; the first is the target of a guessed schema.

    Raises:
        InputError: a file cannot be read, columns differ (all of them are named), real rows do not hold to the schema,
            or no synthetic row does.
    """
    sources = {path: read_arrow(path) for path in dict.fromkeys((train, holdout, synthetic))}
    if len(sources) < 3:
        raise InputError("one file is given twice; training rows, holdout and synthetic rows are three files")
    out: Mapping[str, str] | None = None
    if schema_file is None:
        schema, out = _drafted(sources, train, holdout, tasks)
    else:
        schema = _read_schema(schema_file)
    check_columns(schema, sources, synthetic, out)
    tables = {}
    notices = [f"left out of the audit: column {name!r}, which {why}" for name, why in (out or {}).items()]
    for path in (train, holdout):
        try:
            tables[path], problems = conform(sources[path], schema)
        except InputError as error:
            raise InputError(f"{path.name}: {error}") from error
        notices += _notices(path, [problem for problem in problems if problem.column not in (out or {})])
    made, found = _conform_synthetic(sources[synthetic], schema, synthetic)
    binding = schema_file is not None or any(problem.severity == "refused" for problem in found)
    return AuditFiles(
        schema,
        schema_file is None,
        tables[train],
        tables[holdout],
        made,
        sources[synthetic],
        sources[synthetic] if binding else None,
        sources[train],
        (*notices, *_notices(synthetic, found)),
    )


def _read_schema(file: Path) -> Schema:
    from headwater.text_file import read_text

    return Schema.from_toml(read_text(file, "give a schema in TOML, or leave --schema out to have one guessed"))


def _drafted(
    sources: Mapping[Path, pa.Table], train: Path, holdout: Path, tasks: Sequence[str]
) -> tuple[Schema, Mapping[str, str]]:
    """A schema of the real rows, and the columns that it leaves out."""
    from headwater.schema.draft import draft

    parts = [sources[path] for path in (train, holdout)]
    if set(parts[0].column_names) != set(parts[1].column_names):
        wrong = [name for name in parts[0].column_names if name not in parts[1].column_names]
        more = [name for name in parts[1].column_names if name not in parts[0].column_names]
        raise InputError(f"{holdout.name} {differ(wrong, more)}; give both the columns of {train.name}")
    columns = []
    for name in parts[0].column_names:
        values = [part.column(name) for part in parts]
        if values[0].type != values[1].type:
            values = [column.cast(pa.string()) for column in values]
        columns.append(pa.chunked_array([chunk for column in values for chunk in column.chunks], values[0].type))
    both = pa.table(columns, names=parts[0].column_names)
    schema = draft(both, next(iter(tasks), None), _TARGET_OF_DRAFT)
    return schema, left_out(both, schema)


def _notices(path: Path, problems: Sequence[Problem]) -> list[str]:
    return [
        f"{path.name}, {f'column {problem.column!r}' if problem.column else 'table'}: {problem.what}"
        for problem in problems
    ]


def _conform_synthetic(arrow: pa.Table, schema: Schema, path: Path) -> tuple[Table, list[Problem]]:
    """Rows that the schema can hold; a generator's mistakes are a finding, and no reason to audit nothing."""
    refused = np.zeros(arrow.num_rows, np.bool_)
    problems: list[Problem] = []
    for column in schema.columns:
        if isinstance(column, ImageColumn):
            continue
        values = arrow.column(column.name)
        converted, found = convert_column(values, column)
        problems += found
        if any(problem.severity == "refused" for problem in found):
            gone = np.isnan(converted) if converted.dtype == np.float64 else converted < 0
            refused |= gone & ~_may_be_missing(values, column)
    kept = arrow.filter(pa.array(~refused)) if refused.any() else arrow
    if not kept.num_rows:
        worst = next(problem for problem in problems if problem.severity == "refused")
        raise InputError(f"{path.name} has no row that holds to the schema: column {worst.column!r}: {worst.what}")
    try:
        table, _ = conform(kept, schema)
    except InputError as error:
        raise InputError(f"{path.name}: {error}") from error
    return table, problems


def _may_be_missing(values: pa.ChunkedArray, column: PlainColumn) -> NDArray[np.bool_]:
    """Where nothing stands and nothing need stand."""
    text = text_of(values)
    if not column.missing or text is None:
        return np.zeros(len(values), np.bool_)
    return np.asarray(text.is_null(), dtype=np.bool_)
