"""The vector of a round of expectation: what training rows say of a mixture, and how validation rows lie under it."""

from dataclasses import dataclass

import numpy as np

from headwater.contribution.remembered import Remembered
from headwater.contribution.splits import split_rows
from headwater.encoding.encoding import Encoding
from headwater.errors import InputError, PeerError
from headwater.mixture.expectation import expect
from headwater.mixture.form import Form, RowFeatures
from headwater.mixture.form_parts import form_digest
from headwater.mixture.parameters import Mixture
from headwater.mixture.vector import StatisticsCode, values_of
from headwater.recipe.fixed_point import largest_magnitude
from headwater.recipe.layout import layout_of_counts
from headwater.recipe.settings import RecipeTerms, SplitShares
from headwater.recipe.task import Task
from headwater.schema.finite import finite_part
from headwater.schema.table import Table
from headwater.secagg.crypto.ring import RingVector

__all__ = ["PreparedRows", "prepared_rows", "sum_expectations"]


_Key = tuple[str, str, SplitShares, bool]


@dataclass(frozen=True, slots=True, eq=False)
class PreparedRows:
    """What no round upon a mixture changes, worked out in its first one.

    Attributes:
        train: training rows.
        validation: validation rows.
        skipped: training rows with a value that is not finite.
    """

    train: RowFeatures
    validation: RowFeatures
    skipped: int


# Rounds of a climb differ in the mixture's numbers alone.
_PREPARED = Remembered[PreparedRows]()


def sum_expectations(task: Task, model: bytes, rows: Table, encoding: Encoding, plan: RecipeTerms) -> RingVector:
    """One organisation's statistics under the task's mixture.

    Args:
        task: of kind "expectation", checked against the plan.
        model: the mixture's bytes.
        rows: all of the organisation's rows.
        encoding: of the task.
        plan: as approved.

    Returns:
        In the plan's ring, shape (task.length,).

    Raises:
        PeerError: the mixture is unusable, or does not fit task and plan.
        InputError: more rows than the task has room for.
    """
    try:
        mixture = Mixture.from_bytes(model)
    except InputError as error:
        raise PeerError(f"the task's mixture is unusable: {error}") from error
    code = _code(task)
    layout = layout_of_counts(values_of(mixture.form, mixture.components))
    target = plan.schema_.target_index
    if layout.length != task.length or mixture.form.label not in (None, target):
        raise PeerError("the task's mixture, length and label do not belong together")
    prepared = prepared_rows(rows, encoding, mixture, plan)
    used = len(prepared.train.classes)
    if used > code.rows or len(prepared.validation.classes) > code.rows:
        raise InputError(
            f"the task has room for {code.rows} rows of an organisation and there are more; rows were added since the "
            "run counted them: propose a new run"
        )
    try:
        with np.errstate(all="ignore"):
            statistics = expect(mixture, prepared.train, prepared.validation)
    except InputError as error:
        raise PeerError(f"the task's mixture is unusable: {error}") from error
    if not (np.isfinite(statistics.sums).all() and np.isfinite(statistics.density)):
        raise PeerError("the task's mixture gives densities that are not finite; it cannot have come from sums")
    return layout.join(
        code.integers(statistics, mixture.form),
        used,
        {"skipped_rows": prepared.skipped},
        largest=largest_magnitude(task.value_bits),
        ring_bits=plan.ring_bits,
    )


def _code(task: Task) -> StatisticsCode:
    rows = task.parameters.get("rows")
    if type(rows) is not int or not 2 <= rows < 1 << task.value_bits or rows & (rows - 1):
        raise PeerError("a task of expectation needs a power of two of rows that its value bits have room for")
    return StatisticsCode(rows, task.value_bits)


def prepared_rows(rows: Table, encoding: Encoding, mixture: Mixture, plan: RecipeTerms) -> PreparedRows:
    """Training and validation rows as a mixture sees them; worked out once for all rounds of a run.

    Raises:
        PeerError: its form does not fit the encoding.
    """
    # Only a tilt asks for the rows' codes.
    key = (encoding.digest, form_digest(mixture.form), plan.splits, mixture.tilt is not None)
    return _PREPARED.get(rows, key, lambda: _prepare(rows, encoding, mixture.form, plan, key))


def _prepare(rows: Table, encoding: Encoding, form: Form, plan: RecipeTerms, key: _Key) -> PreparedRows:
    part = split_rows(rows, plan.splits, "train")
    used, others = finite_part(part), finite_part(split_rows(rows, plan.splits, "validation"))
    try:
        train, validation = (form.rows(each, encoding, coded=key[-1]) for each in (used, others))
        return PreparedRows(train, validation, part.rows - used.rows)
    except InputError as error:
        raise PeerError(f"the task's mixture does not fit its encoding: {error}") from error
