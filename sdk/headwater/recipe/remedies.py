"""What is changed about local training when a round was sick: a ladder that the plan bounds."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Self

from headwater.errors import InputError
from headwater.recipe.health import Flag
from headwater.recipe.settings import UpdateSettings

__all__ = ["Remedies"]

_LEAST_BETA1 = 0.05
# Of codes that are 0 or 1 and of normal scores: rows and draws overlap more, what sets codes apart stays visible.
_NOISE = 0.1
_REMEDIES: Mapping[Flag, tuple[str, ...]] = {
    "collapse": ("collapse",),
    "strong critic": ("critic",),
    "oscillation": ("oscillation",),
    "explosion": ("explosion",),
    "not finite": ("explosion",),
    "worse": ("collapse",),
}


@dataclass(frozen=True, slots=True)
class Remedies:
    """How many steps of each remedy are in force.

    A Task carries these numbers and nothing else of a remedy: the settings that an organisation then trains with
    follow from its approved plan, so a coordinator can ask for no others.

    Attributes:
        collapse: each step halves the generator's rate and triples the critic's gradient penalty.
        critic: each step halves the critic's steps, its rate where it takes one step already, and adds to the noise on
            what it sees.
        oscillation: each step halves Adam's first moment, and the generator's rate where there is none.
        explosion: each step halves the clip norm.
    """

    collapse: int = 0
    critic: int = 0
    oscillation: int = 0
    explosion: int = 0

    def after(self, flags: tuple[Flag, ...], most: int) -> Self:
        """The ladder after a round with these flags, no remedy above `most` steps."""
        chosen = {name for flag in flags for name in _REMEDIES.get(flag, ())}
        return replace(self, **{name: min(getattr(self, name) + 1, most) for name in chosen})

    def applied(self, settings: UpdateSettings) -> UpdateSettings:
        """The plan's settings with the remedies in force."""
        rate, steps = settings.generator_rate / 2**self.collapse, settings.critic_steps
        critic_rate, beta1 = settings.critic_rate, settings.beta1
        for _ in range(self.critic):
            if steps > 1:
                steps = (steps + 1) // 2
            else:
                critic_rate /= 2
        for _ in range(self.oscillation):
            if beta1 >= _LEAST_BETA1:
                beta1 /= 2
            else:
                rate /= 2
        changes: dict[str, object] = {
            "generator_rate": rate,
            "penalty": settings.penalty * 3**self.collapse,
            "critic_steps": steps,
            "critic_rate": critic_rate,
            "instance_noise": settings.instance_noise + _NOISE * self.critic,
            "beta1": beta1,
            "clip": settings.clip / 2**self.explosion,
        }
        return settings.model_copy(update=changes)

    def to_document(self) -> dict[str, int]:
        """JSON values: the remedies in force."""
        return {name: steps for name, steps in asdict(self).items() if steps}

    @classmethod
    def from_document(cls, document: object, most: int) -> Self:
        """Read what a Task carries.

        Args:
            document: parsed JSON.
            most: steps that the plan allows of each remedy.

        Raises:
            InputError: not remedies, or more of one than the plan allows.
        """
        names = {field.name for field in fields(cls)}
        if not isinstance(document, dict) or not set(document) <= names:
            raise InputError("remedies are not of a kind that a plan has")
        if any(type(steps) is not int or not 1 <= steps <= most for steps in document.values()):
            raise InputError(f"a remedy goes further than the {most} steps that the plan allows")
        return cls(**document)
