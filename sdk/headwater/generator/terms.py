"""The numbers that local training asks a plan for."""

from typing import Literal, Protocol

from headwater.generator.losses import LossName

__all__ = ["TrainingTerms"]


class TrainingTerms(Protocol):
    """The numbers of local training; `headwater.recipe.settings.UpdateSettings` has them."""

    @property
    def loss(self) -> LossName:
        """Which adversarial loss."""

    @property
    def adversarial_weight(self) -> float:
        """Weight of the adversarial loss; 0 trains no critic."""

    @property
    def local_steps(self) -> int:
        """Generator steps."""

    @property
    def batch(self) -> int:
        """Rows a step that the critic sees."""

    @property
    def generator_rate(self) -> float:
        """Learning rate of the generator."""

    @property
    def critic_rate(self) -> float:
        """Learning rate of the critic."""

    @property
    def final_rate(self) -> float:
        """Both rates in the last round, as a share of the first's."""

    @property
    def warm_up(self) -> int:
        """Steps of linear warm-up at the start of each round, as Adam starts afresh."""

    @property
    def critic_steps(self) -> int:
        """Critic steps for each generator step."""

    @property
    def beta1(self) -> float:
        """Adam's first moment decay."""

    @property
    def penalty(self) -> float:
        """Weight of the critic's gradient penalty."""

    @property
    def penalty_every(self) -> int:
        """Critic steps from one penalty to the next; its weight grows by the same factor."""

    @property
    def temperature(self) -> float:
        """Of the Gumbel softmax."""

    @property
    def instance_noise(self) -> float:
        """Standard deviation of noise on what the critic sees, in the first round; 0 in the last."""

    @property
    def anchor(self) -> float:
        """Weight of staying with the shared generator's marginals."""

    @property
    def moments(self) -> float:
        """Weight of the moments of the organisation's own rows."""

    @property
    def moments_batch(self) -> int:
        """Latents a step that moments are taken over."""

    @property
    def information(self) -> float:
        """Weight of means and deviations of the critic's features."""

    @property
    def condition_loss(self) -> float:
        """Weight of making what was wished for."""

    @property
    def condition_frequency(self) -> Literal["share", "log"]:
        """How often a code is wished for: as often as rows have it, or by the logarithm of that."""

    @property
    def autocast(self) -> bool:
        """Whether products are of bfloat16."""
