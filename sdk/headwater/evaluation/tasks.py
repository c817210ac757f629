"""What models are asked to predict, as classes that everybody reads alike."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.evidence.candidate import Candidate
from headwater.evidence.settings import AuditSettings
from headwater.schema import BooleanColumn, CategoricalColumn, ImageColumn, Schema
from headwater.schema.table import Table

__all__ = ["Task", "task_names", "tasks_of"]

I64 = NDArray[np.int64]

_MOST_CLASSES = 10


@dataclass(frozen=True, slots=True)
class Task:
    """One column to predict.

    Attributes:
        column: its name.
        classes: what the labels stand for, in the order of their numbers.
        places: of a categorical or boolean column, the label of each code; empty for numbers.
        threshold: of numbers, the candidate's median: above it is the label 1; None for categories.
    """

    column: str
    classes: tuple[str, ...]
    places: tuple[int, ...] = ()
    threshold: float | None = None

    def labels(self, table: Table) -> I64:
        """Each row's label, -1 where it is missing: int64, shape (rows,)."""
        values = table.columns[self.column]
        if self.threshold is not None:
            return np.where(np.isnan(values), -1, values > self.threshold).astype(np.int64)
        return np.asarray((-1, *self.places), np.int64)[values.astype(np.int64) + 1]

    @property
    def judged(self) -> tuple[int, ...]:
        """Labels that are told from all others: one of two, each of several."""
        return (1,) if len(self.classes) == 2 else tuple(range(len(self.classes)))


def tasks_of(candidate: Candidate, settings: AuditSettings) -> tuple[Task, ...]:
    """The declared tasks, else the schema's target.

    | column | classes |
    | --- | --- |
    | boolean, categorical with at most ten categories | its own |
    | categorical with more | the nine most frequent in the candidate, and all others together |
    | number or date | above the candidate's median, and not |

    Raises:
        InputError: a declared task is no column, or is a picture.
    """
    return tuple(_task(name, candidate) for name in task_names(candidate.table.schema, settings))


def task_names(schema: Schema, settings: AuditSettings) -> tuple[str, ...]:
    """Columns that are tasks, whether or not a model can predict them."""
    return settings.tasks or ((schema.target.name,) if schema.target is not None else ())


def _task(name: str, candidate: Candidate) -> Task:
    table = candidate.table
    column = next((column for column in table.schema.columns if column.name == name), None)
    if column is None:
        raise InputError(f"the task {name!r} is no column of the schema; declare a column that is")
    match column:
        case ImageColumn():
            raise InputError(f"the task {name!r} is a picture; declare a column that a model can predict")
        case CategoricalColumn() | BooleanColumn():
            categories = column.categories
            if len(categories) <= _MOST_CLASSES:
                return Task(name, categories, tuple(range(len(categories))))
            counts = np.bincount(table.columns[name].astype(np.int64) + 1, minlength=len(categories) + 1)[1:]
            kept = sorted(np.argsort(-counts, kind="stable")[: _MOST_CLASSES - 1].tolist())
            places = [_MOST_CLASSES - 1] * len(categories)
            for label, code in enumerate(kept):
                places[code] = label
            return Task(name, (*(categories[code] for code in kept), "all others"), tuple(places))
        case _:
            known = table.columns[name][~np.isnan(table.columns[name])]
            median = float(np.median(known)) if len(known) else 0.0
            return Task(name, (f"at most {median:g}", f"above {median:g}"), threshold=median)
