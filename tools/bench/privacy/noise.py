"""How far noisy sums lie from the true counts, by the number of organisations that share the noise."""

import pathlib
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generator.attacks import trained_rows
from generator.datasets import DATASETS
from headwater.agreement.plan import Plan
from headwater.encoding.encoding import Encoding
from headwater.encoding.grid import Histograms
from headwater.encoding.marginals import count
from headwater.privacy.budget import Budget, PrivacyMode
from headwater.privacy.shares import honest_members
from headwater.recipe.actions import Aggregate
from headwater.recipe.layout import layout_of_counts
from headwater.recipe.machine import build_recipe
from headwater.recipe.task import Task
from headwater.schema.table import Table
from headwater_server.simulation.driving import LocalEngine
from headwater_server.simulation.inputs import read_inputs

__all__ = ["measure"]


def measure(
    *,
    file: str,
    table: str,
    organisations: int,
    mode: PrivacyMode,
    epsilon: float,
    delta: float,
    repeats: int,
    seed: int,
) -> dict[str, Any]:
    """Sum the first round of a run again and again, and hold each sum to the rows' own counts.

    Args:
        file: the table.
        table: its name in `DATASETS`.
        organisations: how many share the rows out, IID.
        mode: whose noise must suffice.
        epsilon: of the run's budget.
        delta: of the run's budget.
        repeats: sums.
        seed: of the plan.

    Returns:
        Root mean square of the error in rows, and what a run at a trusted curator would have.
    """
    budget = Budget(epsilon=epsilon, delta=delta, mode=mode)
    path = pathlib.Path(file)
    inputs = read_inputs(path, DATASETS[table].target, organisations, "iid", seed=seed, budget=budget)
    plan = inputs.plan
    action = build_recipe(plan).next()
    if not isinstance(action, Aggregate) or action.task.noise == "none":
        raise SystemExit("the first round of a private run asks for no noisy counts; measure the one that does")
    rows = trained_rows(inputs.parts, plan.splits)
    true = _true_counts(action.task, rows, plan)
    engine, layout, squares = LocalEngine(inputs.parts, plan), layout_of_counts(len(true)), []
    began, sent = time.process_time(), 0
    for _ in range(repeats):
        total, _ = engine.sum(action.task, action.model)
        squares.append(np.mean((layout.split(total).payload - true) ** 2))
        sent = total.nbytes * organisations
    return {
        "error": float(np.sqrt(np.mean(squares))),
        "central": float(np.sqrt(action.task.noise.variance)),
        "honest": honest_members(budget, organisations, plan.colluders),
        "cells": len(true),
        "rows": rows.rows,
        "round_seconds": (time.process_time() - began) / repeats,
        "bytes_up": sent,
    }


def _true_counts(task: Task, rows: Table, plan: Plan) -> NDArray[np.int64]:
    """What a task asks for, of all rows together and without noise."""
    if task.kind == "histograms":
        return Histograms.of(plan.schema_, plan.recipe.encoding).count(rows)
    encoding = Encoding.from_document(plan.schema_, task.parameters["encoding"])
    subsets = [tuple(subset) for subset in task.parameters["subsets"]]
    return np.concatenate(count(encoding.encode(rows), encoding.sizes, subsets)).astype(np.int64)
