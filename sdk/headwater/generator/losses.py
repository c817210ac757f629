"""Adversarial losses by name, and the penalties that keep a critic smooth."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import softplus

from headwater.generator.network import Critic

__all__ = ["AdversarialLoss", "LossName"]

LossName = Literal["r3", "wgan-gp", "classic"]


@dataclass(frozen=True, slots=True)
class AdversarialLoss:
    """One pair of losses.

    Attributes:
        name: "r3": relativistic pairing with R1 and R2 (Huang et al. 2024, arXiv:2501.05441); "wgan-gp": Wasserstein
            with gradient penalty (Gulrajani et al. 2017); "classic": cross-entropy, non-saturating (Goodfellow et
            al. 2014), with the same R1 and R2.
        penalty: weight of the penalty.
    """

    name: LossName
    penalty: float

    def generator(self, real: Tensor, fake: Tensor) -> Tensor:
        """What the generator minimises, from the critic's scores of real and generated rows, shape (batch,)."""
        match self.name:
            case "r3":
                return softplus(real - fake).mean()
            case "wgan-gp":
                return -fake.mean()
            case "classic":
                return softplus(-fake).mean()

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        """What the critic minimises, without the penalty."""
        match self.name:
            case "r3":
                return softplus(fake - real).mean()
            case "wgan-gp":
                return fake.mean() - real.mean()
            case "classic":
                return (softplus(-real) + softplus(fake)).mean()

    def smoothness(self, critic: Critic, real: Tensor, fake: Tensor, random: torch.Generator) -> Tensor:
        """The penalty on the critic's gradient, weighted."""
        if self.name == "wgan-gp":
            mix = torch.rand(len(real), 1, generator=random).to(real.device)
            norms: Tensor = torch.linalg.vector_norm(_gradient(critic, mix * real + (1 - mix) * fake), dim=1)
            excess: Tensor = (norms - 1).square().mean()
            return self.penalty * excess
        squares = _gradient(critic, real).square().sum(dim=1) + _gradient(critic, fake).square().sum(dim=1)
        return self.penalty / 2 * squares.mean()


def _gradient(critic: Critic, points: Tensor) -> Tensor:
    points = points.detach().requires_grad_(True)
    gradients: tuple[Tensor, ...] = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    return gradients[0]
