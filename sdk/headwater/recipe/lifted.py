"""The terms of a plan with pictures, as the rounds after the first see them."""

from dataclasses import dataclass

from headwater.images.projection import REACH
from headwater.recipe.settings import RecipeSettings, RecipeTerms, SplitShares
from headwater.schema import Column, ImageColumn, NumericColumn, Schema
from headwater.secagg.crypto.ring import RingBits

__all__ = ["LiftedTerms", "lifted_terms", "widest_terms"]


@dataclass(frozen=True)
class LiftedTerms:
    """A plan's terms with another schema. `RecipeTerms`."""

    schema_: Schema
    recipe: RecipeSettings
    splits: SplitShares
    seed: int
    ring_bits: RingBits


def lifted_terms(terms: RecipeTerms, schema: Schema) -> LiftedTerms:
    """The same terms over a schema in which scores stand for pictures."""
    return LiftedTerms(schema, terms.recipe, terms.splits, terms.seed, terms.ring_bits)


def widest_terms(terms: RecipeTerms) -> RecipeTerms:
    """The terms over the widest lifted schema that the plan allows; the same terms where there is no image."""
    if not terms.schema_.images:
        return terms
    columns: list[Column] = []
    for number, column in enumerate(terms.schema_.columns):
        if not isinstance(column, ImageColumn):
            columns.append(column)
            continue
        # Only how many there are matters; the number of the column keeps names apart.
        columns += [
            NumericColumn(name=f"{number}[{score}]/{column.name[:100]}", lower=-REACH, upper=REACH)
            for score in range(min(terms.recipe.images.scores, column.pixels))
        ]
    return lifted_terms(terms, Schema(name=terms.schema_.name, columns=tuple(columns)))
