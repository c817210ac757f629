"""Bounds on what a plan's rounds may ask for, known before the first one."""

from typing import get_args

from headwater.encoding.grid import Histograms
from headwater.images.pixels import pixel_cells
from headwater.mixture.form import MOST_CELLS, MOST_CLASSES
from headwater.mixture.vector import values_with
from headwater.recipe.evaluation import values_of_evaluation
from headwater.recipe.layout import COUNT_METRICS, UPDATE_METRICS
from headwater.recipe.lifted import convolution_spec, widest_terms
from headwater.recipe.private_steps import StepName, most_cells, most_coupled, private_rounds
from headwater.recipe.settings import RecipeTerms
from headwater.recipe.shapes import CriticShape, GeneratorShape
from headwater.schema import CategoricalColumn
from headwater.schema.columns import BooleanColumn

__all__ = [
    "MOST_AUDIT_COUNTS",
    "largest_cells",
    "longest_run",
    "longest_vector",
    "most_parameters",
    "most_refiner_parameters",
]


MOST_AUDIT_COUNTS = 2**22
"""Counts of an audit: how many it needs is known when there is a candidate, and bounded before."""


def largest_cells(terms: RecipeTerms) -> int:
    """Most cells that one round of counts may ask for: the budget, or every (feature, label) where that is more.

    Under a privacy budget codes are the runs of grid cells that noise leaves apart, which may be more than
    `encoding.numeric_codes`: each round is bounded by the public grids, as `plan explain` tells it.
    """
    if terms.privacy != "none":
        return max(most_cells(terms, step) for step in get_args(StepName))
    sizes, label = _most_codes(terms), terms.schema_.target_index
    pairs = sum(sizes) * (1 if label is None else sizes[label])
    return max(terms.recipe.marginals.cells, pairs)


def most_parameters(terms: RecipeTerms) -> int:
    """Most weights of generator and critic together, whatever the sums turn out to be."""
    network, settings = terms.recipe.network, terms.recipe
    columns = len(terms.schema_.columns)
    codes = settings.encoding.codes_budget + columns * (settings.encoding.category_limit + 2)
    codes += sum(len(getattr(column, "special_values", ())) for column in terms.schema_.columns)
    units = codes + columns * settings.marginals.group_combinations
    generator = GeneratorShape(
        kind=network.kind,
        entry=network.latent + (codes if terms.recipe.condition != "none" else 0),
        width=network.width,
        blocks=network.blocks,
        activation=network.activation,
        heads=columns,
        units=units,
    )
    critic = CriticShape(codes, network.packing, network.critic_width, network.critic_layers)
    return generator.weights + critic.weights


def _least_statistics(terms: RecipeTerms) -> int:
    """Most values of a mixture's statistics when it has one component for each class, below which no climb begins."""
    settings, columns = terms.recipe, terms.schema_.columns
    sizes, label = _most_codes(terms), terms.schema_.target_index
    classes = 1 if label is None else min(sizes[label], MOST_CLASSES)
    # Two columns at least make a super-column.
    cells = min(sum(sizes) + len(columns) // 2 * settings.mixture.group_combinations, MOST_CELLS)
    return values_with(cells, min(settings.mixture.score_columns, len(columns)), classes)


def _most_codes(terms: RecipeTerms) -> list[int]:
    """Most codes of each column, whatever the sums turn out to be."""
    settings = terms.recipe.encoding
    return [
        min(len(column.categories), settings.category_limit) + 1
        if isinstance(column, CategoricalColumn | BooleanColumn)
        else settings.numeric_codes + len(getattr(column, "special_values", ())) + 1
        for column in terms.schema_.columns
    ]


def longest_run(terms: RecipeTerms) -> int:
    """Most securely summed rounds that a run of this plan asks for: pictures take one more, and so does an audit."""
    if terms.privacy != "none":
        return len(private_rounds(terms))
    if convolution_spec(terms) is not None:
        # Pixels and histograms are summed before.
        return 2 + terms.recipe.images.convolution.rounds
    return terms.recipe.maximum_rounds + bool(terms.schema_.images) + (terms.audit != "none")


def most_refiner_parameters(terms: RecipeTerms) -> int:
    """Most weights of refiner and critic together, whatever the sums turn out to be."""
    settings = terms.recipe
    columns = len(terms.schema_.columns)
    # Each column is a class, a code or a score at most, and each super-column has its combinations.
    wide = settings.encoding.codes_budget + columns * (settings.encoding.category_limit + 3)
    wide += 2 * sum(len(getattr(column, "special_values", ())) for column in terms.schema_.columns)
    wide += columns * settings.mixture.group_combinations
    width, critic = settings.refiner.width, settings.refiner.critic_width
    refiner = (wide + settings.refiner.noise + 1) * width + (width + 1) * width + (width + 1) * wide
    return refiner + (wide + 1) * critic + (critic + 1) * critic + critic + 1


def longest_vector(terms: RecipeTerms) -> int:
    """Most values of one vector of a run of this plan, check coordinates apart.

    Raises:
        InputError: the table is too wide for the plan's budgets.
    """
    if terms.privacy != "none":
        return _longest_noisy(terms)
    pixels, networks = pixel_cells(terms.schema_.images), convolution_spec(terms)
    terms = widest_terms(terms)
    lengths = [
        pixels + 1 + len(COUNT_METRICS),
        Histograms.of(terms.schema_, terms.recipe.encoding).length + 1 + len(COUNT_METRICS),
        largest_cells(terms) + 1 + len(COUNT_METRICS),
    ]
    if terms.audit != "none":
        lengths.append(MOST_AUDIT_COUNTS + 1 + len(COUNT_METRICS))
    if terms.recipe.climbs:
        lengths.append(_least_statistics(terms) + 1 + len(COUNT_METRICS))
    if networks is not None:
        lengths.append(networks.parameters + 1 + len(UPDATE_METRICS))
    elif terms.recipe.refines:
        lengths.append(most_refiner_parameters(terms) + 1 + len(UPDATE_METRICS))
        lengths.append(values_of_evaluation(MOST_CLASSES) + 1 + len(COUNT_METRICS))
    elif terms.recipe.training_rounds:
        lengths.append(most_parameters(terms) + 1 + len(UPDATE_METRICS))
    return max(lengths)


def _longest_noisy(terms: RecipeTerms) -> int:
    lengths = [Histograms.of(terms.schema_, terms.recipe.encoding).length, largest_cells(terms)]
    if terms.recipe.kind == "hybrid":
        lengths.append(_most_private_critic(terms))
    return max(lengths) + 1 + len(COUNT_METRICS)


def _most_private_critic(terms: RecipeTerms) -> int:
    """Most weights of a critic under a budget: every code, and every combination of coupled columns, is an input."""
    # A code holds one cell of its grid at least.
    cells = Histograms.of(terms.schema_, terms.recipe.encoding).length
    width, wide = terms.recipe.private.critic.width, cells + most_coupled(terms)
    return (wide + 2) * width + (width + 1) * width + width + 1
