"""What a hybrid does before and after its training rounds on a mixture: networks around it, and the last judgement."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.mixture.form import label_of
from headwater.mixture.parameters import Mixture
from headwater.recipe.actions import Aggregate, Judge, ModelReport, Refine
from headwater.recipe.counting import Counted
from headwater.recipe.evaluation import Evaluation
from headwater.recipe.plausibility import EvaluationTotals
from headwater.recipe.settings import RecipeTerms
from headwater.recipe.stage import Record, out_of_place
from headwater.recipe.sums import HeadRoom, ImplausibleSum, read_evaluation
from headwater.recipe.task import Task, seed_for
from headwater.recipe.tasks import evaluate_task
from headwater.recipe.training import Checkpoint
from headwater.secagg.crypto.ring import RingVector

__all__ = ["Base", "Judging", "Refining"]


@dataclass(frozen=True, slots=True, eq=False)
class Base:
    """The mixture that a hybrid refines.

    Attributes:
        model: its bytes.
        train: int64: training rows by log-density under it, as the climb summed them.
        validation: the same of validation rows.
    """

    model: bytes
    train: NDArray[np.int64]
    validation: NDArray[np.int64]


class Refining:
    """Asks for networks around the mixture that stands. A `Stage`.

    Attributes:
        model: bytes of the refined mixture, b"" before.
        report: what was measured on it.
    """

    def __init__(self, terms: RecipeTerms, standing: Mixture) -> None:
        """Take the mixture that the climb left."""
        self._terms = terms
        self._standing = standing
        self.model = b""
        self.report = ModelReport(math.inf, 0, {})

    @property
    def over(self) -> bool:
        """Whether the networks are there."""
        return bool(self.model)

    def ask(self, step: int) -> Refine:
        """The networks."""
        del step
        seed, settings = self._terms.seed, self._terms.recipe.refiner
        return Refine(self._standing.to_bytes(), settings, seed_for(seed, "refine"), seed_for(seed, "measure"))

    def add_sum(self, task: Task, vector: RingVector, contributors: int) -> list[Record]:
        """Refuse: no sum is asked for."""
        del task, vector, contributors
        raise out_of_place("a sum", self.ask(1))

    def add_model(self, model: bytes, report: ModelReport) -> list[Record]:
        """As `Stage.add_model`.

        Raises:
            InputError: the model is not finite.
        """
        if not math.isfinite(report.marginal_loss):
            raise InputError("the mixture's draws are not finite; look for a faulty sum")
        self.model, self.report = model, report
        return [{"kind": "refine", "marginal_loss": report.marginal_loss, "health": dict(report.health)}]


class Judging:
    """A sum of what the critic says of rows, then the choice of what is released. A `Stage`.

    Where the critic remembers too much of its training rows, an earlier round's is asked. The base is released unless
    refiner, critic or both together are better by more than noise; so it is where a sum cannot be an honest one, for
    the next would be asked of the same organisations.
    """

    def __init__(self, terms: RecipeTerms, counted: Counted, models: Sequence[Checkpoint], base: Base) -> None:
        """Take the refined mixtures that training left.

        Args:
            terms: of the plan.
            counted: the encoding of rows, and what draws are measured against.
            models: at least one; those of earlier rounds after the last.
            base: that they refine.
        """
        self._terms = terms
        self._counted = counted
        self._judged, *self._earlier = models
        self._base = base.model
        self._totals = _totals(terms, counted, base)
        self._evaluation: Evaluation | None = None
        self._released = b""

    @property
    def over(self) -> bool:
        """Whether the choice is made."""
        return bool(self._released)

    @property
    def standing(self) -> bytes:
        """The model that is released."""
        return self._released

    def ask(self, step: int) -> Aggregate | Judge:
        """The evaluation, then the judgement."""
        terms, model = self._terms, self._judged.model
        if self._evaluation is None:
            encoding, classes = self._counted.encoding, len(self._totals.class_counts)
            return Aggregate(evaluate_task(terms, step, encoding, model, classes), model)
        limit, seed = terms.recipe.mixture.attack_limit, seed_for(terms.seed, "judge")
        return Judge(model, self._evaluation, self._counted.marginals, terms.recipe.refiner, limit, seed)

    def add_sum(self, task: Task, vector: RingVector, contributors: int) -> list[Record]:
        """As `Stage.add_sum`; after a sum that cannot be one the base is released."""
        if self._evaluation is not None:
            raise out_of_place("a sum", self.ask(task.step))
        try:
            self._evaluation, summed = read_evaluation(vector, self._totals, HeadRoom(contributors, task.value_bits))
        except ImplausibleSum as error:
            self._released = self._base
            return [{"accepted": False, "reason": str(error)}, {"kind": "ended", "on": "base", "at": "evaluate"}]
        train, validation = (int(rows) for rows in self._evaluation.logits.sum(axis=(1, 2)))
        return [{"train_rows": train, "validation_rows": validation, **summed.metrics}]

    def add_model(self, model: bytes, report: ModelReport) -> list[Record]:
        """As `Stage.add_model`: the model that is released, and why."""
        if self._evaluation is None:
            raise out_of_place("a model", self.ask(1))
        again = bool(report.verdict.get("remembers") and self._earlier)
        record: Record = {"kind": "judge", "round": self._judged.round, **report.verdict, "again": again}
        if again:
            self._judged, *self._earlier = self._earlier
            self._evaluation = None
            return [record | {"next_round": self._judged.round}]
        self._released = model
        return [record]


def _totals(terms: RecipeTerms, counted: Counted, base: Base) -> EvaluationTotals:
    """What an evaluation must come to; one class where there is no label that can be one."""
    encoding = counted.encoding
    label = label_of(terms.schema_.target_index, encoding.sizes)
    classes = np.array([counted.rows]) if label is None else encoding.counts[label].astype(np.int64)
    return EvaluationTotals(classes, base.train, base.validation, terms.one_cohort)
