"""The recipe as a state machine: histograms, marginals, super-columns, then a fit and training, or a climb."""

import math
from collections.abc import Mapping
from enum import Enum

import numpy as np

from headwater.encoding.encoding import Encoding
from headwater.encoding.grid import Histograms
from headwater.encoding.groups import Group
from headwater.encoding.marginals import Marginal, Subset, choose_subsets, with_pairs
from headwater.errors import InputError, OutOfOrder
from headwater.mixture.climb import Climb
from headwater.mixture.vector import StatisticsCode
from headwater.recipe.actions import Action, Aggregate, Done, Fit, Merge, ModelReport
from headwater.recipe.climbing import begin_climb, pairs_to_count
from headwater.recipe.gate import refusal
from headwater.recipe.settings import RecipeTerms
from headwater.recipe.sums import read_expectation, read_histograms, read_tables, read_update
from headwater.recipe.supercolumns import propose, settle, still_to_count
from headwater.recipe.task import Task, seed_for
from headwater.recipe.tasks import expectation_task, histograms_task, marginals_task, update_task
from headwater.secagg.crypto.ring import RingVector

__all__ = ["Recipe", "build_recipe"]

Record = dict[str, object]


class _Phase(Enum):
    HISTOGRAMS = "histograms"
    MARGINALS = "marginals"
    GROUPS = "groups"
    EXPECTATION = "expectation"
    FIT = "fit"
    UPDATE = "update"
    MERGE = "merge"
    DONE = "done"


