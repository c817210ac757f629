"""What a hybrid does under a budget behind its fit: a critic trained by noisy sums, and the verdict on it."""

import math

from headwater.privacy.events import NoisyGradients
from headwater.privacy.shares import carried_variance, honest_members
from headwater.recipe.actions import Aggregate, ModelReport, StepCritic, SummedGradient, WeighNoisy
from headwater.recipe.private_counting import NoisyCounted
from headwater.recipe.private_critic import PrivateCritic
from headwater.recipe.private_steps import private_budget
from headwater.recipe.settings import RecipeTerms
from headwater.recipe.stage import Record, out_of_place
from headwater.recipe.sums import HeadRoom, read_noisy
from headwater.recipe.task import Task, seed_for
from headwater.recipe.tasks import gradient_task
from headwater.secagg.crypto.ring import RingVector

__all__ = ["PrivateTraining"]


class PrivateTraining:
    """Asks for a noisy sum of gradients and a step of the critic by turns, then for the verdict. A `Stage`.

    Attributes:
        model: bytes of what is released: the fitted mixture, or its draws weighed by the critic; b"" before.

    Guarantee: of the rows it sees noisy sums alone; the number of steps is the plan's, whatever they show.
    """

    def __init__(self, terms: RecipeTerms, counted: NoisyCounted, mixture: bytes, event: NoisyGradients) -> None:
        """Take what was counted, and the mixture that was fitted to it.

        Args:
            terms: of the plan.
            counted: under noise.
            mixture: its bytes.
            event: what all sums of the stage cost.
        """
        self._terms = terms
        self._counted = counted
        self._mixture = mixture
        self._event = event
        self._critic = b""
        self._summed: SummedGradient | None = None
        self._sums = 0
        self.model = b""

    @property
    def over(self) -> bool:
        """Whether there is a verdict."""
        return bool(self.model)

    def ask(self, step: int) -> Aggregate | StepCritic | WeighNoisy:
        """The next sum, the step that follows from the last one, or the verdict."""
        settings, seed = self._terms.recipe.private.critic, seed_for(self._terms.seed, "critic")
        if not self._critic or self._summed is not None:
            return StepCritic(self._mixture, self._critic, self._summed, settings, seed)
        if self._sums < self._event.steps:
            critic = PrivateCritic.from_bytes(self._critic).asked()
            asked = critic.to_bytes()
            encoding = self._counted.encoding
            task = gradient_task(self._terms, step, encoding, asked, len(critic.weights), self._event)
            return Aggregate(task, asked)
        return WeighNoisy(
            self._mixture, self._critic, self._counted.marginals, settings, seed_for(self._terms.seed, "weigh")
        )

    def add_sum(self, task: Task, vector: RingVector, contributors: int, members: int | None = None) -> list[Record]:
        """As `PrivateCounting.add_sum`."""
        event, room = self._event, HeadRoom(contributors, task.value_bits)
        total = read_noisy(vector, task.length, room)
        honest = honest_members(private_budget(self._terms), members or contributors, self._terms.colluders)
        noise = math.sqrt(carried_variance(event.variance, honest, contributors))
        # privacy.md 3: both factors are public, or were counted under noise; never how many rows were sampled.
        rows = event.share * self._counted.rows
        self._summed = SummedGradient(total, event.sensitivity, noise, rows, task.seed)
        self._sums += 1
        return [{"done": self._sums, "of": event.steps, "parameters": len(total), "gradient_deviation": noise}]

    def add_model(self, model: bytes, report: ModelReport) -> list[Record]:
        """As `Stage.add_model`.

        Raises:
            InputError: a critic's bytes are none.
        """
        if not self._critic or self._summed is not None:
            PrivateCritic.from_bytes(model)
            self._critic, self._summed = model, None
            return []
        if self._sums < self._event.steps:
            raise out_of_place("a model", self.ask(1))
        self.model = model
        return [{"kind": "weighed", **report.verdict}]
