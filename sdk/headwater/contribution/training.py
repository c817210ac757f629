"""The vector of a training round: local adversarial training, clipped, weighted and rounded."""

import contextlib
import hashlib
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from headwater.contribution.allowed import update_settings
from headwater.contribution.expecting import prepared_rows
from headwater.contribution.refined import refined_of
from headwater.contribution.updating import LEAST_ROWS, update_vector
from headwater.encoding.encoding import Encoding
from headwater.errors import InputError, PeerError
from headwater.generator.adversarial import train_locally
from headwater.generator.model import Model
from headwater.generator.refiner.training import train_refiner
from headwater.generator.spec import GeneratorSpec
from headwater.generator.update import update_length
from headwater.mixture.form import RowFeatures
from headwater.recipe.layout import layout_of_update
from headwater.recipe.settings import RecipeTerms
from headwater.recipe.task import Task, seed_for
from headwater.schema.table import Table
from headwater.secagg.crypto.ring import RingVector

__all__ = ["one_thread", "train", "train_refined"]


def train(task: Task, model: bytes, rows: Table, encoding: Encoding, plan: RecipeTerms) -> RingVector:
    """Train from the shared model on an organisation's training rows.

    Args:
        task: of kind "update", checked against the plan.
        model: generator and critic.
        rows: finite training rows; may be none.
        encoding: of the task.
        plan: as approved.

    Returns:
        In the plan's ring, shape (task.length,): weight × clipped change in fixed point, the weight, metrics.

    Raises:
        PeerError: the model is unusable or does not fit the task.
    """
    settings, (progress, proximal) = update_settings(task, plan), _of_round(task, plan)
    try:
        shared = Model.from_bytes(model)
    except InputError as error:
        raise PeerError(f"the task's model is unusable: {error}") from error
    layout = layout_of_update(update_length(shared))
    if layout.length != task.length or shared.spec.sizes != encoding.sizes or task.clip is None:
        raise PeerError("the task's model, encoding and length do not belong together")
    if not _of_plan(shared.spec, plan):
        raise PeerError("the task's networks are not of the shape that the plan names; compare the versions")
    update = None
    if rows.rows >= LEAST_ROWS:
        codes = encoding.encode(rows)
        with one_thread():
            update = train_locally(
                shared, codes, settings, _seed(task, codes), "cpu", progress=progress, proximal=proximal
            )
    return update_vector(task, update, rows.rows, layout, plan)


def train_refined(task: Task, model: bytes, rows: Table, encoding: Encoding, plan: RecipeTerms) -> RingVector:
    """Train refiner and critic of a refined mixture on an organisation's training rows.

    Args:
        task: of kind "update", checked against the plan.
        model: the refined mixture's bytes.
        rows: all of the organisation's rows.
        encoding: of the task.
        plan: as approved.

    Returns:
        As `train`.

    Raises:
        PeerError: the model is unusable or does not fit the task.
    """
    shared = refined_of(model, plan)
    layout = layout_of_update(len(shared.refiner) + len(shared.critic))
    if layout.length != task.length or task.clip is None or not len(shared.refiner):
        raise PeerError("the task's model and length do not belong together, or it has no refiner")
    used = prepared_rows(rows, encoding, shared.mixture, plan).train
    update = None
    if len(used.classes) >= LEAST_ROWS:
        settings, (progress, _) = update_settings(task, plan), _of_round(task, plan)
        with one_thread():
            update = train_refiner(shared, used, settings, _seed_of(task, used), progress=progress)
    return update_vector(task, update, len(used.classes), layout, plan)


def _of_plan(spec: GeneratorSpec, plan: RecipeTerms) -> bool:
    label = plan.schema_.target_index
    condition = "none" if label is None else plan.recipe.condition
    named = {**plan.recipe.network.model_dump(), "label": label, "condition": condition}
    return all(getattr(spec, name) == value for name, value in named.items())


def _of_round(task: Task, plan: RecipeTerms) -> tuple[float, float]:
    """The share of rounds that are done, and the weight of the proximal term."""
    done, rounds = task.parameters.get("round", 0), max(1, plan.recipe.training_rounds)
    proximal = task.parameters.get("proximal", 0)
    if type(done) is not int or not 0 <= done < rounds:
        raise PeerError(f"the task is of training round {done}, the plan has {rounds}")
    if proximal not in (0, plan.recipe.training.proximal):
        raise PeerError("the task's proximal weight is not the plan's")
    return done / rounds, float(proximal)


def _seed(task: Task, codes: NDArray[np.int32]) -> int:
    """Chance of its own for each organisation, from nothing but the task's seed and its rows."""
    return seed_for(task.seed, hashlib.sha256(np.ascontiguousarray(codes).tobytes()).hexdigest())


def _seed_of(task: Task, rows: RowFeatures) -> int:
    parts = (rows.classes, rows.units, rows.scores)
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts))
    return seed_for(task.seed, digest.hexdigest())


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """One thread of torch: sums over batches come out the same bit for bit however many cores a machine has.

    It is also faster where several organisations train on one machine, as threads that wait for each other spin.
    """
    before = torch.get_num_threads()
    if before != 1:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        if before != 1:
            torch.set_num_threads(before)
