"""What a plan asks of each organisation's own machine, for those who approve or propose it."""

from dataclasses import dataclass

from headwater.recipe.lifted import convolution_spec
from headwater.recipe.settings import RecipeTerms

__all__ = ["LocalTraining", "local_training"]


@dataclass(frozen=True, slots=True)
class LocalTraining:
    """Training on an organisation's own rows.

    Attributes:
        rounds: of training.
        local_steps: steps of an organisation in a round.
        batch: rows of a step.
        clip: Euclidean norm that its update is clipped to.
        remedies: most steps of each remedy after a sick round; 0 where there are none.
        pictures: whether a network of pixels is trained in place of one of tables.
    """

    rounds: int
    local_steps: int
    batch: int
    clip: float
    remedies: int
    pictures: bool


def local_training(terms: RecipeTerms) -> LocalTraining | None:
    """The training that a plan asks for; None where organisations are asked for sums alone."""
    if terms.privacy != "none":
        return None
    recipe = terms.recipe
    clip = recipe.training.clip
    if convolution_spec(terms) is not None:
        own = recipe.images.convolution
        return LocalTraining(own.rounds, own.local_steps, own.batch, clip, 0, pictures=True)
    if not recipe.training_rounds:
        return None
    training = recipe.training
    return LocalTraining(
        recipe.training_rounds, training.local_steps, training.batch, clip, recipe.health.remedies, pictures=False
    )
