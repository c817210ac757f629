"""Train refiner and critic on one organisation's rows for some steps, from the shared weights."""

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import softplus

from headwater.errors import InputError
from headwater.generator.local_update import Discernment, LocalUpdate
from headwater.generator.network import flat_parameters
from headwater.generator.refiner.model import RefinedMixture
from headwater.generator.refiner.network import Refiner, RowCritic
from headwater.mixture.form import RowFeatures
from headwater.mixture.sampling import Draws

__all__ = ["RefinerTerms", "draws_of_classes", "train_refiner"]

_POOL = 8192


class RefinerTerms(Protocol):
    """The numbers of local training; `headwater.recipe.settings.UpdateSettings` has them."""

    @property
    def local_steps(self) -> int:
        """Steps of the critic, and as many of the refiner."""

    @property
    def batch(self) -> int:
        """Rows a step."""

    @property
    def critic_rate(self) -> float:
        """Learning rate of the critic."""

    @property
    def generator_rate(self) -> float:
        """Learning rate of the refiner; 0 leaves it the identity."""

    @property
    def penalty(self) -> float:
        """Weight of the critic's squared gradient at rows and draws."""

    @property
    def penalty_every(self) -> int:
        """Steps from one penalty to the next; its weight grows by the same factor."""

    @property
    def anchor(self) -> float:
        """Weight of the refiner's squared pushes: the base's draws are the anchor."""

    @property
    def instance_noise(self) -> float:
        """Standard deviation of noise on what the critic sees, in the first round; 0 in the last."""

    @property
    def temperature(self) -> float:
        """Of the softmax that gradients of codes go through."""


def train_refiner(
    model: RefinedMixture, rows: RowFeatures, terms: RefinerTerms, seed: int, *, progress: float = 0.0
) -> LocalUpdate:
    """Change of refiner's weights, then critic's, after local training with fresh optimisers.

    Draws have the classes in the organisation's own shares. So the critic never learns an organisation's label shares,
    which would pull the shared refiner to every organisation's in turn.

    Args:
        model: with refiner and critic.
        rows: this organisation's training rows, at least one.
        terms: rates and steps.
        seed: of noise and batches; equal seeds give equal bits on one machine's CPU.
        progress: share of the run's training rounds that are done.

    Raises:
        InputError: there is no row.
    """
    if not len(rows.classes):
        raise InputError("local training needs rows; contribute nothing where there is none")
    features = model.features
    random = torch.Generator().manual_seed(seed)
    real = features.tensor(rows)
    pool = _pool(model, rows, min(_POOL, terms.local_steps * terms.batch), seed)
    refiner, critic = model.build_refiner(), model.build_critic()
    before = torch.cat([flat_parameters(refiner), flat_parameters(critic)])
    discernment = _train(refiner, critic, real, pool, terms, random, terms.instance_noise * (1 - progress))
    after = torch.cat([flat_parameters(refiner), flat_parameters(critic)])
    return LocalUpdate((after - before).numpy(), discernment.share)


def draws_of_classes(model: RefinedMixture, counts: NDArray[np.int64], random: np.random.Generator) -> RowFeatures:
    """Draws of the base, so many of each class; none of a class that the mixture does not have."""
    draws = Draws(model.mixture)
    present = [part.stop > part.start for part in model.mixture.class_slices]
    chosen = [
        draws.components(int(count), random, label) for label, count in enumerate(counts) if count and present[label]
    ]
    return draws.calibrated(draws.features(np.concatenate([np.zeros(0, np.int64), *chosen]), random))


def _pool(model: RefinedMixture, rows: RowFeatures, size: int, seed: int) -> Tensor:
    shares = np.bincount(rows.classes, minlength=model.features.classes) / len(rows.classes)
    drawn = draws_of_classes(model, np.rint(shares * size).astype(np.int64), np.random.default_rng(seed))
    return model.features.tensor(drawn)


def _train(
    refiner: Refiner,
    critic: RowCritic,
    real: Tensor,
    pool: Tensor,
    terms: RefinerTerms,
    random: torch.Generator,
    noise: float,
) -> Discernment:
    discernment = Discernment()
    if not len(pool):
        # Nobody had this organisation's classes when the mixture was made: it has nothing to compare with.
        return discernment
    critic_steps = torch.optim.Adam(critic.parameters(), lr=terms.critic_rate, betas=(0.0, 0.99), fused=True)
    refiner_steps = torch.optim.Adam(refiner.parameters(), lr=terms.generator_rate, betas=(0.0, 0.99), fused=True)

    def some(rows: Tensor) -> Tensor:
        return rows[torch.randint(len(rows), (terms.batch,), generator=random)]

    def seen(rows: Tensor) -> Tensor:
        # Source: instance noise, Sønderby et al. 2017 (arXiv:1610.04490).
        return rows + noise * torch.randn(rows.shape, generator=random) if noise > 0 else rows

    half = terms.batch // 2
    for step in range(terms.local_steps):
        with torch.no_grad():
            fake = some(pool)
            if terms.generator_rate:
                # Half of the draws stay as the base made them: the critic can then judge both alike.
                fake = torch.cat([fake[:half], refiner(fake[half:], terms.temperature, random)[0]])
        penalised = step % terms.penalty_every == 0
        _step(critic_steps, _critic_loss(critic, seen(some(real)), seen(fake), terms, penalised, discernment))
        if terms.generator_rate:
            refined, pushed = refiner(some(pool), terms.temperature, random)
            with torch.no_grad():
                level = critic(seen(some(real)))
            loss = softplus(level - critic(seen(refined))).mean() + terms.anchor * pushed.square().mean()
            _step(refiner_steps, loss)
    return discernment


def _critic_loss(
    critic: RowCritic, real: Tensor, fake: Tensor, terms: RefinerTerms, penalised: bool, discernment: Discernment
) -> Tensor:
    """Relativistic pairing, and R1 and R2 now and then.

    Source: Huang et al. 2024 (arXiv:2501.05441). At its minimum the critic is the log-ratio of the densities, up to a
    constant.
    """
    penalised = penalised and terms.penalty > 0
    if penalised:
        real, fake = real.requires_grad_(True), fake.requires_grad_(True)
    of_real, of_fake = critic(real), critic(fake)
    discernment.add(of_real, of_fake)
    if not penalised:
        return softplus(of_fake - of_real).mean()
    slopes = torch.autograd.grad(of_real.sum() + of_fake.sum(), [real, fake], create_graph=True)
    squares = slopes[0].square().sum(dim=1).mean() + slopes[1].square().sum(dim=1).mean()
    weighted: Tensor = terms.penalty * terms.penalty_every / 2 * squares
    return softplus(of_fake - of_real).mean() + weighted


def _step(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
