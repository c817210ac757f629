"""What a run asks, round by round: pure code, sums in, the next task or the model out."""

from headwater.recipe.actions import Action, Aggregate, Done, Fit, Merge, ModelReport
from headwater.recipe.machine import Recipe, build_recipe

__all__ = ["Action", "Aggregate", "Done", "Fit", "Merge", "ModelReport", "Recipe", "build_recipe"]
