"""The demo's table: scikit-learn's breast-cancer records, or a file that the caller names."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.evaluation.usefulness import Usefulness
from headwater.privacy.budget import Budget
from headwater.recipe.defaults import splits_of
from headwater.schema import Schema
from headwater.schema.reading import read_arrow
from headwater_server.drafting import draft_schema
from headwater_server.plan_file import read_schema
from headwater_server.shared_table import check_most_rows, check_organisations, share_out

__all__ = ["DemoData", "default_table", "prepare"]

DEFAULT_TARGET = "diagnosis"
_TITLE = "Breast tumours: measures of cell nuclei and diagnosis"


@dataclass(frozen=True, slots=True)
class DemoData:
    """What the demo's parent holds and no coordinator would: the whole table, split for judging.

    Attributes:
        name: of the dataset, as in the schema.
        schema: read from the rows or given.
        schema_was_drafted: whether the bounds were read from the rows.
        train: rows that the organisations share out.
        test: rows that nobody trains on.
        parts: one array of row numbers of `train` for each organisation.
        warnings: what the drafted schema may have taken wrongly, a line each.
        title: of the dataset, for people; "" where only its name is known.
    """

    name: str
    schema: Schema
    schema_was_drafted: bool
    train: pa.Table
    test: pa.Table
    parts: tuple[NDArray[np.int64], ...]
    warnings: tuple[str, ...] = ()
    title: str = ""

    def rows_of(self, organisation: int) -> pa.Table:
        """The rows of one organisation, numbered from 0."""
        return self.train.take(pa.array(self.parts[organisation]))


def default_table() -> pa.Table:
    """Breast-cancer records (Wolberg et al. 1995, as scikit-learn carries them): 569 rows, 30 measures, a diagnosis."""
    from sklearn.datasets import load_breast_cancer

    source = load_breast_cancer()
    names = [str(name) for name in source.feature_names]
    columns = {name: source.data[:, index] for index, name in enumerate(names)}
    labels = [str(source.target_names[value]) for value in source.target]
    return pa.table({**columns, DEFAULT_TARGET: labels})


def prepare(
    data: Path | None,
    target: str | None,
    schema_file: Path | None,
    organisations: int,
    how: str,
    budget: Budget | None = None,
) -> DemoData:
    """Read the table, hold out the judge's 20 % and share the rest out.

    Args:
        data: CSV, CSV.gz or Parquet; None for the breast-cancer records.
        target: column to predict; needed with `data`.
        schema_file: TOML; None drafts one from the rows.
        organisations: how many parts, at least 3.
        how: a partition as `headwater.schema.partition` names them.
        budget: of privacy, whose bound on rows must hold; None without.

    Raises:
        InputError: fewer than three organisations, no such file or column, a table that breaks the schema, cells that
            are no numbers where a schema is read from numbers, a target on which no classifier can be scored, more
            training rows than the budget's bound.
    """
    check_organisations(organisations)
    if data is None:
        table, name, target = default_table(), "breast-cancer", target or DEFAULT_TARGET
    else:
        table, name = read_arrow(data), data.name.split(".")[0]
        if target is None:
            raise InputError(f"no target column was named for {data.name}; say --target COLUMN")
    if target not in table.column_names:
        raise InputError(f"there is no column {target!r}; the columns are {_listed(table.column_names)}")
    warnings: tuple[str, ...] = ()
    if schema_file is None:
        drafted = draft_schema(table, target, name, data)
        schema, warnings = drafted.schema, drafted.warnings
    else:
        schema = read_schema(schema_file)
    if schema.target is None:
        raise InputError(f'the schema {schema.name!r} marks no target; set role = "target" on one column')
    if schema.images:
        raise InputError(f"{name} holds pictures, the demo shows tables; say headwater-coordinator simulate instead")
    missing = [column for column in schema.names if column not in table.column_names]
    if missing:
        raise InputError(f"the table lacks the schema's column {missing[0]!r}; it has {_listed(table.column_names)}")
    # A draft leaves out columns that rather name records than describe them; nobody is judged by those.
    table = table.select(list(schema.names))
    shared = share_out(table, schema, organisations, how)
    if budget is not None:
        check_most_rows(budget, splits_of(private=True), [shared.rows.take(part) for part in shared.parts])
    # The demo ends with scores: what cannot be scored is refused before a consortium is made for it.
    Usefulness(shared.train, shared.test, schema.target.name).check()
    title = _TITLE if data is None else ""
    return DemoData(schema.name, schema, schema_file is None, shared.train, shared.test, shared.parts, warnings, title)


def _listed(names: Sequence[str], shown: int = 12) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
