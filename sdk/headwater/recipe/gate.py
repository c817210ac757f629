"""Whether a round's merged model is taken."""

from collections.abc import Mapping

from headwater.recipe.health import Flag, Watch
from headwater.recipe.settings import RecipeSettings

__all__ = ["Gate"]


class Gate:
    """The marginal gate and the signs of a round together. Pure."""

    def __init__(self, settings: RecipeSettings, first: Mapping[str, float]) -> None:
        """Begin with what was measured on the model before the first round.

        Args:
            settings: of the plan.
            first: its signs, "marginal_loss" among them.
        """
        self._settings = settings
        self._watch = Watch(settings.health, first, settings.training.clip)
        # Small steps backwards must not add up: the least loss of a model taken so far is what counts.
        self._best_loss = first["marginal_loss"]

    def flags(self, signs: Mapping[str, float]) -> tuple[Flag, ...]:
        """What is wrong with a merged model, () where nothing is.

        Source: generator.md, the marginal gate.
        """
        found = self._watch.flags(signs)
        # Training from scratch has no base to fall behind: its first model is the 1-way marginals themselves.
        settings = self._settings
        worst = self._best_loss * (1 + settings.training.tolerance)
        if settings.refines:
            # A mixture's draws are so near to its marginals that a share of the distance would allow nothing.
            worst = self._best_loss + settings.refiner.drift
        if "not finite" not in found and settings.kind == "hybrid" and signs["marginal_loss"] > worst:
            return ("worse", *found)
        return found

    def take(self, signs: Mapping[str, float]) -> None:
        """Remember a model that was taken."""
        self._best_loss = min(self._best_loss, signs["marginal_loss"])
        self._watch.take(signs)
