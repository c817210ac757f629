"""Build the task of each kind of round from the plan and what earlier sums fixed."""

from collections.abc import Sequence
from typing import Literal

from headwater.canonical import sha256_hex
from headwater.encoding.encoding import Encoding
from headwater.encoding.grid import Histograms
from headwater.encoding.marginals import Subset, cells_of
from headwater.mixture.parameters import Mixture
from headwater.mixture.vector import StatisticsCode, values_of
from headwater.privacy.events import NoisyCounts, NoisyGradients
from headwater.recipe.evaluation import values_of_evaluation
from headwater.recipe.fixed_point import scale_for
from headwater.recipe.layout import layout_of_counts, layout_of_update
from headwater.recipe.remedies import Remedies
from headwater.recipe.settings import RecipeTerms
from headwater.recipe.task import GradientNoise, Task, TaskNoise, seed_for

__all__ = [
    "audit_task",
    "evaluate_task",
    "expectation_task",
    "gradient_task",
    "histograms_task",
    "marginals_task",
    "update_task",
]


def histograms_task(terms: RecipeTerms, step: int, noise: NoisyCounts | None = None) -> Task:
    """Counts of every column on its public grid.

    Args:
        terms: of the plan.
        step: number of the summed round.
        noise: under a budget, what the round may cost.
    """
    return Task(
        kind="histograms",
        step=step,
        length=layout_of_counts(Histograms.of(terms.schema_, terms.recipe.encoding).length).length,
        value_bits=terms.recipe.value_bits,
        seed=seed_for(terms.seed, "histograms", step),
        noise=_noise(noise, len(terms.schema_.columns)),
    )


def marginals_task(
    terms: RecipeTerms, step: int, encoding: Encoding, subsets: Sequence[Subset], noise: NoisyCounts | None = None
) -> Task:
    """Counts of every combination of codes of some subsets of columns; `noise` as of `histograms_task`."""
    cells = sum(cells_of(encoding.sizes, subset) for subset in subsets)
    return Task(
        kind="marginals",
        step=step,
        length=layout_of_counts(cells).length,
        value_bits=terms.recipe.value_bits,
        # The fine counts stay behind: to encode its rows an organisation needs none of the others' counts.
        parameters={"encoding": encoding.to_document(masses=False), "subsets": [list(subset) for subset in subsets]},
        seed=seed_for(terms.seed, "marginals", step),
        noise=_noise(noise, len(subsets)),
    )


def expectation_task(
    terms: RecipeTerms, step: int, encoding: Encoding, mixture: Mixture, model: bytes, rows: int
) -> Task:
    """What the rows of a table of `rows` training rows say of a mixture, whose bytes `model` go along."""
    code = StatisticsCode.for_rows(rows, terms.recipe.value_bits)
    return Task(
        kind="expectation",
        step=step,
        length=layout_of_counts(values_of(mixture.form, mixture.components)).length,
        value_bits=terms.recipe.value_bits,
        parameters={"encoding": encoding.to_document(masses=False), "rows": code.rows},
        seed=seed_for(terms.seed, "expectation", step),
        model_digest=sha256_hex(model),
    )


def update_task(
    terms: RecipeTerms,
    step: int,
    encoding: Encoding,
    model: bytes,
    weights: int,
    remedies: Remedies | None = None,
    *,
    done: int = 0,
    drift: float = 0.0,
) -> Task:
    """Local adversarial training from a shared model.

    Args:
        terms: of the plan.
        step: number of the summed round.
        encoding: that rows are encoded with.
        model: bytes that go along.
        weights: of generator and critic together, the values of an update.
        remedies: in force.
        done: training rounds before this one.
        drift: ratio of the round before, 0 before the first.
    """
    settings, training, remedies = terms.recipe, terms.recipe.training, remedies or Remedies()
    clip = remedies.applied(training).clip
    proximal = training.proximal if drift > training.drift_limit else 0.0
    encoded = encoding.to_document(masses=False)
    parameters: dict[str, object] = {"encoding": encoded, "round": done, "proximal": proximal}
    if document := remedies.to_document():
        parameters["remedies"] = document
    return Task(
        kind="update",
        step=step,
        length=layout_of_update(weights).length,
        value_bits=settings.value_bits,
        parameters=parameters,
        seed=seed_for(terms.seed, "update", step),
        clip=clip,
        scale=scale_for(clip, settings.value_bits),
        model_digest=sha256_hex(model),
    )


def evaluate_task(terms: RecipeTerms, step: int, encoding: Encoding, model: bytes, classes: int) -> Task:
    """What the critic of a refined mixture, whose bytes `model` go along, says of rows."""
    return Task(
        kind="evaluate",
        step=step,
        length=layout_of_counts(values_of_evaluation(classes)).length,
        value_bits=terms.recipe.value_bits,
        parameters={"encoding": encoding.to_document(masses=False)},
        seed=seed_for(terms.seed, "evaluate", step),
        model_digest=sha256_hex(model),
    )


def gradient_task(
    terms: RecipeTerms, step: int, encoding: Encoding, critic: bytes, parameters: int, event: NoisyGradients
) -> Task:
    """Clipped gradients of a critic's opinion over a Poisson sample of rows, under noise.

    Args:
        terms: of the plan.
        step: number of the summed round.
        encoding: that rows are encoded with.
        critic: bytes that go along.
        parameters: of the critic, the values of a sum.
        event: what the sum may cost.
    """
    clip = terms.recipe.private.critic.clip
    return Task(
        kind="gradient",
        step=step,
        length=layout_of_counts(parameters).length,
        value_bits=terms.recipe.value_bits,
        parameters={"encoding": encoding.to_document(masses=False)},
        seed=seed_for(terms.seed, "gradient", step),
        clip=clip,
        scale=event.sensitivity / clip,
        model_digest=sha256_hex(critic),
        noise=GradientNoise(variance=event.variance, sensitivity=event.sensitivity, rate=event.rate),
    )


def audit_task(terms: RecipeTerms, step: int, candidate: bytes, checks: Sequence[tuple[str, int]]) -> Task:
    """What attacks on a candidate, whose bytes go along, find out with the organisations' rows.

    Args:
        terms: of the plan.
        step: number of the summed round.
        candidate: bytes that go along.
        checks: name and size of each; an organisation whose own checks are others refuses.
    """
    return Task(
        kind="audit",
        step=step,
        length=layout_of_counts(sum(size for _, size in checks)).length,
        value_bits=terms.recipe.value_bits,
        parameters={"checks": [[name, size] for name, size in checks]},
        seed=seed_for(terms.seed, "audit", step),
        model_digest=sha256_hex(candidate),
    )


def _noise(event: NoisyCounts | None, tables: int) -> Literal["none"] | TaskNoise:
    return "none" if event is None else TaskNoise(variance=event.variance, tables=tables)
