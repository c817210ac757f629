"""Columns and rows of a Parquet file that a reader asks for, in the form that they want."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from io import RawIOBase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from headwater.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset

__all__ = [
    "FORMS",
    "Filters",
    "Form",
    "convert",
    "dataset_of",
    "did_you_mean",
    "joined",
    "read_files",
    "read_rows",
    "require_form",
]

Form = Literal["arrow", "dataset", "pandas", "polars", "torch"]
"""What a table may be given as."""

FORMS: Mapping[str, str] = {
    "arrow": "",
    "dataset": "",
    "pandas": "pip install pandas",
    "polars": "pip install polars",
    "torch": 'pip install "headwater[generator]"',
}
"""Each form with the command that installs what it needs."""

Filters: TypeAlias = "Sequence[tuple[str, str, Any]] | Sequence[Sequence[tuple[str, str, Any]]] | pa.compute.Expression"
"""Rows to keep, as pyarrow has them: [("age", ">", 40), …] all of which hold, a list of such lists one of which holds,
or an expression."""


def did_you_mean(given: str, known: Sequence[str]) -> str:
    """A question that names what is spelled like it, or all that there is where that is little; "" for neither."""
    if close := difflib.get_close_matches(given, known, 3, 0.6):
        return f"; did you mean {' or '.join(repr(each) for each in close)}?"
    return f"; there are {', '.join(known)}" if 0 < len(known) <= 30 else ""


def require_form(form: str) -> None:
    """Find out before anything is downloaded whether a form can be given.

    Raises:
        InputError: it is none, or its library is not installed.
    """
    if form not in FORMS:
        raise InputError(f"as_={form!r} is no form of a table; choose one of {', '.join(FORMS)}")
    if form in ("arrow", "dataset"):
        return
    from importlib.util import find_spec

    if find_spec(form) is None:
        raise InputError(f"as_={form!r} needs {form}, which is not installed; run: {FORMS[form]}")


def read_rows(
    source: Path | RawIOBase, columns: Sequence[str] | None, filters: "Filters | None", parallel: bool
) -> "pa.Table":
    """Read what was asked for, and no more than the row groups that may hold it.

    Args:
        source: a Parquet file.
        columns: to read, in this order; None for all.
        filters: which rows; None for all.
        parallel: whether columns are decoded by several threads.

    Raises:
        InputError: there is no such column, or the filters are none.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    opened = pa.PythonFile(source, mode="r") if not isinstance(source, Path) else source
    with pq.ParquetFile(opened) as file:
        names = file.schema_arrow.names
    asked = list(names if columns is None else columns)
    for name in [*asked, *_filtered(filters)]:
        if name not in names:
            raise InputError(f"the dataset has no column {name!r}{did_you_mean(name, names)}")
    if isinstance(source, Path):
        opened = source
    else:
        source.seek(0)
        opened = pa.PythonFile(source, mode="r")
    try:
        return pq.read_table(opened, columns=asked, filters=filters or None, use_threads=parallel)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, TypeError, ValueError) as error:
        if filters is None:
            raise
        raise InputError(
            f"the filters cannot be used ({' '.join(str(error).split())[:200]}); write them as "
            '[("age", ">", 40), ("sex", "in", ["Female"])]'
        ) from error


def read_files(
    files: Sequence[Path], columns: Sequence[str] | None, filters: "Filters | None", parallel: bool
) -> "pa.Table":
    """Read what was asked for of files with the same columns, one after the other; as `read_rows`.

    Raises:
        InputError: as `read_rows`.
    """
    return joined([read_rows(file, columns, filters, parallel) for file in files])


def joined(tables: "Sequence[pa.Table]") -> "pa.Table":
    """The rows of all tables, in order; nothing is copied."""
    import pyarrow as pa

    return tables[0] if len(tables) == 1 else pa.concat_tables(tables)


def dataset_of(files: Sequence[Path]) -> "pyarrow.dataset.Dataset":
    """Files with the same columns as one dataset, of which nothing is read before it is scanned."""
    import pyarrow.dataset

    return pyarrow.dataset.dataset(list(files), format="parquet")


def convert(table: "pa.Table", form: Form, categories: Callable[[], Mapping[str, Sequence[str]]]) -> Any:
    """A table in the form that was asked for.

    Args:
        table: of the rows.
        form: as `require_form` accepted it.
        categories: texts of categorical columns by code; asked for tensors alone.
    """
    match form:
        case "arrow":
            return table
        case "pandas":
            return table.to_pandas()
        case "polars":
            import polars

            return polars.from_arrow(table)
        case "torch":
            from headwater.generator.table_dataset import tensors_of

            return tensors_of(table, categories())


def _filtered(filters: "Filters | None") -> Sequence[str]:
    """Names of columns in filters that are lists; an expression keeps its own."""
    if not isinstance(filters, list | tuple):
        return ()
    names: list[str] = []
    for each in filters:
        if isinstance(each, tuple) and len(each) == 3 and isinstance(each[0], str):
            names.append(each[0])
        elif isinstance(each, list | tuple):
            names += [one[0] for one in each if isinstance(one, tuple) and len(one) == 3 and isinstance(one[0], str)]
    return names
