"""One table as simulation and demo take it: a fifth held out, the rest shared out to organisations."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from headwater.contribution.splits import split_rows
from headwater.errors import InputError
from headwater.evaluation.split import judge_split
from headwater.privacy.budget import Budget
from headwater.recipe.settings import SplitShares
from headwater.schema import Schema
from headwater.schema.conform import Problem, conform
from headwater.schema.partition import partition
from headwater.schema.table import Table

__all__ = ["SharedTable", "check_most_rows", "check_organisations", "share_out"]

_LEAST_ORGANISATIONS = 3


@dataclass(frozen=True, slots=True, eq=False)
class SharedTable:
    """Who holds which rows.

    Attributes:
        train: rows that are shared out, as read.
        test: rows that nobody trains on, as read.
        rows: `train` as the schema has it.
        parts: int64, row numbers of `train`, one array for each organisation.
        changes: what the schema clipped, rounded, mapped or ignored in `train`.
    """

    train: pa.Table
    test: pa.Table
    rows: Table
    parts: tuple[NDArray[np.int64], ...]
    changes: tuple[Problem, ...]


def check_organisations(organisations: int) -> None:
    """Refuse fewer organisations than any secure sum has.

    Raises:
        InputError: fewer than three.
    """
    if organisations < _LEAST_ORGANISATIONS:
        raise InputError(
            f"{organisations} organisations were asked for, a run needs {_LEAST_ORGANISATIONS} at least; "
            f"say --organisations {_LEAST_ORGANISATIONS} or more"
        )


def share_out(table: pa.Table, schema: Schema, organisations: int, how: str) -> SharedTable:
    """Hold out the judge's 20 % of a table and share the rest out.

    Args:
        table: as read.
        schema: that its rows must hold to.
        organisations: how many, at least 3.
        how: a partition as `headwater.schema.partition` names them.

    Raises:
        InputError: fewer than three organisations, too few rows, or rows that the schema refuses, among those
            held out too.
    """
    check_organisations(organisations)
    train, test = judge_split(table.num_rows)
    if not len(train) or not len(test):
        raise InputError(f"{table.num_rows} rows cannot be split into training and test rows; give more")
    # The judge reads the rows held out: what it could not take is refused before the work, in the same line.
    conform(table, schema)
    train_rows = table.take(pa.array(train))
    rows, changes = conform(train_rows, schema)
    parts = tuple(partition(rows, how, organisations))
    return SharedTable(train_rows, table.take(pa.array(test)), rows, parts, changes)


def check_most_rows(budget: Budget, splits: SplitShares, parts: Sequence[Table]) -> None:
    """Refuse before a run what its noisy counts would end it for.

    Args:
        budget: of the plan.
        splits: of the plan.
        parts: each organisation's rows.

    Raises:
        InputError: there are more training rows than the budget's public bound.
    """
    most = budget.most_rows
    if sum(part.rows for part in parts) <= most:
        return
    rows = sum(split_rows(part, splits, "train").rows for part in parts)
    if rows > most:
        raise InputError(
            f"there are {rows:,} training rows, the budget's public bound says at most {most:,}; say --most-rows with "
            "more, and --delta below 1 / that"
        )
