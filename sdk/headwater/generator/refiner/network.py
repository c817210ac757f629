"""The two networks over a mixture's draws: what moves them, and what tells them from rows."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, silu

from headwater.errors import InputError
from headwater.generator.refiner.features import Features

__all__ = ["SLOPE", "STAYS", "Refiner", "RefinerShape", "RowCritic"]

STAYS = 12.0
"""Logit that a drawn code starts with: left alone, one draw in a few thousand changes a code by chance."""

SLOPE = 0.2
"""Of the critic's leaky rectifiers."""
_MOST = 4096


@dataclass(frozen=True, slots=True)
class RefinerShape:
    """Widths of the networks.

    Attributes:
        noise: values of noise beside a draw.
        width: of the refiner's two hidden layers.
        critic_width: of the critic's two hidden layers.
    """

    noise: int
    width: int
    critic_width: int

    def __post_init__(self) -> None:
        """Check the ranges; a shape may come from a peer."""
        numbers: tuple[Any, ...] = (self.noise, self.width, self.critic_width)
        if any(type(number) is not int or not 1 <= number <= _MOST for number in numbers):
            raise InputError(f"a refiner's widths are whole numbers from 1 to {_MOST}; fetch it again")

    def refiner_weights(self, features: Features) -> int:
        """Weights of a refiner of this shape, counted without building it."""
        moved = features.cells + features.scores
        entry = (features.width + self.noise + 1) * self.width
        return entry + (self.width + 1) * self.width + (self.width + 1) * moved

    def critic_weights(self, features: Features) -> int:
        """Weights of a critic of this shape, counted without building it."""
        return (
            (features.width + 1) * self.critic_width
            + (self.critic_width + 1) * self.critic_width
            + (self.critic_width + 1)
        )


class Refiner(nn.Module):
    """Moves the scores of a draw and may change its codes, never its class.

    Its last layer starts at zero, so that it starts as the identity.
    """

    def __init__(self, features: Features, shape: RefinerShape) -> None:
        super().__init__()
        self.features = features
        self.noise = shape.noise
        self.entry = nn.Linear(features.width + shape.noise, shape.width)
        self.middle = nn.Linear(shape.width, shape.width)
        self.exit = nn.Linear(shape.width, features.cells + features.scores)
        nn.init.zeros_(self.exit.weight)
        nn.init.zeros_(self.exit.bias)

    def forward(self, draws: Tensor, temperature: float, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Refined draws, codes hard forwards and soft backwards, and how far each was pushed.

        Args:
            draws: shape (batch, width).
            temperature: of the softmax that gradients go through.
            random: of noise and codes.

        Returns:
            Shape (batch, width), and the residuals, shape (batch, cells + scores).

        Source: straight-through Gumbel softmax, Jang et al. 2017 (arXiv:1611.01144).
        """
        features = self.features
        noise = torch.randn(len(draws), self.noise, generator=random)
        hidden = silu(self.entry(torch.cat([draws, noise], dim=1)))
        pushed = self.exit(silu(self.middle(hidden)))
        cells = features.cells
        parts = [draws[:, : features.classes]]
        if cells:
            kept = draws[:, features.classes : features.classes + cells]
            parts.append(self._codes(kept * STAYS + pushed[:, :cells], temperature, random))
        parts.append(draws[:, features.classes + cells :] + pushed[:, cells:])
        return torch.cat(parts, dim=1), pushed

    def _codes(self, logits: Tensor, temperature: float, random: torch.Generator) -> Tensor:
        """One code a unit, all units in one softmax: shape (batch, cells)."""
        padded, batch = self.features.padded, len(logits)
        uniform = torch.rand(logits.shape, generator=random).clamp_(1e-9, 1 - 1e-7)
        noisy = torch.cat([logits - torch.log(-torch.log(uniform)), torch.full((batch, 1), -1e9)], dim=1)[:, padded]
        soft = (noisy / temperature).softmax(dim=2)
        hard = torch.zeros_like(soft).scatter_(2, noisy.argmax(dim=2, keepdim=True), 1.0)
        through = (hard - soft.detach() + soft).reshape(batch, -1)
        places = padded.reshape(1, -1).expand(batch, -1)
        return torch.zeros(batch, self.features.cells + 1).scatter_add(1, places, through)[:, :-1]


class RowCritic(nn.Module):
    """A row's vector to one number: how real it looks."""

    def __init__(self, features: Features, shape: RefinerShape) -> None:
        super().__init__()
        self.entry = nn.Linear(features.width, shape.critic_width)
        self.middle = nn.Linear(shape.critic_width, shape.critic_width)
        self.exit = nn.Linear(shape.critic_width, 1)

    def forward(self, vectors: Tensor) -> Tensor:
        """Shape (batch, width) to shape (batch,)."""
        hidden = leaky_relu(self.entry(vectors), SLOPE)
        out: Tensor = self.exit(leaky_relu(self.middle(hidden), SLOPE)).squeeze(1)
        return out
