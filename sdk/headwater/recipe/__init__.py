"""What a run asks, round by round: pure code, sums in, the next task or the model out."""

from headwater.recipe.actions import Action, Aggregate, Done, Fit, Judge, Merge, ModelReport, Refine
from headwater.recipe.machine import Recipe, build_recipe

__all__ = ["Action", "Aggregate", "Done", "Fit", "Judge", "Merge", "ModelReport", "Recipe", "Refine", "build_recipe"]
