"""Rounds in which organisations train a convolutional generator of pictures from scratch."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from headwater.canonical import sha256_hex
from headwater.images.convolution import ConvolutionSpec, first_convolution
from headwater.recipe.actions import Aggregate, ModelReport
from headwater.recipe.counting import Counted
from headwater.recipe.fixed_point import largest_magnitude, scale_for
from headwater.recipe.layout import layout_of_update
from headwater.recipe.settings import RecipeTerms
from headwater.recipe.stage import Record, out_of_place
from headwater.recipe.sums import read_update
from headwater.recipe.task import Task, seed_for
from headwater.secagg.crypto.ring import RingVector

__all__ = ["Convolving", "class_shares"]

F64 = NDArray[np.float64]


def class_shares(terms: RecipeTerms, counted: Counted) -> F64:
    """Share of each class among the counted rows; one class where there is no target."""
    target = terms.schema_.target_index
    if target is None:
        return np.ones(1)
    counts = next(marginal.counts for marginal in counted.marginals if marginal.columns == (target,))
    return np.asarray(counts / counts.sum(), dtype=np.float64)


class Convolving:
    """Each round is one sum of updates, merged by their weighted mean. A `Stage`.

    The average of the generator over rounds is what is sampled; organisations never get it, nor the class shares.
    """

    def __init__(self, terms: RecipeTerms, spec: ConvolutionSpec, shares: F64) -> None:
        """Begin before the first round.

        Args:
            terms: of the plan.
            spec: of both networks.
            shares: of the classes.
        """
        self._terms = terms
        self._settings = terms.recipe.images.convolution
        self._model = first_convolution(spec, seed_for(terms.seed, "convolution"))
        self._average = self._model.generator
        self._shares = shares
        self._left = self._settings.rounds

    @property
    def over(self) -> bool:
        """Whether every round is done."""
        return not self._left

    @property
    def standing(self) -> bytes:
        """The averaged generator with the class shares."""
        return replace(self._model, generator=self._average, shares=self._shares).to_bytes()

    def ask(self, step: int) -> Aggregate:
        """The next update."""
        settings, model = self._terms.recipe, self._model.to_bytes()
        clip = settings.training.clip
        task = Task(
            kind="update",
            step=step,
            length=layout_of_update(len(self._model.weights)).length,
            value_bits=settings.value_bits,
            seed=seed_for(self._terms.seed, "update", step),
            clip=clip,
            scale=scale_for(clip, settings.value_bits),
            model_digest=sha256_hex(model),
        )
        return Aggregate(task, model)

    def add_sum(self, task: Task, vector: RingVector, contributors: int) -> list[Record]:
        """As `Stage.add_sum`; a round in which nobody's training was finite changes nothing."""
        mean, summed = read_update(vector, len(self._model.weights), contributors, task.scale, task.value_bits)
        self._left -= 1
        metrics = dict(summed.metrics)
        accuracy, trained = metrics.pop("accuracy"), contributors - metrics["skipped"]
        record: Record = {"round": self._settings.rounds - self._left, **metrics}
        if mean is None:
            return [{**record, "accepted": False, "reason": "no organisation had a finite update"}]
        self._model = self._model.moved(self._settings.server_rate * mean)
        decay = np.float32(self._settings.ema)
        self._average = decay * self._average + (1 - decay) * self._model.generator
        seen = accuracy / (max(trained, 1) * largest_magnitude(task.value_bits))
        return [{**record, "update_norm": float(np.linalg.norm(mean)), "critic_accuracy": float(f"{seen:.5g}")}]

    def add_model(self, model: bytes, report: ModelReport) -> list[Record]:
        """Refuse: the recipe merges by itself, since a mean needs no network."""
        del model, report
        raise out_of_place("a model", self.ask(1))