class Recipe:
    """Says what to do next and takes what came of it. Pure: sums and models in, tasks and requests out.

    Use `build_recipe`. Drive it as::

        while not isinstance(action := recipe.next(), Done):
            ...  # Aggregate: recipe.add_sum(vector, contributors); Fit, Merge: recipe.add_model(model, report)
    """

    def __init__(self, terms: RecipeTerms) -> None:
        """Start before the first round."""
        self._terms = terms
        self._settings = terms.recipe
        self._histograms = Histograms.of(terms.schema_, terms.recipe.encoding)
        self._phase = _Phase.HISTOGRAMS
        self._action: Action | None = None
        self._history: list[Record] = []
        self._rounds = 0
        self._encoding: Encoding | None = None
        self._rows = 0
        self._proposed: list[Subset] = []
        self._subsets: list[Subset] = []
        self._marginals: list[Marginal] = []
        self._groups: list[Group] = []
        self._climb: Climb | None = None
        self._model = b""
        self._weights = 0
        self._mean_delta = np.zeros(0)
        self._best_loss = math.inf
        self._training_rounds_left = terms.recipe.training_rounds

    @property
    def history(self) -> tuple[Mapping[str, object], ...]:
        """One JSON record for each step done, in order."""
        return tuple(self._history)

    @property
    def marginals(self) -> tuple[Marginal, ...]:
        """Counts so far, 1-ways first; exact without differential privacy, so for members and operator only."""
        return tuple(self._marginals)

    def next(self) -> Action:
        """What to do now; the same object until it is answered."""
        if self._action is None:
            self._action = self._ask()
        return self._action

    def add_sum(self, vector: RingVector, contributors: int) -> None:
        """Answer `Aggregate` with the ring sum.

        Args:
            vector: uint32 or uint64 by the plan's ring, shape (task.length,).
            contributors: organisations in the sum.

        Raises:
            OutOfOrder: no sum was asked for.
            InputError: the sum is not of the task's form, or cannot be a sum of contributions. Nothing changed.
        """
        action = self.next()
        if not isinstance(action, Aggregate):
            raise OutOfOrder(f"a sum came while the recipe waits for {_name(action)}; ask next() what to do")
        if contributors < 1:
            raise InputError(f"a sum of {contributors} contributions is none; give the number of organisations in it")
        record: Record = {"step": action.task.step, "kind": action.task.kind, "contributors": contributors}
        if self._phase is _Phase.HISTOGRAMS:
            self._take_histograms(vector, record)
        elif self._phase is _Phase.MARGINALS:
            self._take_marginals(vector, record)
        elif self._phase is _Phase.GROUPS:
            self._take_groups(vector, record)
        elif self._phase is _Phase.EXPECTATION:
            self._take_expectation(vector, record)
        else:
            self._take_update(action.task, vector, contributors, record)
        self._rounds += 1
        self._action = None

    def add_model(self, model: bytes, report: ModelReport) -> None:
        """Answer `Fit` or `Merge` with the model's bytes and what was measured on it.

        A merged model that is not finite, or worsens the marginal loss by more than the plan allows, is not taken:
        the last one stays, and `history` says so.

        Raises:
            OutOfOrder: no model was asked for.
            InputError: the first model is not finite. Nothing changed.
        """
        action = self.next()
        if isinstance(action, Fit):
            self._take_fit(model, report)
        elif isinstance(action, Merge):
            self._take_merge(model, report)
        else:
            raise OutOfOrder(f"a model came while the recipe waits for {_name(action)}; ask next() what to do")
        self._action = None

    def _ask(self) -> Action:
        step = self._rounds + 1
        match self._phase:
            case _Phase.HISTOGRAMS:
                return Aggregate(histograms_task(self._terms, step))
            case _Phase.MARGINALS | _Phase.GROUPS:
                return Aggregate(marginals_task(self._terms, step, self._fitted(), self._subsets))
            case _Phase.EXPECTATION:
                asked = self._climbing().asked
                model = asked.to_bytes()
                task = expectation_task(self._terms, step, self._fitted(), asked, model, self._rows)
                return Aggregate(task, model)
            case _Phase.FIT:
                return self._ask_fit()
            case _Phase.UPDATE:
                return Aggregate(
                    update_task(self._terms, step, self._fitted(), self._model, self._weights), self._model
                )
            case _Phase.MERGE:
                seed = seed_for(self._terms.seed, "measure")
                return Merge(self._model, self._mean_delta, tuple(self._marginals), self._settings.update, seed)
            case _Phase.DONE:
                return Done(self._model, self._fitted(), self._rows)

    def _ask_fit(self) -> Fit:
        settings = self._settings
        fit = settings.fit.for_rows(self._rows)
        return Fit(
            sizes=self._fitted().sizes,
            groups=tuple(self._groups),
            label=self._terms.schema_.target_index,
            marginals=tuple(self._marginals),
            network=settings.network,
            terms=fit.model_copy(update={"steps": 0}) if settings.kind == "adversarial" else fit,
            critic=settings.training_rounds > 0,
            seed=seed_for(self._terms.seed, "fit"),
            measure_seed=seed_for(self._terms.seed, "measure"),
        )

    def _take_histograms(self, vector: RingVector, record: Record) -> None:
        summed = read_histograms(vector, self._histograms)
        encoding = Encoding.fit(self._terms.schema_, summed.payload, self._settings.encoding)
        self._encoding, self._rows = encoding, summed.weight
        self._marginals = [
            Marginal((column,), counts.astype(np.float64)) for column, counts in enumerate(encoding.counts)
        ]
        self._history.append({**record, "rows": summed.weight, "codes": sum(encoding.sizes), **summed.metrics})
        if self._settings.kind == "mixture":
            self._subsets = pairs_to_count(self._terms, encoding)
        elif self._settings.kind != "adversarial" and len(encoding.sizes) > 1:
            label = self._terms.schema_.target_index
            self._subsets = choose_subsets(encoding.sizes, label, self._settings.marginals.cells)
        if self._subsets:
            self._phase = _Phase.MARGINALS
        else:
            self._after_counts()

    def _take_marginals(self, vector: RingVector, record: Record) -> None:
        sizes, settings = self._fitted().sizes, self._settings.grouping
        counted, summed = read_tables(vector, self._subsets, sizes)
        self._marginals += with_pairs(counted, sizes)
        self._proposed = propose(self._marginals, sizes, settings)
        known = [marginal.columns for marginal in self._marginals]
        self._subsets = still_to_count(self._proposed, known, sizes, settings)
        record |= {"tables": len(counted), "cells": len(summed.payload), **summed.metrics}
        if self._subsets:
            self._phase = _Phase.GROUPS
        else:
            self._settle_groups(record)
        self._history.append(record)

    def _take_groups(self, vector: RingVector, record: Record) -> None:
        counted, summed = read_tables(vector, self._subsets, self._fitted().sizes)
        self._marginals += counted
        record |= {"tables": len(counted), "cells": len(summed.payload), **summed.metrics}
        self._settle_groups(record)
        self._history.append(record)

    def _settle_groups(self, record: Record) -> None:
        groups, extra = settle(self._proposed, self._marginals, self._fitted().sizes, self._settings.grouping)
        self._groups = groups
        self._marginals += extra
        names = self._terms.schema_.names
        record["super_columns"] = [[names[column] for column in group.columns] for group in groups]
        self._after_counts()

    def _after_counts(self) -> None:
        if self._settings.kind != "mixture":
            self._phase = _Phase.FIT
            return
        self._climb = begin_climb(self._terms, self._fitted(), self._groups, self._marginals)
        self._phase = _Phase.EXPECTATION

    def _take_expectation(self, vector: RingVector, record: Record) -> None:
        climb = self._climbing()
        code = StatisticsCode.for_rows(self._rows, self._settings.value_bits)
        statistics, summed = read_expectation(vector, climb.asked, code)
        self._history.append({**record, **summed.metrics, **climb.add(statistics)})
        if climb.over:
            self._model = climb.standing.to_bytes()
            self._phase = _Phase.DONE

    def _take_update(self, task: Task, vector: RingVector, contributors: int, record: Record) -> None:
        mean, summed = read_update(vector, self._weights, contributors, task.scale, task.value_bits)
        self._history.append({**record, **summed.metrics})
        if mean is None:
            # protocol 2.3: nobody's training was finite, so there is nothing to merge.
            self._end_training_round({"accepted": False, "reason": "no organisation had a finite update"})
            return
        self._history[-1]["update_norm"] = float(np.linalg.norm(mean))
        self._mean_delta = mean
        self._phase = _Phase.MERGE

    def _take_fit(self, model: bytes, report: ModelReport) -> None:
        if not math.isfinite(report.marginal_loss):
            raise InputError("the fitted generator is not finite; lower recipe.fit.learning_rate in the plan")
        self._model, self._weights, self._best_loss = model, report.weights, report.marginal_loss
        self._history.append({"kind": "fit", "marginal_loss": report.marginal_loss, "health": dict(report.health)})
        self._phase = _Phase.UPDATE if self._training_rounds_left else _Phase.DONE

    def _take_merge(self, model: bytes, report: ModelReport) -> None:
        reason = refusal(self._settings, self._best_loss, report)
        if not reason:
            self._model, self._best_loss = model, min(self._best_loss, report.marginal_loss)
        verdict: Record = {"accepted": not reason, "reason": reason}
        if math.isfinite(report.marginal_loss):
            verdict |= {"marginal_loss": report.marginal_loss, "health": dict(report.health)}
        self._mean_delta = np.zeros(0)
        self._end_training_round(verdict)

    def _end_training_round(self, verdict: Record) -> None:
        self._training_rounds_left -= 1
        done = self._settings.training_rounds - self._training_rounds_left
        self._history.append({"kind": "merge", "round": done, **verdict})
        self._phase = _Phase.UPDATE if self._training_rounds_left else _Phase.DONE

    def _climbing(self) -> Climb:
        if self._climb is None:
            raise OutOfOrder("a mixture is asked for before the counts that it begins with are summed")
        return self._climb

    def _fitted(self) -> Encoding:
        if self._encoding is None:
            raise OutOfOrder("the encoding is asked for before the histograms are summed")
        return self._encoding


def build_recipe(plan: RecipeTerms) -> Recipe:
    """The recipe of a plan, before its first round.

    Raises:
        InputError: the plan's table is too wide for its budgets.
    """
    return Recipe(plan)


def _name(action: Action) -> str:
    return {"Aggregate": "a sum", "Fit": "the first model", "Merge": "a merged model"}.get(
        type(action).__name__, "nothing more"
    )
