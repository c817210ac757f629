"""Begin a mixture's climb from the summed counts of a run."""

from collections.abc import Sequence

import numpy as np

from headwater.encoding.encoding import Encoding
from headwater.encoding.groups import Group
from headwater.encoding.marginals import Marginal, Subset, choose_subsets
from headwater.mixture.climb import Climb
from headwater.mixture.form import Form, coded_columns, label_of
from headwater.recipe.settings import RecipeTerms
from headwater.recipe.task import seed_for

__all__ = ["begin_climb", "pairs_to_count"]


def pairs_to_count(terms: RecipeTerms, encoding: Encoding) -> list[Subset]:
    """Pairs of columns that could share a super-column: those that the mixture holds as codes, the label apart."""
    label = label_of(terms.schema_.target_index, encoding.sizes)
    columns = coded_columns(encoding, label, terms.recipe.mixture)
    if len(columns) < 2:
        return []
    sizes = [encoding.sizes[column] for column in columns]
    chosen = choose_subsets(sizes, None, terms.recipe.marginals.cells)
    return [tuple(columns[place] for place in subset) for subset in chosen]


def begin_climb(
    terms: RecipeTerms, encoding: Encoding, groups: Sequence[Group], marginals: Sequence[Marginal]
) -> Climb:
    """A climb below its first rung.

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
    units = []
    for group in form.groups:
        shape = tuple(encoding.sizes[column] for column in group.columns)
        units.append(tables[group.columns].counts[np.ravel_multi_index(tuple(group.combinations.T), shape)])
    units += [counts[column].astype(np.float64) for column in form.alone]
    for place in form.stated:
        score = form.scores[place]
        states = counts[score.column][list(score.states)].astype(np.float64)
        units.append(np.concatenate([[rows - states.sum()], states]))
    classes = [rows] if label is None else [float(count) for count in counts[label]]
    seed = seed_for(terms.seed, "climb")
    return Climb(form, units, classes, terms.recipe.mixture, seed, terms.recipe.marginals.cells)
