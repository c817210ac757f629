"""The vector of a round of training on pictures: a convolutional generator and its critic."""

import hashlib

import numpy as np

from headwater.contribution.splits import split_rows
from headwater.contribution.training import one_thread
from headwater.contribution.updating import LEAST_ROWS, update_vector
from headwater.errors import InputError, PeerError
from headwater.generator.convolutional import train_pictures
from headwater.images.convolution import Convolution
from headwater.recipe.layout import layout_of_update
from headwater.recipe.lifted import convolution_spec
from headwater.recipe.settings import RecipeTerms
from headwater.recipe.task import Task, seed_for
from headwater.schema.finite import finite_part
from headwater.schema.table import Table
from headwater.secagg.crypto.ring import RingVector

__all__ = ["train_convolution"]


def train_convolution(task: Task, model: bytes, rows: Table, plan: RecipeTerms) -> RingVector:
    """Train from the shared networks on an organisation's pictures.

    Args:
        task: of kind "update", checked against the plan.
        model: generator and critic.
        rows: all of the organisation's rows.
        plan: as approved.

    Returns:
        In the plan's ring, shape (task.length,): weight × clipped change in fixed point, the weight, metrics.

    Raises:
        PeerError: the networks are unusable, or not those of the plan.
    """
    try:
        shared = Convolution.from_bytes(model)
    except InputError as error:
        raise PeerError(f"the task's networks are unusable: {error}") from error
    layout = layout_of_update(len(shared.weights))
    if shared.spec != convolution_spec(plan) or layout.length != task.length or task.clip is None:
        raise PeerError("the task's networks and length are not those of the plan; compare the versions")
    used = finite_part(split_rows(rows, plan.splits, "train"))
    update = None
    if used.rows >= LEAST_ROWS and len(shared.critic):
        pictures = used.columns[shared.spec.image.name]
        target = plan.schema_.target
        labels = np.zeros(used.rows, np.int32) if target is None else used.columns[target.name]
        # Chance of its own for each organisation, from nothing but the task's seed and its rows.
        digest = hashlib.sha256(pictures.tobytes() + labels.tobytes()).hexdigest()
        with one_thread():
            terms = plan.recipe.images.convolution
            update = train_pictures(shared, pictures, labels, terms, seed_for(task.seed, digest))
    return update_vector(task, update, used.rows, layout, plan)
