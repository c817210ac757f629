"""One organisation's vector for one round: a pure function of task, model, rows and plan."""

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headwater.contribution.allowed import check_task
from headwater.contribution.auditing import audit
from headwater.contribution.convolving import train_convolution
from headwater.contribution.evaluating import evaluate
from headwater.contribution.expecting import sum_expectations
from headwater.contribution.gradient import sum_gradients
from headwater.contribution.noise import noise_of
from headwater.contribution.pictures import lift_question, sum_pixels
from headwater.contribution.splits import split_rows
from headwater.contribution.training import train, train_refined
from headwater.encoding.encoding import Encoding
from headwater.encoding.grid import Histograms
from headwater.encoding.marginals import cells_of, count
from headwater.errors import InputError, PeerError
from headwater.privacy.discrete_gaussian import Entropy
from headwater.recipe.fixed_point import largest_magnitude
from headwater.recipe.layout import layout_of_counts
from headwater.recipe.lifted import convolution_spec
from headwater.recipe.settings import RecipeTerms
from headwater.recipe.task import Task, TaskNoise
from headwater.schema.finite import finite_part
from headwater.schema.table import Table
from headwater.secagg.crypto.ring import RingVector

__all__ = ["contribute"]


def contribute(
    task: Task,
    model: bytes,
    rows: Table,
    plan: RecipeTerms,
    *,
    members: int = 0,
    entropy: Entropy = os.urandom,
) -> RingVector:
    """Compute what a task asks for.

    Rows with a value that is not finite contribute zero and are counted (protocol 2.3). Training that breaks, or has
    no row, contributes zeros with weight 0: the organisation uploads all the same.

    Args:
        task: of the round.
        model: the bytes that came with it, b"" where the task names none.
        rows: all of the organisation's rows, conformed to the plan's schema.
        plan: as approved.
        members: of the session, n: under a budget this organisation's share of the noise follows from it.
        entropy: of the noise and of samples; never another than the operating system's outside a test.

    Returns:
        In the plan's ring, shape (task.length,): `[payload | weight | metrics]` in the ring.

    Raises:
        PeerError: the task is not one of the plan's, or asks for what the encoding does not have.
        InputError: the rows are not of the plan's schema, or too many for the plan's value bits, or too few members
            share the noise.

    Guarantee: equal arguments give equal values on one machine; nothing else enters, neither time nor other rounds
        (protocol 4.2), but fresh noise and samples under a budget. There, weight and metrics are zero: how many rows
        there are is private, and so is how many were skipped. Magnitudes are below 2^value_bits, and an update's norm
        in integers is within the clip.
    """
    check_task(task, model, plan)
    if rows.schema.digest != plan.schema_.digest:
        raise InputError("the rows are of another schema than the plan; conform them to the plan's schema")
    if task.kind == "audit":
        return audit(task, model, rows, plan)
    if task.kind == "pixels":
        return sum_pixels(task, rows, plan)
    if task.kind == "update" and convolution_spec(plan) is not None:
        return train_convolution(task, model, rows, plan)
    if plan.schema_.images:
        task, rows, plan = lift_question(task, rows, plan)
        check_task(task, model, plan)
    if task.kind == "expectation":
        return sum_expectations(task, model, rows, _encoding(task, plan), plan)
    if task.kind == "gradient":
        return sum_gradients(task, model, rows, _encoding(task, plan), plan, members, entropy)
    if task.kind == "evaluate":
        return evaluate(task, model, rows, _encoding(task, plan), plan)
    if task.kind == "update" and plan.recipe.refines:
        return train_refined(task, model, rows, _encoding(task, plan), plan)
    part = split_rows(rows, plan.splits, "train")
    used = finite_part(part)
    if task.kind == "update":
        return train(task, model, used, _encoding(task, plan), plan)
    if task.kind == "histograms":
        counts = Histograms.of(plan.schema_, plan.recipe.encoding).count(used)
    else:
        counts = _tables(task, used, _encoding(task, plan))
    layout = layout_of_counts(len(counts))
    if layout.length != task.length:
        raise PeerError(f"the task names {task.length} values and asks for {layout.length}; it contradicts itself")
    weight, skipped = used.rows, part.rows - used.rows
    if isinstance(task.noise, TaskNoise):
        counts = counts + noise_of(len(counts), task.noise, plan, members, entropy)
        weight = skipped = 0
    largest = largest_magnitude(task.value_bits)
    return layout.join(counts, weight, {"skipped_rows": skipped}, largest=largest, ring_bits=plan.ring_bits)


def _encoding(task: Task, plan: RecipeTerms) -> Encoding:
    document = task.parameters.get("encoding")
    if not isinstance(document, dict):
        raise PeerError(f"a task of kind {task.kind} needs an encoding")
    try:
        encoding = Encoding.from_document(plan.schema_, document)
    except InputError as error:
        raise PeerError(f"the task's encoding is unusable: {error}") from error
    if encoding.settings != plan.recipe.encoding:
        raise PeerError("the task's encoding has other settings than the plan")
    return encoding


def _tables(task: Task, rows: Table, encoding: Encoding) -> NDArray[np.int64]:
    subsets = _subsets(task.parameters.get("subsets"), len(encoding.sizes))
    if sum(cells_of(encoding.sizes, subset) for subset in subsets) > task.length:
        # Refused before memory is taken for it: `check_task` bounded the length.
        raise PeerError("the task asks for more cells than its vector has values")
    return np.concatenate(count(encoding.encode(rows), encoding.sizes, subsets))


def _subsets(entry: Any, columns: int) -> list[tuple[int, ...]]:
    if not isinstance(entry, list) or not entry:
        raise PeerError("a task of counts needs the subsets of columns to count")
    subsets = []
    for subset in entry:
        whole = isinstance(subset, list) and all(type(column) is int for column in subset)
        if not whole or not subset or sorted(set(subset)) != subset or subset[0] < 0 or subset[-1] >= columns:
            raise PeerError(f"a subset to count is not made of different columns of the {columns}, ascending")
        subsets.append(tuple(subset))
    return subsets
