"""What the coordinator does with a refined mixture between rounds: begin, merge, measure, judge. Without a row."""

import math
from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np
from numpy.typing import NDArray

from headwater.encoding.marginals import Marginal
from headwater.errors import InputError
from headwater.generator.health import examine
from headwater.generator.refiner.drawing import RefinedDraws
from headwater.generator.refiner.model import RefinedMixture
from headwater.generator.refiner.network import RefinerShape
from headwater.generator.refiner.weighing import measure_candidates
from headwater.mixture.attack import AttackResult
from headwater.mixture.form import Form, RowFeatures
from headwater.mixture.normal import cumulative
from headwater.mixture.parameters import Mixture
from headwater.recipe.actions import Judge, Merge, ModelReport, Refine
from headwater.recipe.task import seed_for
from headwater.recipe.verdict import REMEMBERS, choose

__all__ = ["begin_refined", "judge_refined", "merge_refined"]

F64 = NDArray[np.float64]
I32 = NDArray[np.int32]

_DRAWS = 8192
_SCORE_BINS = 16


def begin_refined(action: Refine) -> tuple[bytes, ModelReport]:
    """The answer to `Refine`.

    Raises:
        InputError: the bytes are no mixture.
    """
    terms = action.terms
    shape = RefinerShape(terms.noise, terms.width, terms.critic_width)
    model = RefinedMixture.begin(Mixture.from_bytes(action.mixture), shape, action.seed)
    return model.to_bytes(), _report(model, action.measure_seed)


def merge_refined(action: Merge) -> tuple[bytes, ModelReport]:
    """The answer to `Merge` of a refined mixture; one that is not finite has loss infinity.

    After a collapse its draws go back to the base's: a refiner has no average, and what it had learned led there.

    Raises:
        InputError: the bytes are no refined mixture, or the update is not of its length.
    """
    model = RefinedMixture.from_bytes(action.model)
    if action.restart:
        fresh = RefinedMixture.begin(model.mixture, model.shape, seed_for(action.measure_seed, "restart"))
        model = replace(model, refiner=fresh.refiner)
        return model.to_bytes(), _report(model, action.measure_seed)
    weights = len(model.refiner) + len(model.critic)
    if len(action.mean_delta) != weights:
        raise InputError(f"the update has {len(action.mean_delta)} values, the model {weights}; they do not belong")
    try:
        merged = model.moved(action.mean_delta, action.terms.server_rate)
    except InputError:
        # Changes that are not finite, or leave float32: the model refuses such weights.
        return action.model, ModelReport(math.inf, weights, {})
    return merged.to_bytes(), _report(merged, action.measure_seed)


def judge_refined(action: Judge) -> tuple[bytes, ModelReport]:
    """The answer to `Judge`: the bytes of what is released, and the verdict.

    Raises:
        InputError: the bytes are no refined mixture.
    """
    model = RefinedMixture.from_bytes(action.model)
    measured = measure_candidates(model, action.evaluation, action.marginals, action.seed)
    figures = [each.figures for each in measured]
    place, reason = choose(figures, action.terms, action.attack_limit)
    verdict: dict[str, object] = {
        "accepted": place is not None,
        "reason": reason,
        "remembers": place is None and reason == REMEMBERS,
        "candidates": [
            {name: round(float(value), 5) for name, value in asdict(each).items() if math.isfinite(value)}
            for each in figures
        ],
    }
    if place is None:
        return model.mixture.to_bytes(), ModelReport(0.0, 0, {}, verdict)
    taken = figures[place]
    verdict |= {
        "refined": taken.refined,
        "strength": taken.strength,
        "base_auc": round(taken.base_auc, 5),
        "auc": round(taken.auc, 5),
        "attack_auc": round(taken.attack_auc, 5),
        **AttackResult(taken.attack_auc, taken.attack_error).decided(action.attack_limit),
    }
    return measured[place].model.to_bytes(), ModelReport(taken.distance, 0, {}, verdict)


def _report(model: RefinedMixture, seed: int) -> ModelReport:
    subject = _Seen(model)
    health = examine(subject, subject.marginals, seed).to_document()
    drawn = subject.codes(_DRAWS, seed)
    away = [
        0.5 * float(np.abs(np.bincount(codes, minlength=size) / len(codes) - marginal.counts).sum())
        for codes, size, marginal in zip(drawn.T, subject.sizes, subject.marginals, strict=True)
    ]
    return ModelReport(float(np.mean(away)), len(model.refiner) + len(model.critic), health)


class _Seen:
    """A refined mixture as something with codes: class, units, scores in even bins. For `examine`."""

    def __init__(self, model: RefinedMixture) -> None:
        self._draws = RefinedDraws(model)
        form = model.mixture.form
        self.sizes: Sequence[int] = (form.classes, *form.unit_sizes, *[_SCORE_BINS] * len(form.scores))
        self.marginals = _shares(model.mixture, form)

    def codes(self, rows: int, seed: int) -> I32:
        drawn = self._draws.drawn(rows, np.random.default_rng(seed))
        return _codes(drawn)

    def latent_sensitivity(self, seed: int) -> float | None:
        return None

    def gradient_norm(self, seed: int) -> float | None:
        return None


def _codes(rows: RowFeatures) -> I32:
    scores = np.clip(np.floor(cumulative(rows.scores) * _SCORE_BINS), 0, _SCORE_BINS - 1).astype(np.int32)
    return np.concatenate([rows.classes[:, None], rows.units, scores], axis=1)


def _shares(mixture: Mixture, form: Form) -> list[Marginal]:
    """What the base's draws have, worked out from its parameters: a column of `_codes` each."""
    classes = np.bincount(mixture.classes, mixture.weights, minlength=form.classes)
    cells = mixture.weights @ mixture.shares
    units = [cells[start:end] for start, end in zip(form.offsets[:-1], form.offsets[1:], strict=True)]
    even = [np.full(_SCORE_BINS, 1 / _SCORE_BINS) for _ in form.scores]
    return [Marginal((place,), shares) for place, shares in enumerate([classes, *units, *even])]
