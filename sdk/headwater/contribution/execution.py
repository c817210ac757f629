"""What a recipe asks of the coordinator itself: fit, merge, sample. Run driver and simulation both call it."""

import math
from collections.abc import Callable, Iterator

import numpy as np

from headwater.contribution.candidate import sample_candidate
from headwater.encoding.encoding import Encoding
from headwater.errors import InputError
from headwater.generator.conditions import shares_by_class
from headwater.generator.fit import fit_to_marginals, initial_model, marginal_loss
from headwater.generator.health import examine
from headwater.generator.model import Model
from headwater.generator.private_critic import step_critic, weigh_noisy
from headwater.generator.private_fit import fit_private
from headwater.generator.refiner.merging import begin_refined, judge_refined, merge_refined
from headwater.generator.refiner.model import is_refined
from headwater.generator.sampler import read_sampler
from headwater.generator.spec import GeneratorSpec
from headwater.generator.update import apply_update, update_length
from headwater.recipe.actions import (
    Computed,
    Fit,
    FitNoisy,
    Judge,
    Merge,
    ModelReport,
    Refine,
    Sample,
    StepCritic,
    WeighNoisy,
)
from headwater.recipe.task import seed_for
from headwater.schema.table import Table

__all__ = ["execute", "sample_batches", "sample_table"]

Progress = Callable[[int, int, float], None]
"""Called with steps done, steps in all and the last loss."""

_BATCH = 8192


def execute(
    action: Computed, *, device: str = "auto", on_progress: Progress | None = None
) -> tuple[bytes, ModelReport]:
    """Do what an action other than `Aggregate` asks, without a row; the result is what `Recipe.add_model` takes.

    Args:
        action: from `Recipe.next`.
        device: "auto", "cpu" or "cuda".
        on_progress: called now and then during a fit.

    Returns:
        The model's bytes and what was measured on it. A merged model that is not finite has loss infinity.

    Raises:
        InputError: the action's parts do not belong together, or there is no such device.
    """
    if isinstance(action, Sample):
        return sample_candidate(action, device=device)
    if isinstance(action, FitNoisy):
        return _fit_noisy(action, on_progress)
    if isinstance(action, StepCritic):
        return step_critic(action)
    if isinstance(action, WeighNoisy):
        return weigh_noisy(action)
    if isinstance(action, Refine):
        return begin_refined(action)
    if isinstance(action, Judge):
        return judge_refined(action)
    if isinstance(action, Merge) and is_refined(action.model):
        return merge_refined(action)
    if isinstance(action, Fit):
        model = _fit(action, device, on_progress)
    else:
        model = Model.from_bytes(action.model)
        merged = _merge(model, action)
        if merged is None:
            return action.model, ModelReport(math.inf, update_length(model), {})
        model = merged
    loss = marginal_loss(model, action.marginals, action.measure_seed, device)
    health = examine(model, action.marginals, action.measure_seed).to_document()
    return model.to_bytes(), ModelReport(loss, update_length(model), health)


def sample_batches(
    model: bytes,
    encoding: Encoding,
    rows: int,
    seed: int,
    *,
    label: int | None = None,
    batch_size: int = _BATCH,
    device: str = "auto",
) -> Iterator[Table]:
    """Yield synthetic rows in batches; memory is bounded by the batch.

    Args:
        model: from `Done`.
        encoding: from `Done`.
        rows: how many in all.
        seed: equal seeds and batch sizes give equal rows on one machine's CPU.
        label: code of the label that every row shall have; None draws the label too.
        batch_size: rows of a batch.
        device: "auto", "cpu" or "cuda".
    """
    yield from read_sampler(model).tables(
        encoding, rows, seed_for(seed, "codes"), label=label, batch_size=batch_size, device=device
    )


def sample_table(
    model: bytes, encoding: Encoding, rows: int, seed: int, *, label: int | None = None, device: str = "auto"
) -> Table:
    """Synthetic rows as one table.

    Raises:
        InputError: fewer than one row is asked for.
    """
    if rows < 1:
        raise InputError(f"{rows} rows are asked for; ask for one at least")
    return Table.concat(list(sample_batches(model, encoding, rows, seed, label=label, device=device)))


def _fit_noisy(action: FitNoisy, on_progress: Progress | None) -> tuple[bytes, ModelReport]:
    def report(done: int, steps: int, loss: float) -> None:
        if on_progress is not None:
            on_progress(done, steps, loss)

    fitted = fit_private(action.marginals, action.sizes, action.label, action.terms, action.seed, on_progress=report)
    health = {"components": float(fitted.mixture.components)}
    return fitted.mixture.to_bytes(), ModelReport(fitted.misfit, 0, health)


def _fit(action: Fit, device: str, on_progress: Progress | None) -> Model:
    label = action.label
    # A table without a label has nothing to be conditioned on.
    condition = action.condition if label is not None else "none"
    spec = GeneratorSpec(
        sizes=action.sizes,
        groups=action.groups,
        label=label,
        condition=condition,
        shares=None if condition == "none" or label is None else shares_by_class(action.sizes, label, action.marginals),
        **action.network.model_dump(),
    )
    steps, start = action.terms.steps, Model.from_bytes(action.start) if action.start else None
    if start is not None:
        spec = start.spec

    def report(done: int, loss: float) -> None:
        if on_progress is not None:
            on_progress(done, steps, loss)

    if steps:
        model = fit_to_marginals(spec, action.marginals, action.terms, action.seed, device, report, start)
    else:
        model = initial_model(spec, action.marginals, action.seed)
    return model.with_critic(seed_for(action.seed, "critic")) if action.critic else model


def _merge(model: Model, action: Merge) -> Model | None:
    if action.restart:
        # Made anew: nothing else that a model may carry of former rounds comes along.
        return Model(model.spec, model.average, model.average, model.critic)
    if not np.isfinite(action.mean_delta).all():
        return None
    try:
        return apply_update(model, action.mean_delta, action.terms)
    except InputError:
        if len(action.mean_delta) != update_length(model):
            raise
        # Finite changes can still leave float32: the model refuses weights that are not finite.
        return None
