"""Whether a round's merged model is taken."""

import math

from headwater.recipe.actions import ModelReport
from headwater.recipe.settings import RecipeSettings

__all__ = ["refusal"]


def refusal(settings: RecipeSettings, best_loss: float, report: ModelReport) -> str:
    """Why the merged model is not taken, "" if it is.

    Args:
        settings: of the plan.
        best_loss: least marginal loss of a model taken so far, so that small steps backwards do not add up.
        report: what was measured on the merged model.

    Source: generator.md, the marginal gate.
    """
    if not math.isfinite(report.marginal_loss):
        return "the merged model is not finite"
    # Training from scratch has no base to fall behind: its first model is the 1-way marginals themselves.
    if settings.kind == "hybrid" and report.marginal_loss > best_loss * (1 + settings.update.tolerance):
        return "it worsens the marginal loss by more than the plan allows"
    return ""
