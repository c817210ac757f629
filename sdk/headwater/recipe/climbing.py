"""The rounds in which a mixture climbs, begun from the summed counts of a run."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from headwater.encoding.encoding import Encoding
from headwater.encoding.groups import Group
from headwater.encoding.marginals import Marginal, Subset, pairs_within
from headwater.mixture.climb import Climb
from headwater.mixture.form import Form, coded_columns, label_of
from headwater.mixture.parameters import Mixture
from headwater.mixture.tilting import Tilting
from headwater.mixture.vector import StatisticsCode
from headwater.recipe.actions import Aggregate, ModelReport
from headwater.recipe.plausibility import ClimbTotals
from headwater.recipe.settings import RecipeTerms
from headwater.recipe.stage import Record, out_of_place
from headwater.recipe.sums import HeadRoom, ImplausibleSum, read_expectation
from headwater.recipe.task import Task, seed_for
from headwater.recipe.tasks import expectation_task
from headwater.secagg.crypto.ring import RingVector

__all__ = ["Climbing", "begin_climb", "groupable", "pairs_to_count"]


F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_FALLEN = "the rows became far less likely, which rounds of a climb make likelier; it or the sum before is not honest"


class Climbing:
    """Rounds of expectation until a mixture stands, then the attack on each tilt of it. A `Stage`.

    A sum that no honest contributions can add up to is not taken. Where a rung has passed already the mixture that
    stands is the end of it, for the next sum would be asked of the same organisations; before that nothing stands, and
    the sum is an error.
    """

    def __init__(
        self,
        terms: RecipeTerms,
        encoding: Encoding,
        rows: int,
        groups: Sequence[Group],
        marginals: Sequence[Marginal],
    ) -> None:
        """Begin below the first rung; the arguments are those of `begin_climb`, and the rows counted."""
        self._terms = terms
        self._encoding = encoding
        self._rows = rows
        self._climb, self._totals = begin_climb(terms, encoding, groups, marginals)
        # An organisation may have come or gone since the rows were counted: what a tilt holds pairs to is their shares.
        self._tables: dict[Subset, F64] = {
            each.columns: each.counts * (rows / each.counts.sum()) for each in marginals if len(each.columns) == 2
        }
        self._tilting: Tilting | None = None
        self._ended = False

    @property
    def over(self) -> bool:
        """Whether a mixture stands."""
        return self._ended if self._tilting is None else self._tilting.over

    @property
    def standing(self) -> Mixture:
        """The mixture that is taken.

        Raises:
            InputError: climb or tilt are not over.
        """
        return self._climb.standing if self._tilting is None else self._tilting.standing

    @property
    def seen(self) -> tuple[I64, I64]:
        """Training and validation rows by log-density under the highest rung that passed."""
        return self._climb.seen

    def ask(self, step: int) -> Aggregate:
        """The next round of expectation."""
        asked = self._asked
        model = asked.to_bytes()
        task = expectation_task(self._terms, step, self._encoding, asked, model, self._rows)
        return Aggregate(task, model, "" if self._tilting is None else "tilt")

    def add_sum(self, task: Task, vector: RingVector, contributors: int) -> list[Record]:
        """As `Stage.add_sum`; a sum that cannot be one ends the climb on the rung that stands.

        Raises:
            ImplausibleSum: such a sum came before any rung stands. Nothing changed.
        """
        room = HeadRoom(contributors, task.value_bits)
        code = StatisticsCode.for_rows(self._rows, self._terms.recipe.value_bits)
        try:
            statistics, summed = read_expectation(vector, self._asked, code, room, self._totals)
            if self._tilting is None and self._climb.fallen(statistics):
                raise ImplausibleSum(_FALLEN)
        except ImplausibleSum as error:
            if not self._climb.passed:
                raise
            return self._end(error)
        if self._tilting is not None:
            return [{**summed.metrics, **self._tilting.add(statistics)}]
        record = self._climb.add(statistics)
        if self._climb.over:
            settings, seed = self._terms.recipe.mixture, seed_for(self._terms.seed, "tilt")
            self._tilting = Tilting(self._climb.rungs, self._encoding, self._tables, self._rows, settings, seed)
        return [{**summed.metrics, **record}]

    def _end(self, error: ImplausibleSum) -> list[Record]:
        """Take the mixture that stands: the highest rung that passed, or its strictest tilt that did."""
        stopped = self._climb if self._tilting is None else self._tilting
        stopped.end()
        self._ended = True
        components = self.standing.components
        return [
            {"accepted": False, "reason": str(error)},
            {"kind": "ended", "on": "rung", "refused": 1, "components": components},
        ]

    @property
    def _asked(self) -> Mixture:
        return self._climb.asked if self._tilting is None else self._tilting.asked

    def add_model(self, model: bytes, report: ModelReport) -> list[Record]:
        """Refuse: a climb asks for no model."""
        del model, report
        raise out_of_place("a model", self.ask(1))


def pairs_to_count(terms: RecipeTerms, encoding: Encoding) -> list[Subset]:
    """Pairs of columns to count, as many as the budget of cells holds.

    First those with the target, then those that could share a super-column; then, where the mixture is to be tilted to
    its pairs, all others. Pairs whose columns are near each other, counted in a circle, come first.
    """
    target, settings = terms.schema_.target_index, terms.recipe.mixture
    coded = coded_columns(encoding, label_of(target, encoding.sizes), settings)
    if not settings.tilt_tolerances:
        return pairs_within(coded, encoding.sizes, terms.recipe.marginals.cells)
    everything = range(len(encoding.sizes))
    return pairs_within(everything, encoding.sizes, terms.recipe.marginals.cells, label=target, first=coded)


def groupable(terms: RecipeTerms, encoding: Encoding, marginals: Sequence[Marginal]) -> list[Marginal]:
    """The tables among whose columns super-columns may be looked for: those of columns that a mixture holds as codes.

    Args:
        terms: of the plan.
        encoding: with its counts.
        marginals: counted.
    """
    coded = set(coded_columns(encoding, label_of(terms.schema_.target_index, encoding.sizes), terms.recipe.mixture))
    return [marginal for marginal in marginals if coded.issuperset(marginal.columns)]


def begin_climb(
    terms: RecipeTerms, encoding: Encoding, groups: Sequence[Group], marginals: Sequence[Marginal]
) -> tuple[Climb, ClimbTotals]:
    """A climb below its first rung, and what its rounds must add up to.

    Args:
        terms: of the plan.
        encoding: with its counts.
        groups: super-columns among the counted pairs.
        marginals: with one over each group's columns.
    """
    label = label_of(terms.schema_.target_index, encoding.sizes)
    form = Form.choose(encoding, label, groups, terms.recipe.mixture)
    counts = encoding.counts
    rows = float(counts[0].sum())
    tables = {marginal.columns: marginal for marginal in marginals}
    units, known = [], []
    for group in form.groups:
        shape = tuple(encoding.sizes[column] for column in group.columns)
        table = tables[group.columns].counts
        units.append(table[np.ravel_multi_index(tuple(group.combinations.T), shape)])
        # Counted over other rows than the classes, it says nothing of what the climb's rounds come to.
        known.append(units[-1] if table.sum() == rows else np.full(len(units[-1]), np.nan))
    units += [counts[column].astype(np.float64) for column in form.alone]
    for place in form.stated:
        score = form.scores[place]
        states = counts[score.column][list(score.states)].astype(np.float64)
        units.append(np.concatenate([[rows - states.sum()], states]))
    classes = [rows] if label is None else [float(count) for count in counts[label]]
    seed = seed_for(terms.seed, "climb")
    climb = Climb(form, units, classes, terms.recipe.mixture, seed, terms.recipe.marginals.cells)
    return climb, ClimbTotals(classes, [*known, *units[len(known) :]], int(rows), one_cohort=terms.one_cohort)
