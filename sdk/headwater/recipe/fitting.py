"""The first network of a run, fitted by the coordinator to what was counted."""

import math

from headwater.errors import InputError
from headwater.recipe.actions import Fit, ModelReport
from headwater.recipe.counting import Counted
from headwater.recipe.settings import RecipeTerms
from headwater.recipe.stage import Record, out_of_place
from headwater.recipe.task import Task, seed_for
from headwater.secagg.crypto.ring import RingVector

__all__ = ["Fitting"]


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
        return Fit(
            sizes=counted.encoding.sizes,
            groups=counted.groups,
            label=self._terms.schema_.target_index,
            marginals=counted.marginals,
            network=settings.network,
            terms=fit.model_copy(update={"steps": 0}) if settings.kind == "adversarial" else fit,
            critic=settings.training_rounds > 0,
            seed=seed_for(self._terms.seed, "fit"),
            measure_seed=seed_for(self._terms.seed, "measure"),
        )

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
