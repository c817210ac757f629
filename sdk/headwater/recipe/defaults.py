"""Recipes of plans that say little: the kind by what the schema holds, the rounds where they are named."""

from headwater.errors import InputError
from headwater.recipe.settings import RecipeKind, RecipeSettings
from headwater.recipe.training_settings import AdversarialSettings
from headwater.schema import Schema

__all__ = ["default_kind", "recipe_of"]


def default_kind(schema: Schema) -> RecipeKind:
    """The kind that was measured to be best: a mixture for pictures, else the settings' own default."""
    return "mixture" if schema.images else RecipeSettings().kind


def recipe_of(kind: RecipeKind, rounds: int | None = None) -> RecipeSettings:
    """A recipe of this kind with every other setting at its default.

    Args:
        kind: what is fitted.
        rounds: of training at the organisations; None leaves the kind's own number.

    Raises:
        InputError: rounds are named for a kind that trains nothing at the organisations.
    """
    match kind:
        case "hybrid" if rounds is not None:
            return RecipeSettings(kind=kind, rounds=rounds)
        case "adversarial" if rounds is not None:
            return RecipeSettings(kind=kind, adversarial=AdversarialSettings(rounds=rounds))
        case "marginals" | "mixture" if rounds:
            raise InputError(
                f"the recipe {kind} has no rounds of training, {rounds} were asked for; leave --rounds out, or choose "
                "hybrid or adversarial"
            )
        case _:
            return RecipeSettings(kind=kind)
