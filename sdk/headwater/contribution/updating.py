"""The vector of a training round: an update clipped, weighted by rows, in fixed point."""

import numpy as np

from headwater.errors import PeerError
from headwater.generator.local_update import LocalUpdate
from headwater.recipe.drift import energy_of
from headwater.recipe.fixed_point import fixed_point, largest_magnitude
from headwater.recipe.layout import UPDATE_METRICS, Layout
from headwater.recipe.settings import RecipeTerms
from headwater.recipe.task import Task
from headwater.secagg.crypto.ring import RingVector

__all__ = ["LEAST_ROWS", "update_vector"]

LEAST_ROWS = 2
"""Fewer training rows than this contribute nothing."""


def update_vector(task: Task, update: LocalUpdate | None, rows: int, layout: Layout, plan: RecipeTerms) -> RingVector:
    """What an organisation contributes of its training.

    Args:
        task: of kind "update", checked against the plan.
        update: None where there were too few rows to train on.
        rows: training rows.
        layout: of the vector.
        plan: as approved.

    Returns:
        In the plan's ring, shape (layout.length,).

    Raises:
        PeerError: the task has no clip norm.
    """
    settings, largest = plan.recipe.training, largest_magnitude(task.value_bits)
    if task.clip is None:
        raise PeerError("a task of training needs a clip norm")
    if update is None or not np.isfinite(update.delta).all():
        # protocol 2.3: what is not finite contributes zero and is counted.
        metrics = dict.fromkeys(UPDATE_METRICS, 0) | {"skipped": 1}
        return layout.join(np.zeros(layout.payload, np.int64), 0, metrics, largest=largest, ring_bits=plan.ring_bits)
    weight = min(rows, settings.row_cap) / settings.row_cap
    payload = fixed_point(update.delta, task.clip, task.scale, weight)
    metrics = {
        "skipped": 0,
        "clipped": int(float(np.linalg.norm(update.delta.astype(np.float64))) > task.clip),
        "energy": energy_of(payload, largest),
        "accuracy": round(update.accuracy * largest),
    }
    return layout.join(payload, round(weight * largest), metrics, largest=largest, ring_bits=plan.ring_bits)
