"""Rounds of local training: ask for an update, have it merged, take the merged model or leave it."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from headwater.encoding.encoding import Encoding
from headwater.encoding.marginals import Marginal
from headwater.recipe.actions import Aggregate, Merge, ModelReport
from headwater.recipe.gate import refusal
from headwater.recipe.settings import RecipeTerms
from headwater.recipe.stage import Record, out_of_place
from headwater.recipe.sums import read_update
from headwater.recipe.task import Task, seed_for
from headwater.recipe.tasks import update_task
from headwater.secagg.crypto.ring import RingVector

__all__ = ["Training"]


class Training:
    """Each round is one sum of updates, then one merge that the gate judges. A `Stage`.

    What is not taken leaves the model as it was; the round is spent all the same.
    """

    def __init__(
        self, terms: RecipeTerms, encoding: Encoding, marginals: Sequence[Marginal], model: bytes, report: ModelReport
    ) -> None:
        """Begin before the first round.

        Args:
            terms: of the plan.
            encoding: that rows are encoded with.
            marginals: what merged models are measured against.
            model: generator and critic that the first round begins with.
            report: what was measured on it.
        """
        self._terms = terms
        self._encoding = encoding
        self._marginals = tuple(marginals)
        self._model = model
        self._weights = report.weights
        self._best_loss = report.marginal_loss
        self._mean_delta: NDArray[np.float64] | None = None
        self._left = terms.recipe.training_rounds

    @property
    def over(self) -> bool:
        """Whether every round is done."""
        return not self._left

    @property
    def standing(self) -> bytes:
        """The model that is taken."""
        return self._model

    def ask(self, step: int) -> Aggregate | Merge:
        """The next update, or the merge of the last one."""
        if self._mean_delta is None:
            return Aggregate(update_task(self._terms, step, self._encoding, self._model, self._weights), self._model)
        seed = seed_for(self._terms.seed, "measure")
        return Merge(self._model, self._mean_delta, self._marginals, self._terms.recipe.update, seed)

    def add_sum(self, task: Task, vector: RingVector, contributors: int) -> list[Record]:
        """As `Stage.add_sum`."""
        if self._mean_delta is not None:
            raise out_of_place("a sum", self.ask(task.step))
        mean, summed = read_update(vector, self._weights, contributors, task.scale, task.value_bits)
        if mean is None:
            # protocol 2.3: nobody's training was finite, so there is nothing to merge.
            ended = self._end_round({"accepted": False, "reason": "no organisation had a finite update"})
            return [{**summed.metrics}, ended]
        self._mean_delta = mean
        return [{**summed.metrics, "update_norm": float(np.linalg.norm(mean))}]

    def add_model(self, model: bytes, report: ModelReport) -> list[Record]:
        """As `Stage.add_model`: a merged model is taken unless the gate refuses it."""
        if self._mean_delta is None:
            raise out_of_place("a model", self.ask(1))
        reason = refusal(self._terms.recipe, self._best_loss, report)
        if not reason:
            self._model, self._best_loss = model, min(self._best_loss, report.marginal_loss)
        verdict: Record = {"accepted": not reason, "reason": reason}
        if math.isfinite(report.marginal_loss):
            verdict |= {"marginal_loss": report.marginal_loss, "health": dict(report.health)}
        self._mean_delta = None
        return [self._end_round(verdict)]

    def _end_round(self, verdict: Record) -> Record:
        self._left -= 1
        return {"kind": "merge", "round": self._terms.recipe.training_rounds - self._left, **verdict}
