"""The refined mixture that comes with a task, held to the approved plan."""

from headwater.errors import InputError, PeerError
from headwater.generator.refiner.model import RefinedMixture
from headwater.generator.refiner.network import RefinerShape
from headwater.recipe.settings import RecipeTerms

__all__ = ["refined_of"]


def refined_of(model: bytes, plan: RecipeTerms) -> RefinedMixture:
    """Read a refined mixture with its critic.

    Args:
        model: the bytes that came with a task.
        plan: as approved.

    Raises:
        PeerError: the bytes are unusable, or the networks or the label are not the plan's.
    """
    try:
        refined = RefinedMixture.from_bytes(model)
    except InputError as error:
        raise PeerError(f"the task's model is unusable: {error}") from error
    terms = plan.recipe.refiner
    if refined.shape != RefinerShape(terms.noise, terms.width, terms.critic_width):
        raise PeerError("the task's networks are not of the shape that the plan names; compare the versions")
    if refined.mixture.form.label not in (None, plan.schema_.target_index) or not len(refined.critic):
        raise PeerError("the task's model has another label than the plan, or no critic")
    return refined
