"""An organisation's share of the noise that a sum carries (protocol 2.4)."""

import numpy as np
from numpy.typing import NDArray

from headwater.privacy.discrete_gaussian import Entropy, discrete_gaussian
from headwater.privacy.shares import honest_members, share_of_noise
from headwater.recipe.private_steps import private_budget
from headwater.recipe.settings import RecipeTerms
from headwater.recipe.task import TaskNoise

__all__ = ["noise_of"]


def noise_of(cells: int, noise: TaskNoise, plan: RecipeTerms, members: int, entropy: Entropy) -> NDArray[np.int64]:
    """Fresh noise for each cell: int64, shape (cells,).

    Args:
        cells: how many.
        noise: that the sum must carry.
        plan: as approved.
        members: of the session.
        entropy: the operating system's.

    Raises:
        InputError: so few members cannot share it.
    """
    honest = honest_members(private_budget(plan), members, plan.colluders)
    return discrete_gaussian(cells, share_of_noise(noise.variance, honest), entropy)
