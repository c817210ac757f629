"""Train generator and critic on one organisation's rows for some steps, from the shared weights."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from headwater.errors import InputError
from headwater.generator.losses import AdversarialLoss, LossName
from headwater.generator.model import Model, pick_device
from headwater.generator.network import Critic, Generator, flat_parameters

__all__ = ["LocalUpdate", "TrainingTerms", "train_locally"]

_ANCHOR_BATCH = 1024
_ANCHOR_BATCHES = 8
_SMOOTHING = 1e-3


class TrainingTerms(Protocol):
    """The numbers of local training; `headwater.recipe.settings.UpdateSettings` has them."""

    @property
    def loss(self) -> LossName:
        """Which adversarial loss."""

    @property
    def local_steps(self) -> int:
        """Generator steps."""

    @property
    def batch(self) -> int:
        """Rows a step."""

    @property
    def generator_rate(self) -> float:
        """Learning rate of the generator."""

    @property
    def critic_rate(self) -> float:
        """Learning rate of the critic."""

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
    def anchor(self) -> float:
        """Weight of staying with the shared generator's marginals."""


@dataclass(frozen=True, slots=True, eq=False)
class LocalUpdate:
    """What one organisation's training changed.

    Attributes:
        delta: float32, generator's parameters then critic's, new minus shared. May hold NaN if training broke.
    """

    delta: NDArray[np.float32]


def train_locally(
    model: Model, codes: NDArray[np.int32], terms: TrainingTerms, seed: int, device: str = "auto"
) -> LocalUpdate:
    """Train from the shared weights with fresh optimisers; nothing is kept from earlier rounds (protocol 4.2).

    The shared generator's own pair marginals are the anchor: they are drawn from it here, so no organisation is told
    the others' counts and still no organisation's label shares pull the shared generator away.

    Args:
        model: with a critic.
        codes: int32, shape (rows, columns): this organisation's training rows.
        terms: losses, rates, steps.
        seed: of noise and batches; equal seeds give equal bits on one machine's CPU.
        device: "auto", "cpu" or "cuda".

    Raises:
        InputError: no rows, codes that the model does not know, no critic, no such device.
    """
    sizes = np.asarray(model.spec.sizes)
    if codes.ndim != 2 or codes.shape[1] != len(sizes) or not len(codes):
        raise InputError(f"local training needs rows of {len(sizes)} columns; encode the table with the run's encoding")
    if codes.min() < 0 or bool((codes.max(axis=0) >= sizes).any()):
        raise InputError("a code lies outside its column's range; encode the table with the run's encoding")
    place = pick_device(device)
    generator, critic = model.build_generator(place, average=False), model.build_critic(place)
    random = torch.Generator().manual_seed(seed)
    before = torch.cat([flat_parameters(generator), flat_parameters(critic)])
    _train(generator, critic, torch.from_numpy(codes.astype(np.int64)).to(place), terms, random)
    after = torch.cat([flat_parameters(generator), flat_parameters(critic)])
    return LocalUpdate((after - before).numpy())


def _train(generator: Generator, critic: Critic, rows: Tensor, terms: TrainingTerms, random: torch.Generator) -> None:
    loss = AdversarialLoss(terms.loss, terms.penalty * terms.penalty_every)
    betas = (terms.beta1, 0.99)
    generator_steps = torch.optim.Adam(generator.parameters(), lr=terms.generator_rate, betas=betas)
    critic_steps = torch.optim.Adam(critic.parameters(), lr=terms.critic_rate, betas=betas)
    anchor = _Anchor(generator, random) if terms.anchor > 0 else None
    offsets = torch.from_numpy(generator.spec.offsets[:-1]).to(rows.device)
    width = int(generator.spec.offsets[-1])

    def real_batch() -> Tensor:
        chosen = torch.randint(len(rows), (terms.batch,), generator=random).to(rows.device)
        one_hot = torch.zeros(terms.batch, width, device=rows.device)
        return one_hot.scatter_(1, rows[chosen] + offsets, 1.0)

    def fake_batch() -> Tensor:
        return generator.soft_draws(generator.noise(terms.batch, random), terms.temperature, random)

    done = 0
    for _ in range(terms.local_steps):
        for _ in range(terms.critic_steps):
            real, fake = real_batch(), fake_batch().detach()
            critic_loss = loss.critic(critic(real), critic(fake))
            if done % terms.penalty_every == 0:
                critic_loss = critic_loss + loss.smoothness(critic, real, fake, random)
            _step(critic_steps, critic_loss)
            done += 1
        generator_loss = loss.generator(critic(real_batch()).detach(), critic(fake_batch()))
        if anchor is not None:
            generator_loss = generator_loss + terms.anchor * anchor.loss(generator, random)
        _step(generator_steps, generator_loss)


def _step(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()


class _Anchor:
    """The shared generator's 1-way and pair shares, and how far a batch is from them."""

    def __init__(self, generator: Generator, random: torch.Generator) -> None:
        with torch.no_grad():
            moments = [self._moments(generator, random) for _ in range(_ANCHOR_BATCHES)]
        self._ones = torch.stack([ones for ones, _ in moments]).mean(dim=0)
        self._pairs = torch.stack([pairs for _, pairs in moments]).mean(dim=0)
        columns = len(generator.spec.sizes)
        self._ones_weight = (self._ones + _SMOOTHING).rsqrt()
        self._pairs_weight = (self._pairs + _SMOOTHING).rsqrt() / columns

    @staticmethod
    def _moments(generator: Generator, random: torch.Generator) -> tuple[Tensor, Tensor]:
        codes = generator.codes(generator.unit_probabilities(generator.noise(_ANCHOR_BATCH, random)))
        return codes.mean(dim=0), codes.T @ codes / len(codes)

    def loss(self, generator: Generator, random: torch.Generator) -> Tensor:
        ones, pairs = self._moments(generator, random)
        away = (self._ones_weight * (ones - self._ones).abs()).sum()
        return (away + (self._pairs_weight * (pairs - self._pairs).abs()).sum()) / len(generator.spec.sizes)
