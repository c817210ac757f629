"""Rounds of local training: ask for an update, have it merged, take the merged model or leave it."""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from headwater.recipe.actions import Aggregate, Merge, ModelReport
from headwater.recipe.counting import Counted
from headwater.recipe.drift import drift_ratio
from headwater.recipe.gate import Gate
from headwater.recipe.health import REFUSING, Flag, direction, in_words
from headwater.recipe.layout import Summed
from headwater.recipe.remedies import Remedies
from headwater.recipe.settings import RecipeTerms
from headwater.recipe.stage import Record, out_of_place
from headwater.recipe.sums import HeadRoom, ImplausibleSum, read_update
from headwater.recipe.task import Task, seed_for
from headwater.recipe.tasks import update_task
from headwater.secagg.crypto.ring import RingVector

__all__ = ["Checkpoint", "Training"]


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """A model with the training round that left it.

    Attributes:
        round: from 1; 0 for the model that training began with.
        model: bytes.
    """

    round: int
    model: bytes = field(repr=False)


class Training:
    """Each round is one sum of updates, then one merge that the gate judges. A `Stage`.

    What is not taken leaves the model as it was; the round is spent all the same, and what was wrong with it decides
    what the next one is asked for. After so many rounds in a row that were not taken as the plan says, training ends:
    a hybrid run on the base that it began with, since what was taken before may have been led astray as well, and a
    run from scratch on the last model taken. Nobody can tell whose update it was.
    """

    def __init__(self, terms: RecipeTerms, counted: Counted, model: bytes, report: ModelReport) -> None:
        """Begin before the first round.

        Args:
            terms: of the plan.
            counted: the encoding of rows, what merged models are measured against, and how many rows train.
            model: generator and critic that the first round begins with.
            report: what was measured on it.
        """
        self._terms = terms
        self._counted = counted
        # An organisation that claimed to have more rows than all have together would be nearly the whole mean.
        cohort_weight = counted.rows / terms.recipe.training.row_cap
        self._most_weight = cohort_weight if terms.one_cohort else math.inf
        self._base = self._model = model
        self._taken: list[Checkpoint] = []
        self._weights = report.weights
        self._standing_loss = report.marginal_loss
        self._gate = Gate(terms.recipe, {**report.health, "marginal_loss": report.marginal_loss})
        self._remedies = Remedies()
        self._summed: tuple[NDArray[np.float64], dict[str, float]] | None = None
        self._former: NDArray[np.float64] | None = None
        self._restarting = False
        self._refused = 0
        self._left = terms.recipe.training_rounds
        self._drift = 0.0

    @property
    def over(self) -> bool:
        """Whether every round is done, or too many in a row were not taken."""
        return not self._left

    @property
    def standing(self) -> bytes:
        """The model that is taken."""
        return self._model

    @property
    def taken(self) -> tuple[Checkpoint, ...]:
        """Refined mixtures of the rounds that were taken, the last one last; none where training ended on its base."""
        return tuple(self._taken)

    @property
    def marginal_loss(self) -> float:
        """Distance of that model from the counts."""
        return self._standing_loss

    def ask(self, step: int) -> Aggregate | Merge:
        """The next update, the merge of the last one, or the way back to the average after a collapse."""
        if self._summed is None and not self._restarting:
            task = update_task(
                self._terms,
                step,
                self._counted.encoding,
                self._model,
                self._weights,
                self._remedies,
                done=self._terms.recipe.training_rounds - self._left,
                drift=self._drift,
            )
            return Aggregate(task, self._model)
        seed, terms = seed_for(self._terms.seed, "measure"), self._remedies.applied(self._terms.recipe.training)
        delta = np.zeros(self._weights) if self._summed is None else self._summed[0]
        return Merge(self._model, delta, self._counted.marginals, terms, seed, restart=self._restarting)

    def add_sum(self, task: Task, vector: RingVector, contributors: int) -> list[Record]:
        """As `Stage.add_sum`; a sum that cannot be one spends the round like any other that is not taken."""
        if self._summed is not None or self._restarting:
            raise out_of_place("a sum", self.ask(task.step))
        room = HeadRoom(contributors, task.value_bits)
        try:
            mean, summed = read_update(vector, self._weights, room, task.scale, self._most_weight)
        except ImplausibleSum as error:
            return [{}, *self._refuse({"reason": str(error), "flags": ["explosion"]}, ("explosion",))]
        metrics = dict(summed.metrics)
        energy, accuracy = metrics.pop("energy"), metrics.pop("accuracy")
        trained = contributors - metrics["skipped"]
        self._drift = drift_ratio(summed.payload, energy, trained, room.unit)
        drifted: Record = {**metrics, "drift": _rounded(self._drift), "proximal": task.parameters["proximal"]}
        if mean is None:
            # protocol 2.3: nobody's training was finite, so there is nothing to merge.
            verdict: Record = {"reason": "no organisation had a finite update", "flags": ["not finite"]}
            return [drifted, *self._refuse(verdict, ("not finite",))]
        signs = direction(mean, self._former) | _shares(summed, contributors)
        if self._terms.recipe.training.adversarial_weight > 0 and trained > 0:
            signs["critic_accuracy"] = accuracy / (trained * room.unit)
        self._summed = (mean, signs)
        return [{**drifted, **{name: _rounded(value) for name, value in signs.items()}}]

    def add_model(self, model: bytes, report: ModelReport) -> list[Record]:
        """As `Stage.add_model`: a merged model is taken unless the gate refuses it."""
        if self._restarting:
            return [self._restart(model, report)]
        if self._summed is None:
            raise out_of_place("a model", self.ask(1))
        mean, of_the_sum = self._summed
        signs = of_the_sum | report.health | {"marginal_loss": report.marginal_loss}
        flags = self._gate.flags(signs)
        self._summed = None
        verdict: Record = {"flags": list(flags)}
        if math.isfinite(report.marginal_loss):
            verdict |= _measured(report)
        refusing = [flag for flag in flags if flag in REFUSING]
        if refusing:
            return self._refuse(verdict | {"reason": in_words(refusing)}, flags)
        self._gate.take(signs)
        self._model, self._former, self._refused = model, mean, 0
        self._standing_loss = report.marginal_loss
        record = self._end_round(verdict | {"accepted": True, "reason": ""}, flags)
        if self._terms.recipe.refines:
            self._taken.append(Checkpoint(self._terms.recipe.training_rounds - self._left, model))
        return [record]

    def _restart(self, model: bytes, report: ModelReport) -> Record:
        self._restarting = False
        record: Record = {"kind": "restart", "accepted": math.isfinite(report.marginal_loss)}
        if not record["accepted"]:
            return record
        self._model, self._standing_loss = model, report.marginal_loss
        return record | _measured(report)

    def _refuse(self, verdict: Record, flags: tuple[Flag, ...]) -> list[Record]:
        self._refused += 1
        record = self._end_round(verdict | {"accepted": False}, flags)
        if self._refused < self._terms.recipe.health.refusals:
            self._restarting = "collapse" in flags and not self.over
            return [record]
        self._left = 0
        on_base = self._terms.recipe.kind == "hybrid"
        if on_base:
            self._model, self._taken = self._base, []
        return [record, {"kind": "ended", "on": "base" if on_base else "checkpoint", "refused": self._refused}]

    def _end_round(self, verdict: Record, flags: tuple[Flag, ...]) -> Record:
        self._left -= 1
        self._remedies = self._remedies.after(flags, self._terms.recipe.health.remedies)
        record: Record = {"kind": "merge", "round": self._terms.recipe.training_rounds - self._left, **verdict}
        document = self._remedies.to_document()
        return record | {"remedies": document} if document and flags else record


def _shares(summed: Summed, contributors: int) -> dict[str, float]:
    return {"clipped_share": summed.metrics["clipped"] / contributors}


def _measured(report: ModelReport) -> Record:
    """What the history says of a model whose loss is finite: a sign that is not is no JSON."""
    health = {name: value for name, value in report.health.items() if math.isfinite(value)}
    return {"marginal_loss": report.marginal_loss, "health": health}


def _rounded(value: float) -> float:
    return float(f"{value:.5g}")
