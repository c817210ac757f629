"""What a run under a budget counts in each round, and with how much noise: fixed by the plan alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, assert_never

from headwater.encoding.grid import CategoryGrid, Histograms
from headwater.encoding.marginals import Subset, cells_of, choose_subsets
from headwater.errors import InputError
from headwater.privacy.budget import Budget
from headwater.privacy.calibration import Part, calibrate, calibrate_gradients
from headwater.privacy.events import Event, NoisyCounts, NoisyGradients
from headwater.privacy.poisson_sample import rate_of
from headwater.privacy.shares import LEAST_HONEST
from headwater.recipe.settings import RecipeTerms
from headwater.schema import CategoricalColumn
from headwater.schema.columns import BooleanColumn

__all__ = [
    "PrivateRound",
    "PrivateStep",
    "StepName",
    "critic_event",
    "grid_subsets",
    "most_cells",
    "most_coupled",
    "private_bins",
    "private_budget",
    "private_rounds",
    "private_steps",
    "private_subsets",
    "reserve_events",
]

StepName = Literal["columns", "label", "pairs", "critic"]


@dataclass(frozen=True, slots=True)
class PrivateStep:
    """One round of noisy counts.

    Attributes:
        name: "columns" counts every column on its public grid, with the label where that is of few classes; "label"
            each feature with the label, in the codes that follow; "pairs" every two features, with the label where
            there is one, in coarse bins.
        event: what the round costs at most: as many tables as the plan can ask for in it.
        kind: of its task.
    """

    name: StepName
    event: NoisyCounts
    kind: Literal["histograms", "marginals"] = "marginals"


@dataclass(frozen=True, slots=True)
class PrivateRound:
    """One noisy sum of a run.

    Attributes:
        name: of what is summed: a step of counts, or "critic" for clipped gradients of a critic.
        event: what it costs at most.
        kind: of its task.
    """

    name: StepName
    event: Event
    kind: Literal["histograms", "marginals", "gradient"]


def private_budget(terms: RecipeTerms) -> Budget:
    """The budget of a plan that has one.

    Raises:
        InputError: the plan has none.
    """
    if isinstance(terms.privacy, Budget):
        return terms.privacy
    raise InputError("noise is asked for under a plan without a privacy budget; give the plan one")


def private_rounds(terms: RecipeTerms) -> tuple[PrivateRound, ...]:
    """Every noisy sum of a run, in order.

    Raises:
        InputError: as `private_steps` and `critic_event`.
    """
    counts = tuple(PrivateRound(step.name, step.event, step.kind) for step in private_steps(terms))
    gradients = critic_event(terms)
    if gradients is None:
        return counts
    return (*counts, *(PrivateRound("critic", replace(gradients, steps=1), "gradient"),) * gradients.steps)


def critic_event(terms: RecipeTerms) -> NoisyGradients | None:
    """What all sums of a critic's gradients cost together; None for a recipe without a critic.

    Raises:
        InputError: the plan has no budget, or it leaves too little for gradients.
    """
    if terms.recipe.kind != "hybrid":
        return None
    budget, critic = private_budget(terms), terms.recipe.private.critic
    beside = (*(step.event for step in private_steps(terms)), *reserve_events(terms))
    return _gradients(beside, budget, rate_of(critic.rate), critic.steps)


def private_steps(terms: RecipeTerms) -> tuple[PrivateStep, ...]:
    """The rounds of counts of a run, in order.

    Raises:
        InputError: the plan has no budget, or asks for more noise than can be drawn.
    """
    budget, settings = private_budget(terms), terms.recipe.private
    columns, label = len(terms.schema_.columns), terms.schema_.target_index
    first = len(grid_subsets(terms)) or columns
    named: list[tuple[StepName, Part]] = [("columns", Part(settings.columns_share, first))]
    if label is not None and columns > 1:
        named.append(("label", Part(settings.label_share, columns - 1)))
    if pairs := len(private_subsets(terms)):
        named.append(("pairs", Part(settings.pairs_share, pairs)))
    held_back = settings.critic.share if terms.recipe.kind == "hybrid" else 0.0
    events = _events(tuple(part for _, part in named), budget, held_back)
    alone = not grid_subsets(terms)
    return tuple(
        PrivateStep(name, event, "histograms" if name == "columns" and alone else "marginals")
        for (name, _), event in zip(named, events, strict=True)
    )


def reserve_events(terms: RecipeTerms) -> tuple[NoisyCounts, ...]:
    """What the budget holds back for aborted sums: each as dear as the run's dearest count."""
    dearest = max((step.event for step in private_steps(terms)), key=lambda event: event.zcdp)
    return (dearest,) * private_budget(terms).retries


