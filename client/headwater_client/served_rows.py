"""Which rows took part in a run, kept as keyed hashes: a review by other rows would say nothing of its release."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from headwater.contribution.splits import keyed_hashes, packed_rows
from headwater.errors import InputError, StorageError
from headwater.schema.table import Table
from headwater_client.plan_rows import PlanRows
from headwater_client.settings import Home

__all__ = ["ReviewedRows", "keep_served", "rows_of_run"]

U64 = NDArray[np.uint64]

_KEY_BYTES = 32
# So many of a run's rows may be gone since, as where a person has asked for it: one in a hundred.
_ONE_IN = 100


@dataclass(frozen=True, slots=True)
class ReviewedRows:
    """Rows that a release is audited by.

    Attributes:
        rows: those that took part in its run, as far as that is known.
        told: how they differ from what took part, in one line; empty where they do not.
    """

    rows: PlanRows
    told: str = ""


def keep_served(home: Home, run_id: str, rows: PlanRows) -> None:
    """Keep which rows an organisation takes part in a run with; those of an earlier part in it are forgotten.

    Args:
        home: of the organisation.
        run_id: of the run.
        rows: as they were read for its plan.

    Raises:
        InputError: they do not hold to the plan's schema.
        StorageError: the disk is full or the folder cannot be written.

    Guarantee: no value is kept, but a hash of each row under a key of this file alone, for the owner's eyes: whoever
        has the file can try guessed rows against it, as whoever has the home's keys can do worse.
    """
    key = secrets.token_bytes(_KEY_BYTES)
    file = _file(home, run_id)
    draft = file.with_name(f".{file.name}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            # Sorted: the order of rows in a file is nobody's business.
            stream.write(key + np.sort(_marks(rows.conformed, key)).astype("<u8").tobytes())
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(file)
    except OSError as error:
        raise StorageError(f"{file} cannot be written ({error.strerror}); free the disk") from error


def rows_of_run(home: Home, run_id: str, rows: PlanRows) -> ReviewedRows:
    """Hold rows that are given for a review to those that took part in the run.

    File format, order and further columns do not matter, nor do digits that single precision does not keep.

    Args:
        home: of the organisation.
        run_id: of the release's run.
        rows: as they were read for its plan.

    Returns:
        Rows added since are left out, and said; so is a hundredth of the run's rows that may be gone.

    Raises:
        InputError: they are other rows than took part, or do not hold to the plan's schema.
        StorageError: what was kept cannot be read.
    """
    file = _file(home, run_id)
    try:
        kept = file.read_bytes()
    except FileNotFoundError:
        return ReviewedRows(
            rows,
            f"Which rows took part in run {run_id[:8]} is not kept in this home: see to it yourself that these are "
            "the ones.",
        )
    except OSError as error:
        raise StorageError(f"{file} cannot be read ({error.strerror}); mend its permissions") from error
    if len(kept) < _KEY_BYTES or (len(kept) - _KEY_BYTES) % 8:
        raise StorageError(f"{file} is cut off; restore it, or delete it to review without it")
    served = np.frombuffer(kept[_KEY_BYTES:], "<u8").astype(np.uint64)
    given = _marks(rows.conformed, kept[:_KEY_BYTES])
    mine = _among(given, served)
    common = int(mine.sum())
    gone, added = len(served) - common, len(given) - common
    if gone * _ONE_IN > len(served):
        raise InputError(
            f"these are other rows than took part in run {run_id[:8]}: it had {len(served):,} rows of this "
            f"organisation, and {common:,} of them are among the {len(given):,} that are given; give the rows that "
            "serve had then, in whatever format or order, with others or without"
        )
    told = [
        *([f"{added:,} rows were added since the run and are left out"] if added else []),
        *([f"{gone:,} rows of the run are gone since"] if gone else []),
    ]
    words = f"Audited by {common:,} rows that took part in the run: {'; '.join(told)}." if told else ""
    return ReviewedRows(rows.only(mine) if added else rows, words)


def _file(home: Home, run_id: str) -> Path:
    return home.served / f"{run_id}.rows"


def _among(given: U64, served: U64) -> NDArray[np.bool_]:
    """Which of the marks given are among those served; one that stands there k times counts k times at most."""
    marks, counts = np.unique(served, return_counts=True)
    order = np.argsort(given, kind="stable")
    ordered = given[order]
    rank = np.arange(len(given)) - np.searchsorted(ordered, ordered, side="left")
    place = np.minimum(np.searchsorted(marks, ordered), len(marks) - 1)
    found = np.zeros(len(given), np.bool_)
    found[order] = (marks[place] == ordered) & (rank < counts[place]) if len(marks) else False
    return found


def _marks(table: Table, key: bytes) -> U64:
    """A keyed hash of each row; shape (rows,)."""
    # In single precision: a format that keeps a number with half the bits makes no other row of it.
    with np.errstate(over="ignore"):
        return keyed_hashes(packed_rows(table).astype("<f4"), key)
