"""Recipes of plans that say little: the kind by what the schema holds, the rounds where they are named."""

from headwater.errors import InputError
from headwater.images.convolution import ConvolutionSpec
from headwater.images.settings import ConvolutionSettings, ImageSettings
from headwater.recipe.settings import RecipeKind, RecipeSettings
from headwater.recipe.training_settings import AdversarialSettings
from headwater.schema import Schema

__all__ = ["recipe_of"]


def recipe_of(schema: Schema, kind: RecipeKind | None = None, rounds: int | None = None) -> RecipeSettings:
    """A recipe with every setting that is not named at its default.

    Args:
        schema: of the plan.
        kind: what is fitted; None for what the schema's tables are fitted best by.
        rounds: of training at the organisations; None leaves the kind's own number.

    Raises:
        InputError: rounds are named for a kind that trains nothing at the organisations, or none for pictures.
    """
    wanted = _default_kind(schema) if kind is None else kind
    recipe = RecipeSettings(kind=wanted)
    if rounds is None:
        return recipe
    match wanted:
        case "hybrid":
            return RecipeSettings(kind=wanted, rounds=rounds)
        case "adversarial" if ConvolutionSpec.fits(schema):
            if rounds < 1:
                raise InputError("a network of pictures is trained in at least 1 round, 0 were asked for")
            return RecipeSettings(kind=wanted, images=ImageSettings(convolution=ConvolutionSettings(rounds=rounds)))
        case "adversarial":
            return RecipeSettings(kind=wanted, adversarial=AdversarialSettings(rounds=rounds))
        case "marginals" | "mixture" if rounds:
            raise InputError(
                f"the recipe {wanted} has no rounds of training, {rounds} were asked for; leave --rounds out, or "
                "choose hybrid or adversarial"
            )
        case "marginals" | "mixture":
            return recipe


def _default_kind(schema: Schema) -> RecipeKind:
    """The kind that was measured to be best: a mixture for pictures, else the settings' own default."""
    return "mixture" if schema.images else RecipeSettings().kind
