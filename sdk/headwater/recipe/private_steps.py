"""What a run under a budget counts in each round, and with how much noise: fixed by the plan alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, assert_never

from headwater.encoding.grid import CategoryGrid, Histograms
from headwater.encoding.marginals import Subset, cells_of, choose_subsets
from headwater.errors import InputError
from headwater.privacy.budget import Budget
from headwater.privacy.calibration import Part, calibrate
from headwater.privacy.events import NoisyCounts
from headwater.recipe.settings import RecipeTerms
from headwater.schema import CategoricalColumn, Schema
from headwater.schema.columns import BooleanColumn

__all__ = [
    "PrivateStep",
    "StepName",
    "grid_subsets",
    "most_cells",
    "private_bins",
    "private_budget",
    "private_steps",
    "private_subsets",
    "reserve_events",
]

StepName = Literal["columns", "label", "pairs"]


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


def private_budget(terms: RecipeTerms) -> Budget:
    """The budget of a plan that has one.

    Raises:
        InputError: the plan has none.
    """
    if isinstance(terms.privacy, Budget):
        return terms.privacy
    raise InputError("noise is asked for under a plan without a privacy budget; give the plan one")


def private_steps(terms: RecipeTerms) -> tuple[PrivateStep, ...]:
    """The rounds of a run, in order.

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
    events = _events(tuple(part for _, part in named), budget)
    alone = not grid_subsets(terms)
    return tuple(
        PrivateStep(name, event, "histograms" if name == "columns" and alone else "marginals")
        for (name, _), event in zip(named, events, strict=True)
    )


def reserve_events(terms: RecipeTerms) -> tuple[NoisyCounts, ...]:
    """What the budget holds back for aborted sums: each as dear as the run's dearest."""
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
    schema = terms.schema_
    features = len(schema.columns) - (schema.target_index is not None)
    if features < 2:
        return ()
    sizes = [_most_bins(terms, place) for place in range(len(schema.columns))]
    return [s for s in choose_subsets(sizes, schema.target_index, terms.recipe.marginals.cells) if _new(s, schema)]


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
            sizes = [_most_bins(terms, place) for place in range(len(terms.schema_.columns))]
            return sum(cells_of(sizes, subset) for subset in private_subsets(terms))
        case _:
            assert_never(step)


def _new(subset: Subset, schema: Schema) -> bool:
    """Whether a table says more than the round before it: (feature, label) is counted there, in finer codes."""
    return len(subset) > (1 if schema.target_index is None else 2) or schema.target_index not in subset


def _most_bins(terms: RecipeTerms, place: int) -> int:
    grid = Histograms.of(terms.schema_, terms.recipe.encoding).grids[place]
    own = 0 if isinstance(grid, CategoryGrid) else len(grid.special) + int(grid.column.missing)
    return min(grid.cells, private_bins(terms)[place] + own)


@lru_cache(maxsize=64)
def _events(parts: tuple[Part, ...], budget: Budget) -> tuple[NoisyCounts, ...]:
    # The dearest part is known before the calibration: shares are of ρ.
    dearest = max(parts, key=lambda part: part.share)
    return calibrate([*parts, *[dearest] * budget.retries], budget.epsilon, budget.delta, budget.records)[: len(parts)]