def grid_subsets(terms: RecipeTerms) -> Sequence[Subset]:
    """Each feature with the label, whose tables the first round counts on the public grids.

    Empty where the label is none, or no column of categories, or where so many cells pass the plan's budget of cells:
    then every column is counted alone.
    """
    schema, label = terms.schema_, terms.schema_.target_index
    if label is None or not isinstance(schema.columns[label], CategoricalColumn | BooleanColumn):
        return ()
    cells = [grid.cells for grid in Histograms.of(schema, terms.recipe.encoding).grids]
    if (sum(cells) - cells[label]) * cells[label] > terms.recipe.marginals.cells:
        return ()
    return [(min(place, label), max(place, label)) for place in range(len(cells)) if place != label]


def private_subsets(terms: RecipeTerms) -> Sequence[Subset]:
    """The tables of the last round, by the schema alone: bins are at most as many as the settings allow."""
    columns, label = len(terms.schema_.columns), terms.schema_.target_index
    if columns - (label is not None) < 2:
        return ()
    sizes = _most_bins(terms)
    return [subset for subset in choose_subsets(sizes, label, terms.recipe.marginals.cells) if _new(subset, label)]


def private_bins(terms: RecipeTerms) -> list[int]:
    """Most bins of each column in the pairs; special values and missing of a numeric column come on top.

    A numeric column of few cells is held to as many bins as a column of categories, so that none is lost.
    """
    settings, bins = terms.recipe.private, []
    for place, grid in enumerate(Histograms.of(terms.schema_, terms.recipe.encoding).grids):
        if place == terms.schema_.target_index and isinstance(grid, CategoryGrid):
            bins.append(grid.cells)
        elif isinstance(grid, CategoryGrid) or len(grid.lows) <= settings.category_bins:
            bins.append(settings.category_bins)
        else:
            bins.append(settings.numeric_bins)
    return bins


def most_cells(terms: RecipeTerms, step: StepName) -> int:
    """Most cells that one round asks for, whatever the sums before it turn out to be."""
    grids = Histograms.of(terms.schema_, terms.recipe.encoding)
    cells, label = [grid.cells for grid in grids.grids], terms.schema_.target_index
    match step:
        case "columns":
            return sum(cells_of(cells, table) for table in grid_subsets(terms)) or grids.length
        case "label":
            # A code holds one cell of its grid at least.
            return 0 if label is None else (sum(cells) - cells[label]) * cells[label]
        case "pairs":
            sizes = _most_bins(terms)
            return sum(cells_of(sizes, subset) for subset in private_subsets(terms))
        case "critic":
            return 0
        case _:
            assert_never(step)


def most_coupled(terms: RecipeTerms) -> int:
    """Most combinations of columns that a fit holds as one: pairs that are disjoint, in the bins of the last round."""
    bins = _most_bins(terms)
    return len(bins) // 2 * max(bins) ** 2


def _new(subset: Subset, label: int | None) -> bool:
    """Whether a table says more than the round before it: (feature, label) is counted there, in finer codes."""
    return len(subset) > (1 if label is None else 2) or label not in subset


def _most_bins(terms: RecipeTerms) -> list[int]:
    """Most cells of each column in the pairs."""
    grids = Histograms.of(terms.schema_, terms.recipe.encoding).grids
    own = [0 if isinstance(grid, CategoryGrid) else len(grid.special) + int(grid.column.missing) for grid in grids]
    return [min(grid.cells, bins + more) for grid, bins, more in zip(grids, private_bins(terms), own, strict=True)]


@lru_cache(maxsize=64)
def _events(parts: tuple[Part, ...], budget: Budget, held_back: float) -> tuple[NoisyCounts, ...]:
    # The dearest part is known before the calibration: shares are of ρ.
    dearest = max(parts, key=lambda part: part.share)
    asked = [*parts, *[dearest] * budget.retries]
    if held_back:
        # A part that nothing is counted for: what it would have cost is left.
        asked.append(Part(sum(part.share for part in asked) * held_back / (1 - held_back), 1))
    return calibrate(asked, budget.epsilon, budget.delta, budget.records)[: len(parts)]


@lru_cache(maxsize=64)
def _gradients(beside: tuple[NoisyCounts, ...], budget: Budget, rate: int, steps: int) -> NoisyGradients:
    return calibrate_gradients(
        budget.epsilon,
        budget.delta,
        rate=rate,
        steps=steps,
        records=budget.records,
        honest=1 if budget.mode == "local" else LEAST_HONEST,
        beside=beside,
    )
