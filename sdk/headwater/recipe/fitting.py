"""The first network of a run, and the last: what the coordinator fits to counts."""

import math

from headwater.errors import InputError
from headwater.recipe.actions import Fit, ModelReport
from headwater.recipe.counting import Counted
from headwater.recipe.settings import FitSettings, RecipeTerms
from headwater.recipe.stage import Record, out_of_place
from headwater.recipe.task import Task, seed_for
from headwater.secagg.crypto.ring import RingVector

__all__ = ["Calibrating", "Fitting"]


class Fitting:
    """Asks for one fit. A `Stage`.

    Attributes:
        model: bytes of the fitted model, b"" before.
        report: what was measured on it.
    """

    def __init__(self, terms: RecipeTerms, counted: Counted) -> None:
        """Take what was counted."""
        self._terms = terms
        self._counted = counted
        self.model = b""
        self.report = ModelReport(math.inf, 0, {})

    @property
    def over(self) -> bool:
        """Whether there is a model."""
        return bool(self.model)

    def ask(self, step: int) -> Fit:
        """The fit."""
        del step
        settings, counted = self._terms.recipe, self._counted
        fit = settings.fit.for_rows(counted.rows)
        fit = fit.model_copy(update={"steps": 0}) if settings.kind == "adversarial" else fit
        return _fit(self._terms, counted, fit, "fit", critic=settings.training_rounds > 0)

    def add_sum(self, task: Task, vector: RingVector, contributors: int) -> list[Record]:
        """Refuse: a fit asks for no sum."""
        del task, vector, contributors
        raise out_of_place("a sum", self.ask(1))

    def add_model(self, model: bytes, report: ModelReport) -> list[Record]:
        """As `Stage.add_model`.

        Raises:
            InputError: the model is not finite.
        """
        if not math.isfinite(report.marginal_loss):
            raise InputError("the fitted generator is not finite; lower recipe.fit.learning_rate in the plan")
        self.model, self.report = model, report
        return [{"kind": "fit", "marginal_loss": report.marginal_loss, "health": dict(report.health)}]


class Calibrating:
    """Asks for a short fit of what was trained to what was counted. A `Stage`.

    Attributes:
        model: bytes of the model that is taken: the calibrated one, unless it is further from the counts.

    Source: generator.md, *Calibration*. Sums are the same for every partition, so it repairs what averaging did.
    """

    def __init__(self, terms: RecipeTerms, counted: Counted, trained: bytes, marginal_loss: float) -> None:
        """Take the trained model, with its distance from the counts."""
        self._terms = terms
        self._counted = counted
        self._before = marginal_loss
        self.model = trained
        self.over = False

    def ask(self, step: int) -> Fit:
        """The fit."""
        del step
        own = self._terms.recipe.adversarial
        changes = {"steps": own.calibration, "learning_rate": own.calibration_rate}
        fit = self._terms.recipe.fit.model_copy(update=changes)
        return _fit(self._terms, self._counted, fit, "calibration", critic=False, start=self.model)

    def add_sum(self, task: Task, vector: RingVector, contributors: int) -> list[Record]:
        """Refuse: calibration asks for no sum."""
        del task, vector, contributors
        raise out_of_place("a sum", self.ask(1))

    def add_model(self, model: bytes, report: ModelReport) -> list[Record]:
        """As `Stage.add_model`."""
        better = report.marginal_loss < self._before
        if better:
            self.model = model
        self.over = True
        verdict: Record = {"kind": "calibration", "accepted": better, "reason": "" if better else "it is no nearer"}
        if math.isfinite(report.marginal_loss):
            verdict |= {"marginal_loss": report.marginal_loss, "health": dict(report.health)}
        return [verdict]


def _fit(
    terms: RecipeTerms, counted: Counted, fit: FitSettings, purpose: str, *, critic: bool, start: bytes = b""
) -> Fit:
    return Fit(
        sizes=counted.encoding.sizes,
        groups=counted.groups,
        label=terms.schema_.target_index,
        marginals=counted.marginals,
        network=terms.recipe.network,
        terms=fit,
        critic=critic,
        seed=seed_for(terms.seed, purpose),
        measure_seed=seed_for(terms.seed, "measure"),
        condition=terms.recipe.condition,
        start=start,
    )
