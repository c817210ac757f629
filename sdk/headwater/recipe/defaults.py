"""Recipes of plans that say little: the kind by what the schema holds, the rounds where they are named."""

from pydantic import ValidationError

from headwater.encoding.settings import EncodingSettings
from headwater.errors import InputError
from headwater.images.convolution import ConvolutionSpec
from headwater.images.settings import ConvolutionSettings, ImageSettings
from headwater.recipe.private_settings import CriticSettings, PrivateSettings
from headwater.recipe.settings import PRIVATE_KINDS, RecipeKind, RecipeSettings, SplitShares
from headwater.recipe.training_settings import AdversarialSettings
from headwater.schema import Schema

__all__ = ["check_private", "recipe_of", "splits_of"]

# Each cell of a numeric column's public grid is noised: many hold nothing else.
_CELLS_UNDER_NOISE = 256


def recipe_of(
    schema: Schema, kind: RecipeKind | None = None, rounds: int | None = None, *, private: bool = False
) -> RecipeSettings:
    """A recipe with every setting that is not named at its default.

    Args:
        schema: of the plan.
        kind: what is fitted; None for what the schema's tables are fitted best by.
        rounds: of training at the organisations, or of a critic by noisy sums; None leaves the kind's own number.
        private: whether the plan has a privacy budget: noise wants fewer cells.

    Raises:
        InputError: rounds are named for a kind that trains nothing at the organisations, or none for pictures; the kind
            or the table has no form under a privacy budget.
    """
    if private:
        check_private(schema, kind)
    wanted = kind or (PRIVATE_KINDS[0] if private else _default_kind(schema))
    recipe = RecipeSettings(kind=wanted)
    if private:
        recipe = recipe.model_copy(update={"encoding": EncodingSettings(grid_cells=_CELLS_UNDER_NOISE)})
    if rounds is None:
        return recipe
    if private and wanted == "hybrid":
        return recipe.model_copy(update={"private": PrivateSettings(critic=_critic_of(rounds))})
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


def _critic_of(steps: int) -> CriticSettings:
    try:
        return CriticSettings(steps=steps)
    except ValidationError as error:
        raise InputError(f"a critic under a budget takes 2 to 900 steps, {steps} were asked for") from error


def check_private(schema: Schema, kind: RecipeKind | None) -> None:
    """Refuse a kind, or a table, that has no recipe under a privacy budget; None is the default kind.

    Raises:
        InputError: it has none; the line says what to choose.
    """
    if kind is not None and kind not in PRIVATE_KINDS:
        raise InputError(
            f"the recipe {kind} has no form under a privacy budget; choose {' or '.join(PRIVATE_KINDS)}, or give no "
            "budget"
        )
    if schema.images:
        raise InputError(
            f"no recipe for pictures has a form under a privacy budget; leave {schema.images[0].name!r} out of the "
            "schema, or give no budget"
        )


def _default_kind(schema: Schema) -> RecipeKind:
    """The kind that was measured to be best: a mixture for pictures, else the settings' own default."""
    return "mixture" if schema.images else RecipeSettings().kind


def splits_of(*, private: bool) -> SplitShares:
    """Shares of each organisation's rows where a plan names none: under a budget no row validates anything."""
    return SplitShares(train=0.95, validation=0.0, audit=0.05) if private else SplitShares()
