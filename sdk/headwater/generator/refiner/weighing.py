"""What a refined mixture could be released as, measured without a row: strengths, tables, and what each changes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from headwater.encoding.marginals import Marginal
from headwater.generator.refiner.drawing import MOST_WEIGHT, RefinedDraws, table_terms
from headwater.generator.refiner.model import RefinedMixture, Weighing
from headwater.mixture.form import Form, RowFeatures
from headwater.recipe.evaluation import BINS, STRENGTHS, Evaluation, bins_of, gain_of
from headwater.recipe.verdict import Candidate

__all__ = ["Measured", "codes_of", "measure_candidates", "weighing_of"]

F64 = NDArray[np.float64]

_DRAWS = 20_000
_SWEEPS = 8
_MOST_TERM = 2.0
_KNOTS = 1024
_MOST_TABLES = 300


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """A generator that may be released.

    Attributes:
        model: with its weighing.
        figures: what was measured on it.
    """

    model: RefinedMixture
    figures: Candidate


def measure_candidates(
    model: RefinedMixture, evaluation: Evaluation, marginals: Sequence[Marginal], seed: int
) -> list[Measured]:
    """Every way to use refiner and critic, or one of them, beside the base itself.

    Args:
        model: with refiner and critic, as the organisations evaluated it.
        evaluation: summed over the organisations.
        marginals: counts over the run's columns.
        seed: public; the same base draws serve all.
    """
    whole = RefinedDraws(model)
    random = np.random.default_rng(seed)
    base = RefinedDraws(replace(model, refiner=model.refiner[:0])).drawn(_DRAWS, random)
    refined = whole.refined(base, random)
    ones = np.ones(_DRAWS)
    former = _by_logit(model, base, whole.logits(base), ones)
    known = _tables(model.mixture.form, marginals)
    limit = _distance(model.mixture.form, base, ones, known)
    found = []
    for rows, moved in ((base, False), (refined, True)):
        logits = whole.logits(rows)
        for strength in STRENGTHS:
            if not (moved or strength):
                continue
            weighing, weights = weighing_of(model, base, rows, logits, strength)
            new = _by_logit(model, rows, logits, weights)
            first, second, error = gain_of(evaluation.judges, former, new, _DRAWS)
            attack = evaluation.attack(strength)
            figures = Candidate(
                refined=moved,
                strength=strength,
                base_auc=first,
                auc=second,
                error=error,
                attack_auc=attack.auc,
                attack_error=attack.error,
                base_distance=limit,
                distance=_distance(model.mixture.form, rows, weights, known),
            )
            kept = replace(
                model,
                refiner=model.refiner if moved else model.refiner[:0],
                critic=model.critic if strength else model.critic[:0],
                weighing=weighing,
            )
            found.append(Measured(kept, figures))
    return found


def weighing_of(
    model: RefinedMixture, base: RowFeatures, rows: RowFeatures, logits: F64, strength: float
) -> tuple[Weighing, F64]:
    """Tables that keep each unit's shares in a class as the base has them, by iterative proportional fitting.

    Args:
        model: with its critic.
        base: draws of the mixture as it stands.
        rows: the same draws as they are released, not yet weighed.
        logits: the critic's opinion of them.
        strength: of that opinion, 0 to 1.

    Returns:
        The weighing, and the weight of each of `rows`.

    Source: Deming & Stephan 1940.
    """
    form, classes = model.mixture.form, model.features.classes
    tables, normals = np.zeros((classes, form.cells)), np.zeros(classes)

    def weigh() -> F64:
        logs = strength * logits + table_terms(model, tables, rows)
        for number in range(classes):
            part = logs[rows.classes == number]
            if len(part):
                normals[number] = np.log(np.exp(part - part.max()).mean()) + part.max()
        return np.minimum(np.exp(logs - normals[rows.classes]), MOST_WEIGHT)

    weights = weigh()
    for _ in range(_SWEEPS if strength or len(model.refiner) else 0):
        for place, (start, end) in enumerate(zip(form.offsets[:-1], form.offsets[1:], strict=True)):
            wanted = _shares(base.classes, base.units[:, place], np.ones(len(base.classes)), classes, end - start)
            held = _shares(rows.classes, rows.units[:, place], weights, classes, end - start)
            # Rare codes are left alone: what a few draws say of them is chance.
            step = np.log((wanted + 1e-3) / (held + 1e-3))
            tables[:, start:end] = np.clip(tables[:, start:end] + step, -_MOST_TERM, _MOST_TERM)
            weights = weights * np.exp(step[rows.classes, rows.units[:, place]])
        weights = weigh()
    return Weighing(strength, normals, tables, _knots(rows.scores, weights)), weights


def _shares(classes: NDArray[np.int32], codes: NDArray[np.int32], weights: F64, count: int, size: int) -> F64:
    flat = np.bincount(classes.astype(np.int64) * size + codes, weights, minlength=count * size).reshape(count, size)
    shares: F64 = flat / np.maximum(flat.sum(axis=1, keepdims=True), 1e-9)
    return shares


def _knots(scores: F64, weights: F64) -> F64:
    """Scores at the middles of even shares of weighted draws: shape (scores, knots)."""
    wanted = (np.arange(_KNOTS) + 0.5) / _KNOTS
    knots = np.empty((scores.shape[1], _KNOTS))
    for place in range(scores.shape[1]):
        order = np.argsort(scores[:, place], kind="stable")
        ends = np.cumsum(weights[order])
        knots[place] = np.interp(wanted, (ends - weights[order] / 2) / ends[-1], scores[order, place])
    return knots


def _by_logit(model: RefinedMixture, rows: RowFeatures, logits: F64, weights: F64) -> F64:
    classes = model.features.classes
    flat = rows.classes.astype(np.int64) * BINS + bins_of(logits)
    counts: F64 = np.bincount(flat, weights, minlength=classes * BINS).astype(np.float64).reshape(classes, BINS)
    return counts


def _tables(form: Form, marginals: Sequence[Marginal]) -> list[tuple[Marginal, F64]]:
    """Counted tables over columns that the mixture holds as codes, as shares."""
    scored = {score.column for score in form.scores}
    kept = [marginal for marginal in marginals if not scored & set(marginal.columns) and marginal.counts.sum() > 0]
    return [(marginal, marginal.counts / marginal.counts.sum()) for marginal in kept[:_MOST_TABLES]]


def _distance(form: Form, rows: RowFeatures, weights: F64, known: Sequence[tuple[Marginal, F64]]) -> float:
    """Mean total variation distance from the counted tables."""
    if not known:
        return 0.0
    codes = codes_of(form, rows)
    total, away = weights.sum(), 0.0
    for marginal, shares in known:
        shape = [form.sizes[column] for column in marginal.columns]
        flat = np.ravel_multi_index(tuple(codes[:, list(marginal.columns)].T), shape)
        away += 0.5 * float(np.abs(np.bincount(flat, weights, minlength=len(shares)) / total - shares).sum())
    return away / len(known)


def codes_of(form: Form, rows: RowFeatures) -> NDArray[np.int32]:
    """Codes of the columns that the mixture holds as codes; zeros in the others."""
    codes = np.zeros((len(rows.classes), len(form.sizes)), np.int32)
    if form.label is not None:
        codes[:, form.label] = rows.classes
    for place, group in enumerate(form.groups):
        codes[:, list(group.columns)] = group.combinations[rows.units[:, place]]
    start = len(form.groups)
    codes[:, list(form.alone)] = rows.units[:, start : start + len(form.alone)]
    return codes
