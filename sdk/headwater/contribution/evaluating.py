"""The vector of a round of evaluation: what a refined mixture's critic says of training and validation rows."""

import numpy as np

from headwater.contribution.expecting import prepared_rows
from headwater.contribution.refined import refined_of
from headwater.encoding.encoding import Encoding
from headwater.errors import InputError, PeerError
from headwater.generator.refiner.drawing import RefinedDraws
from headwater.mixture.expectation import log_densities
from headwater.recipe.evaluation import BINS, STRENGTHS, Evaluation, bins_of, histogram, values_of_evaluation
from headwater.recipe.fixed_point import largest_magnitude
from headwater.recipe.layout import layout_of_counts
from headwater.recipe.settings import RecipeTerms
from headwater.recipe.task import Task
from headwater.schema.table import Table
from headwater.secagg.crypto.ring import RingVector

__all__ = ["evaluate"]


def evaluate(task: Task, model: bytes, rows: Table, encoding: Encoding, plan: RecipeTerms) -> RingVector:
    """One organisation's histograms.

    Args:
        task: of kind "evaluate", checked against the plan.
        model: the refined mixture's bytes, with its critic.
        rows: all of the organisation's rows.
        encoding: of the task.
        plan: as approved.

    Returns:
        In the plan's ring, shape (task.length,).

    Raises:
        PeerError: the model is unusable, or does not fit task and plan.
        InputError: more rows than a value has room for.
    """
    refined = refined_of(model, plan)
    draws, form = RefinedDraws(refined), refined.mixture.form
    layout = layout_of_counts(values_of_evaluation(form.classes))
    if layout.length != task.length:
        raise PeerError("the task's model and length do not belong together")
    prepared = prepared_rows(rows, encoding, refined.mixture, plan)
    low, high = refined.mixture.span
    logits, densities = [], []
    for part in (prepared.train, prepared.validation):
        opinions = draws.logits(part)
        try:
            with np.errstate(all="ignore"):
                log_density = np.nan_to_num(log_densities(refined.mixture, part))
        except InputError as error:
            raise PeerError(f"the task's model is unusable: {error}") from error
        places = part.classes.astype(np.int64) * BINS + bins_of(opinions)
        logits.append(np.bincount(places, minlength=form.classes * BINS).reshape(form.classes, BINS))
        densities.append([histogram(log_density + strength * opinions, low, high) for strength in STRENGTHS])
    counted = Evaluation(np.stack(logits), np.stack(densities, axis=1))
    return layout.join(
        counted.integers(),
        len(prepared.train.classes),
        {"skipped_rows": prepared.skipped},
        largest=largest_magnitude(task.value_bits),
        ring_bits=plan.ring_bits,
    )
