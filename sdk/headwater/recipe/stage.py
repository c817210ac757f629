"""A part of a recipe: what it asks for next, and what it makes of the answers."""

from typing import Protocol

from headwater.errors import OutOfOrder
from headwater.recipe.actions import Action, Aggregate, Computed, ModelReport
from headwater.recipe.task import Task
from headwater.secagg.crypto.ring import RingVector

__all__ = ["Record", "Stage", "out_of_place"]

Record = dict[str, object]
"""What the history says of a step: JSON values by name."""


class Stage(Protocol):
    """Sums and models in, questions out, until it is over. Pure; what is refused changes nothing."""

    @property
    def over(self) -> bool:
        """Whether it has all that it wanted; then it is asked no more."""

    def ask(self, step: int) -> Aggregate | Computed:
        """What is wanted next.

        Args:
            step: number of the next summed round, from 1.
        """

    def add_sum(self, task: Task, vector: RingVector, contributors: int) -> list[Record]:
        """Take the sum of what `ask` asked for.

        Returns:
            Records for the history: what the first says belongs to the summed round itself.

        Raises:
            InputError: the sum is not of the task's form, or cannot be a sum of contributions.
        """

    def add_model(self, model: bytes, report: ModelReport) -> list[Record]:
        """Take the model that `ask` asked for; returns records for the history.

        Raises:
            InputError: the model is of no use and the run cannot go on without it.
        """


def out_of_place(what: str, action: Action) -> OutOfOrder:
    """The error of an answer that was not asked for."""
    waits_for = {
        "Aggregate": "a sum",
        "Fit": "the first model",
        "FitNoisy": "the model",
        "Refine": "the first model",
        "Merge": "a merged model",
        "Sample": "the candidate",
        "Judge": "the model that is released",
        "StepCritic": "a critic",
        "WeighNoisy": "the model that is released",
    }
    name = waits_for.get(type(action).__name__, "nothing more")
    return OutOfOrder(f"{what} came while the recipe waits for {name}; ask next() what to do")
