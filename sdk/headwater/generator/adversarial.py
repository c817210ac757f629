"""Train generator and critic on one organisation's rows for some steps, from the shared weights."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from headwater.errors import InputError
from headwater.generator.anchor import Anchor
from headwater.generator.auxiliary import RowMoments, condition_loss, information_loss
from headwater.generator.local_rows import Batch, RowSource
from headwater.generator.local_update import Discernment, LocalUpdate
from headwater.generator.losses import AdversarialLoss
from headwater.generator.model import Model, pick_device
from headwater.generator.network import Critic, Generator, flat_parameters
from headwater.generator.terms import TrainingTerms

__all__ = ["train_locally"]

_BETA2 = 0.99


def train_locally(
    model: Model,
    codes: NDArray[np.int32],
    terms: TrainingTerms,
    seed: int,
    device: str = "auto",
    *,
    progress: float = 0.0,
    proximal: float = 0.0,
) -> LocalUpdate:
    """Train from the shared weights with fresh optimisers; nothing is kept from earlier rounds (protocol 4.2).

    Args:
        model: with a critic.
        codes: int32, shape (rows, columns): this organisation's training rows.
        terms: losses, rates, steps.
        seed: of noise and batches; equal seeds give equal bits on one machine's CPU.
        device: "auto", "cpu" or "cuda".
        progress: share of the run's training rounds that are done, 0 in the first and towards 1 in the last.
        proximal: weight of staying with the shared weights, μ of FedProx; 0 for none.

    Raises:
        InputError: no rows, codes that the model does not know, no critic, no such device.

    Source: the proximal term, Li et al. 2020 (arXiv:1812.06127): μ/2 · ‖w − shared‖² beside the loss.
    """
    sizes = np.asarray(model.spec.sizes)
    if codes.ndim != 2 or codes.shape[1] != len(sizes) or not len(codes):
        raise InputError(f"local training needs rows of {len(sizes)} columns; encode the table with the run's encoding")
    if codes.min() < 0 or bool((codes.max(axis=0) >= sizes).any()):
        raise InputError("a code lies outside its column's range; encode the table with the run's encoding")
    place = pick_device(device)
    generator, critic = model.build_generator(place, average=False), model.build_critic(place)
    before = torch.cat([flat_parameters(generator), flat_parameters(critic)])
    training = _Training(
        generator, critic, torch.from_numpy(codes.astype(np.int64)).to(place), terms, seed, progress, proximal
    )
    training.run()
    after = torch.cat([flat_parameters(generator), flat_parameters(critic)])
    return LocalUpdate((after - before).numpy(), training.discernment.share)


class _Training:
    """One organisation's steps of one round."""

    def __init__(
        self,
        generator: Generator,
        critic: Critic,
        rows: Tensor,
        terms: TrainingTerms,
        seed: int,
        progress: float,
        proximal: float,
    ) -> None:
        self._generator, self._critic, self._terms, self._proximal = generator, critic, terms, proximal
        self._random = random = torch.Generator().manual_seed(seed)
        self._rate = terms.final_rate + (1 - terms.final_rate) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
        self._noise = terms.instance_noise * (1 - min(1.0, progress))
        self._loss = AdversarialLoss(terms.loss, terms.penalty * terms.penalty_every, critic.packing)
        self._rows = RowSource(generator, rows, terms.condition_frequency)
        self._anchor = Anchor(generator, random) if terms.anchor > 0 else None
        self._moments = RowMoments(generator, rows, random) if terms.moments > 0 else None
        self._batch = max(critic.packing, terms.batch - terms.batch % critic.packing)
        self._learners: list[tuple[torch.optim.Optimizer, torch.nn.Module, float]] = [
            (self._adam(generator, terms.generator_rate), generator, terms.generator_rate)
        ]
        if terms.adversarial_weight > 0:
            self._learners.append((self._adam(critic, terms.critic_rate), critic, terms.critic_rate))
        self._shared = [[each.detach().clone() for each in network.parameters()] for _, network, _ in self._learners]
        self._critic_done = 0
        self.discernment = Discernment()

    def run(self) -> None:
        """All steps."""
        for step in range(self._terms.local_steps):
            warmth = min(1.0, (step + 1) / (self._terms.warm_up + 1))
            for optimiser, _, rate in self._learners:
                optimiser.param_groups[0]["lr"] = rate * self._rate * warmth
            if self._terms.adversarial_weight > 0:
                for _ in range(self._terms.critic_steps):
                    self._train_critic()
            self._train_generator()

    def _train_critic(self) -> None:
        terms, real = self._terms, self._rows.real(self._batch, self._random)
        with self._precision(), torch.no_grad():
            z = self._generator.noise(self._batch, self._random, wish=real.wish)
            fake = self._generator.soft_draws(z, terms.temperature, self._random)
        seen, made = self._seen(real.one_hot), self._seen(fake)
        with self._precision():
            scores = self._critic(seen), self._critic(made)
            loss = self._loss.critic(*scores)
        self.discernment.add(*scores)
        if terms.penalty > 0 and self._critic_done % terms.penalty_every == 0:
            loss = loss + self._loss.smoothness(self._critic, seen, made, self._random)
        self._critic_done += 1
        self._step(1, loss)

    def _train_generator(self) -> None:
        terms, generator = self._terms, self._generator
        judged = self._rows.real(self._batch, self._random) if terms.adversarial_weight > 0 else None
        # Moments are of rows as often as the organisation has them, whatever the critic is shown.
        counted = self._rows.wishes(terms.moments_batch, self._random) if self._moments is not None else None
        parts = ([] if judged is None else [generator.noise(self._batch, self._random, wish=judged.wish)]) + (
            [] if self._moments is None else [generator.noise(terms.moments_batch, self._random, wish=counted)]
        )
        with self._precision():
            logits = generator.logits(torch.cat(parts) if parts else generator.noise(self._batch, self._random))
        loss = logits.new_zeros(())
        if judged is not None:
            loss = loss + terms.adversarial_weight * self._judgement(judged, logits[: self._batch])
        if self._moments is not None:
            probabilities = generator.softmax(logits[len(logits) - terms.moments_batch :])
            loss = loss + terms.moments * self._moments.loss(probabilities, self._random)
            if counted is not None and terms.condition_loss > 0:
                loss = loss + terms.condition_loss * condition_loss(generator.codes(probabilities), counted)
        if self._anchor is not None:
            loss = loss + terms.anchor * self._anchor.loss(generator, self._random)
        self._step(0, loss)

    def _judgement(self, real: Batch, logits: Tensor) -> Tensor:
        terms, generator, critic = self._terms, self._generator, self._critic
        fake = generator.codes(generator.drawn_units(logits, terms.temperature, self._random))
        seen, made = self._seen(real.one_hot), self._seen(fake)
        with self._precision():
            # One pass gives the features and, from them, the score.
            made_features = critic.features(made)
            with torch.no_grad():
                seen_features = critic.features(seen)
                seen_scores = critic.score(seen_features)
            made_scores = critic.score(made_features)
        loss = self._loss.generator(seen_scores, made_scores)
        if terms.information > 0:
            loss = loss + terms.information * information_loss(seen_features.float(), made_features.float())
        if real.wish is not None and terms.condition_loss > 0:
            loss = loss + terms.condition_loss * condition_loss(generator.codes(generator.softmax(logits)), real.wish)
        return loss

    def _seen(self, codes: Tensor) -> Tensor:
        """What the critic is shown: codes, with noise early in the run.

        Source: instance noise, Sønderby et al. 2017 (arXiv:1610.04490).
        """
        if self._noise <= 0:
            return codes
        return codes + self._noise * torch.randn(codes.shape, generator=self._random).to(codes.device)

    def _step(self, learner: int, loss: Tensor) -> None:
        optimiser, network, _ = self._learners[learner]
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if self._proximal > 0:
            for parameter, shared in zip(network.parameters(), self._shared[learner], strict=True):
                if parameter.grad is not None:
                    parameter.grad.add_(parameter.detach() - shared, alpha=self._proximal)
        optimiser.step()

    def _adam(self, network: torch.nn.Module, rate: float) -> torch.optim.Optimizer:
        return torch.optim.Adam(network.parameters(), lr=rate, betas=(self._terms.beta1, _BETA2), fused=True)

    def _precision(self) -> torch.autocast:
        device = self._generator.exit.weight.device.type
        return torch.autocast(device, dtype=torch.bfloat16, enabled=self._terms.autocast)
