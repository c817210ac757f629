"""Adversarial losses by name, and the penalties that keep a critic smooth."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import softplus

__all__ = ["AdversarialLoss", "LossName"]

LossName = Literal["r3", "wgan-gp", "classic"]


@dataclass(frozen=True, slots=True)
class AdversarialLoss:
    """One pair of losses.

    Attributes:
        name: "r3": relativistic pairing with R1 and R2 (Huang et al. 2024, arXiv:2501.05441); "wgan-gp": Wasserstein
            with gradient penalty (Gulrajani et al. 2017, arXiv:1704.00028); "classic": cross-entropy, non-saturating
            (Goodfellow et al. 2014, arXiv:1406.2661), with the same R1 and R2.
        penalty: weight of the penalty, γ of R1 and R2 or λ of the gradient penalty; where the penalty is taken every
            so many steps only, so many times as large (lazy regularisation, Karras et al. 2020, arXiv:1912.04958).
        packing: rows that the critic judges together; a gradient is that of one score by its whole pack.
    """

    name: LossName
    penalty: float
    packing: int = 1

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

    def smoothness(
        self, critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, random: torch.Generator
    ) -> Tensor:
        """The penalty on the critic's gradient, weighted.

        Args:
            critic: rows to scores, one for each pack of rows.
            real: shape (batch, codes); batch is a multiple of the packing.
            fake: as `real`.
            random: of the points between real and generated rows.
        """
        if self.name == "wgan-gp":
            mix = torch.rand(len(real) // self.packing, generator=random).to(real.device)
            mix = mix.repeat_interleave(self.packing)[:, None]
            norms: Tensor = torch.linalg.vector_norm(self._gradient(critic, mix * real + (1 - mix) * fake), dim=1)
            excess: Tensor = (norms - 1).square().mean()
            return self.penalty * excess
        squares = self._gradient(critic, real).square().sum(dim=1) + self._gradient(critic, fake).square().sum(dim=1)
        return self.penalty / 2 * squares.mean()

    def _gradient(self, critic: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
        """Shape (packs, packing × codes)."""
        points = points.detach().requires_grad_(True)
        gradients: tuple[Tensor, ...] = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
        return gradients[0].reshape(len(points) // self.packing, -1)
