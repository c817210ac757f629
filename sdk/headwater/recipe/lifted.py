"""The terms of a plan with pictures, as the rounds after the first see them."""

from dataclasses import dataclass
from typing import Literal

from headwater.evidence.terms import AuditTerms
from headwater.images.convolution import ConvolutionSpec
from headwater.images.lifting import lifted_schema
from headwater.privacy.budget import Budget
from headwater.recipe.settings import RecipeSettings, RecipeTerms, SplitShares
from headwater.schema import Schema
from headwater.secagg.crypto.ring import RingBits

__all__ = ["LiftedTerms", "convolution_spec", "lifted_terms", "widest_terms"]


@dataclass(frozen=True)
class LiftedTerms:
    """A plan's terms with another schema. `RecipeTerms`."""

    schema_: Schema
    recipe: RecipeSettings
    splits: SplitShares
    privacy: Literal["none"] | Budget
    audit: Literal["none"] | AuditTerms
    rows: int
    seed: int
    colluders: int
    ring_bits: RingBits
    one_cohort: bool


def lifted_terms(terms: RecipeTerms, schema: Schema) -> LiftedTerms:
    """The same terms over a schema in which scores stand for pictures."""
    return LiftedTerms(
        schema,
        terms.recipe,
        terms.splits,
        terms.privacy,
        terms.audit,
        terms.rows,
        terms.seed,
        terms.colluders,
        terms.ring_bits,
        terms.one_cohort,
    )


def convolution_spec(terms: RecipeTerms) -> ConvolutionSpec | None:
    """The networks of a run that trains a convolutional generator; None for any other run.

    One is trained from scratch, by the kind `adversarial`, where the table holds pictures and their classes alone. With
    other columns beside them pictures are scores, and the network is the one for tables.
    """
    if terms.recipe.kind != "adversarial" or not ConvolutionSpec.fits(terms.schema_):
        return None
    settings = terms.recipe.images.convolution
    return ConvolutionSpec(terms.schema_, settings.channels, settings.latent)


def widest_terms(terms: RecipeTerms) -> RecipeTerms:
    """The terms over the widest lifted schema that the plan allows; the same terms where there is no image.

    Raises:
        InputError: that schema has more columns than a table may have.
    """
    if not terms.schema_.images:
        return terms
    scores = [min(terms.recipe.images.scores, image.pixels) for image in terms.schema_.images]
    return lifted_terms(terms, lifted_schema(terms.schema_, scores))
