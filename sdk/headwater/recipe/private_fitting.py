"""The model of a run under a budget: fitted to noisy counts, which is post-processing and costs nothing more."""

import math

from headwater.errors import InputError
from headwater.recipe.actions import FitNoisy, ModelReport
from headwater.recipe.private_counting import NoisyCounted
from headwater.recipe.settings import RecipeTerms
from headwater.recipe.stage import Record, out_of_place
from headwater.recipe.task import Task, seed_for
from headwater.secagg.crypto.ring import RingVector

__all__ = ["PrivateFitting"]


class PrivateFitting:
    """Asks for one fit. A `Stage`.

    Attributes:
        model: bytes of the fitted model, b"" before.
    """

    def __init__(self, terms: RecipeTerms, counted: NoisyCounted) -> None:
        """Take what was counted."""
        self._terms = terms
        self._counted = counted
        self.model = b""

    @property
    def over(self) -> bool:
        """Whether there is a model."""
        return bool(self.model)

    def ask(self, step: int) -> FitNoisy:
        """The fit."""
        del step
        return FitNoisy(
            sizes=self._counted.encoding.sizes,
            label=self._terms.schema_.target_index,
            marginals=self._counted.marginals,
            terms=self._terms.recipe.private,
            seed=seed_for(self._terms.seed, "fit"),
        )

    def add_sum(self, task: Task, vector: RingVector, contributors: int) -> list[Record]:
        """Refuse: a fit asks for no sum."""
        del task, vector, contributors
        raise out_of_place("a sum", self.ask(1))

    def add_model(self, model: bytes, report: ModelReport) -> list[Record]:
        """As `Stage.add_model`.

        Raises:
            InputError: the fit is not finite.
        """
        if not math.isfinite(report.marginal_loss):
            raise InputError("the fit to noisy counts is not finite; lower recipe.private.learning_rate in the plan")
        self.model = model
        sizes = {name: int(size) for name, size in report.health.items() if name == "components"}
        return [{"kind": "fitted", "misfit": report.marginal_loss, **sizes}]
