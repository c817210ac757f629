"""Lies in rounds of counts: what one organisation sends in place of its counts, and what becomes of the sum."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.mixture.parameters import Mixture
from headwater.mixture.vector import StatisticsCode
from headwater.recipe import Aggregate, Recipe
from headwater.recipe.evaluation import BINS, STRENGTHS
from headwater.recipe.layout import COUNT_METRICS

__all__ = ["ENDS", "GOES_ON", "LIES", "NEXT", "TAKEN", "Asked", "applies", "become_of", "nearer", "spoiled"]

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Vector = NDArray[np.unsignedinteger]

ENDS, GOES_ON, NEXT, TAKEN = "ends the run", "goes on without it", "seen in the next sum", "taken"
_END = 1 + len(COUNT_METRICS)
# The statistics of a climb are recognised by their task, and so is an evaluation.
_CLIMB, _EVALUATION = "expectation", "evaluate"


@dataclass(frozen=True, eq=False)
class Asked:
    """A round of counts, as a liar may know it.

    Attributes:
        action: what is asked.
        own: the liar's honest vector, signed.
        total: the honest sum, signed; a lie that uses it is one of somebody who guessed what the others send.
        other: works out the liar's vector of rows with other labels, signed.
        ring: type of a sum.
        random: of the lies.
    """

    action: Aggregate
    own: I64
    total: I64
    other: Callable[[], I64]
    ring: np.dtype[np.unsignedinteger]
    random: np.random.Generator


Lie = Callable[[Asked], I64]


def _shuffled(asked: Asked) -> I64:
    return np.concatenate([asked.random.permutation(asked.own[:-_END]), asked.own[-_END:]])


def _one_row_more(asked: Asked) -> I64:
    """One row more is said to be counted, in a cell of the first table alone."""
    sent = asked.own.copy()
    sent[[0, -_END]] += 1
    return sent


def _components_nearer(share: float) -> Lie:
    """Every component of a class is moved towards the class's own distribution, at 1 until nothing is left to mix."""

    def lie(asked: Asked) -> I64:
        mixture = Mixture.from_bytes(asked.action.model)
        code = StatisticsCode(int(asked.action.task.parameters["rows"]), asked.action.task.value_bits)
        return asked.own + nearer(asked.total, mixture, code, share) - asked.total

    return lie


def nearer(total: I64, mixture: Mixture, code: StatisticsCode, share: float) -> I64:
    """A sum of the same totals whose components of a class are more alike, at 1 copies of one another."""
    statistics = code.statistics(total[:-_END], mixture.form, mixture.components)
    for part in mixture.class_slices:
        sums, held = statistics.sums[part], statistics.sums[part, :1]
        statistics.sums[part] += share * (held * (sums.sum(axis=0) / max(held.sum(), 1.0)) - sums)
    return np.concatenate([code.integers(statistics, mixture.form), total[-_END:]])


def _turned(asked: Asked) -> I64:
    """What the critic says of rows, the other way about; the base's own densities and all totals as they are."""
    payload = asked.total[:-_END]
    cut = len(payload) - len(STRENGTHS) * 2 * BINS
    logits = payload[:cut].reshape(-1, BINS)[:, ::-1].reshape(-1)
    densities = payload[cut:].reshape(len(STRENGTHS), 2, BINS).copy()
    densities[1:] = densities[1:, :, ::-1]
    turned: I64 = np.concatenate([logits, densities.reshape(-1), asked.total[-_END:]])
    return asked.own + turned - asked.total


LIES: Mapping[str, tuple[Lie, tuple[str, ...]]] = {
    "own counts × 1000": (lambda asked: asked.own * 1000, ()),
    "own counts twice": (lambda asked: asked.own * 2, ()),
    "sign flipped": (lambda asked: -asked.own, ()),
    "own counts in random order": (_shuffled, ()),
    "one row more in one cell": (_one_row_more, ()),
    "rows with other labels, in this round alone": (lambda asked: asked.other(), ()),
    "components of a class made alike, by one who knows the sum": (_components_nearer(1.0), (_CLIMB,)),
    "half as different, by one who knows the sum": (_components_nearer(0.5), (_CLIMB,)),
    "a tenth less different, by one who knows the sum": (_components_nearer(0.1), (_CLIMB,)),
    "the critic's opinion turned round, by one who knows the sum": (_turned, (_EVALUATION,)),
}
"""Each lie, with the kinds of round that it is about; () for all."""


def applies(name: str, kind: str) -> bool:
    """Whether a lie is about this kind of round."""
    kinds = LIES[name][1]
    return not kinds or kind in kinds


def spoiled(asked: Asked, name: str) -> Vector:
    """The ring's sum with this lie in it."""
    total: Vector = (asked.total - asked.own + LIES[name][0](asked)).astype(asked.ring)
    return total


def become_of(recipe: Recipe, asked: Asked, name: str, contributors: int, honest: Callable[[Aggregate], Vector]) -> str:
    """What a copy of the recipe makes of one organisation's lie.

    Args:
        recipe: waits for the sum; left as it is.
        asked: the round.
        name: of the lie.
        contributors: organisations in the sum.
        honest: the honest sum of a round; asked of the one after it, where that is of the same kind.
    """
    trial = copy.deepcopy(recipe)
    kind = asked.action.task.kind
    total = spoiled(asked, name)
    if said := _given(trial, total, contributors):
        return said
    following = trial.next()
    if kind == _CLIMB and isinstance(following, Aggregate) and following.task.kind == kind:
        return NEXT if _given(trial, honest(following), contributors) else TAKEN
    return TAKEN


def _given(recipe: Recipe, total: Vector, contributors: int) -> str:
    seen = len(recipe.history)
    try:
        recipe.add_sum(total, contributors)
    except InputError:
        return ENDS
    refused = any(record.get("accepted") is False and "step" in record for record in recipe.history[seen:])
    return GOES_ON if refused else ""
