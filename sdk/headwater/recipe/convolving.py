"""Rounds in which organisations train a convolutional generator of pictures from scratch."""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from headwater.canonical import sha256_hex
from headwater.images.convolution import ConvolutionSpec, first_convolution
from headwater.recipe.actions import Aggregate, ModelReport
from headwater.recipe.counting import Counted
from headwater.recipe.fixed_point import scale_for
from headwater.recipe.health import REFUSING, Watch, direction, in_words
from headwater.recipe.layout import layout_of_update
from headwater.recipe.settings import RecipeTerms
from headwater.recipe.stage import Record, out_of_place
from headwater.recipe.sums import HeadRoom, ImplausibleSum, read_update
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

    A sum that cannot be one, or whose mean is far larger than those before, is not taken and spends its round; after so
    many in a row as the plan says training ends on what was taken. There are no counted pictures that draws could be
    held against.
    """

    def __init__(self, terms: RecipeTerms, spec: ConvolutionSpec, counted: Counted, shares: F64) -> None:
        """Begin before the first round.

        Args:
            terms: of the plan.
            spec: of both networks.
            counted: how much rows weigh.
            shares: of the classes.
        """
        self._terms = terms
        self._settings = terms.recipe.images.convolution
        self._model = first_convolution(spec, seed_for(terms.seed, "convolution"))
        self._average = self._model.generator
        # As in any training: nobody weighs more rows than all have together.
        cohort_weight = counted.rows / terms.recipe.training.row_cap
        self._most_weight = cohort_weight if terms.one_cohort else math.inf
        self._shares = shares
        self._watch = Watch(terms.recipe.health, {}, terms.recipe.training.clip)
        self._former: F64 | None = None
        self._refused = 0
        self._left = self._settings.rounds

    @property
    def over(self) -> bool:
        """Whether every round is done, or too many in a row were not taken."""
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
        """As `Stage.add_sum`; what is not taken changes no weight."""
        room = HeadRoom(contributors, task.value_bits)
        try:
            mean, summed = read_update(vector, len(self._model.weights), room, task.scale, self._most_weight)
        except ImplausibleSum as error:
            return self._refuse({}, str(error))
        metrics = dict(summed.metrics)
        accuracy, trained = metrics.pop("accuracy"), contributors - metrics["skipped"]
        if mean is None:
            return self._refuse(metrics, "no organisation had a finite update")
        signs = direction(mean, self._former) | {"clipped_share": metrics["clipped"] / contributors}
        seen = accuracy / (max(trained, 1) * room.unit)
        record: Record = {
            **metrics,
            "update_norm": signs["update_norm"],
            "critic_accuracy": float(f"{seen:.5g}"),
        }
        if refusing := [flag for flag in self._watch.flags(signs) if flag in REFUSING]:
            return self._refuse(record, in_words(refusing))
        self._take(mean)
        self._watch.take(signs)
        return [{"round": self._round, **record}]

    @property
    def _round(self) -> int:
        return self._settings.rounds - self._left

    def _take(self, mean: F64) -> None:
        self._model = self._model.moved(self._settings.server_rate * mean)
        self._left -= 1
        self._former, self._refused = mean, 0
        decay = np.float32(self._settings.ema)
        self._average = decay * self._average + (1 - decay) * self._model.generator

    def _refuse(self, record: Mapping[str, object], reason: str) -> list[Record]:
        self._left -= 1
        self._refused += 1
        records: list[Record] = [{"round": self._round, **record, "accepted": False, "reason": reason}]
        if self._refused == self._terms.recipe.health.refusals:
            self._left = 0
            records.append({"kind": "ended", "on": "checkpoint", "refused": self._refused})
        return records

    def add_model(self, model: bytes, report: ModelReport) -> list[Record]:
        """Refuse: the recipe merges by itself, since a mean needs no network."""
        del model, report
        raise out_of_place("a model", self.ask(1))
