"""The recipe of a plan that names none, by what its schema holds."""

from headwater.recipe.settings import RecipeKind, RecipeSettings
from headwater.schema import Schema

__all__ = ["default_kind"]


def default_kind(schema: Schema) -> RecipeKind:
    """The kind that was measured to be best: a mixture for pictures, else the settings' own default."""
    return "mixture" if schema.images else RecipeSettings().kind
