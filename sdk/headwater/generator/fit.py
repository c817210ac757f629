"""Fit a generator to summed marginals, without a row: the base of a run."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
import torch

from headwater.encoding.marginals import Marginal, marginalise
from headwater.errors import InputError
from headwater.generator.model import Model, pick_device
from headwater.generator.network import Generator, flat_parameters
from headwater.generator.spec import GeneratorSpec
from headwater.generator.targets import Targets

__all__ = ["FitTerms", "fit_to_marginals", "initial_model", "marginal_loss"]

_EVALUATION_BATCH = 4096
_EVALUATION_BATCHES = 4
_CALIBRATION_STEPS = 12
_SMALLEST_SHARE = 1e-6
# From a generator that hardly looks at z, the L1 distance leads to one row for everybody, since a rare cell's median
# is none; so a fit starts with large output weights, and so does training from scratch, whose loss holds such moments.
_GAIN = 3.0

Progress = Callable[[int, float], None]
"""Called with the number of steps done and the last loss."""


class FitTerms(Protocol):
    """The numbers of a fit; `headwater.recipe.settings.FitSettings` has them."""

    @property
    def steps(self) -> int:
        """Steps of Adam."""

    @property
    def batch(self) -> int:
        """Latents a step."""

    @property
    def learning_rate(self) -> float:
        """At the top."""

    @property
    def warm_up(self) -> int:
        """Steps of linear warm-up."""

    @property
    def final_rate(self) -> float:
        """At the end, as a share of the top."""

    @property
    def gradient_clip(self) -> float:
        """Euclidean norm."""

    @property
    def ema(self) -> float:
        """Decay of the average of weights, a step."""


def _start(spec: GeneratorSpec, marginals: Sequence[Marginal], seed: int) -> Generator:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator = Generator(spec)
    shares = _head_shares(spec, marginals)
    with torch.no_grad():
        # The output starts near the 1-way marginals; the gain says how much it looks at z.
        generator.exit.bias.copy_(torch.from_numpy(np.log(np.maximum(shares, _SMALLEST_SHARE)).astype(np.float32)))
        generator.exit.weight.mul_(_GAIN)
    return generator


def _head_shares(spec: GeneratorSpec, marginals: Sequence[Marginal]) -> np.ndarray:
    by_columns = {marginal.columns: marginal for marginal in marginals}
    parts = []
    for head in spec.heads:
        holder = by_columns.get(head.columns) or next(
            (marginal for marginal in marginals if set(head.columns) <= set(marginal.columns)), None
        )
        if holder is None:
            raise InputError(f"the columns {head.columns} are in no marginal; count them")
        table = (
            holder.counts if holder.columns == head.columns else marginalise(holder, spec.sizes, head.columns).counts
        )
        shape = [spec.sizes[column] for column in head.columns]
        units = table[np.ravel_multi_index(tuple(head.combinations.T), shape)]
        parts.append(units / max(float(units.sum()), 1.0))
    return np.concatenate(parts)


def initial_model(spec: GeneratorSpec, marginals: Sequence[Marginal], seed: int) -> Model:
    """A generator that knows the 1-way marginals only; where adversarial training from scratch starts."""
    generator = _start(spec, marginals, seed)
    _calibrate(generator, spec, marginals, torch.Generator().manual_seed(seed + 1))
    return Model.of(generator)


def fit_to_marginals(
    spec: GeneratorSpec,
    marginals: Sequence[Marginal],
    terms: FitTerms,
    seed: int,
    device: str = "auto",
    on_progress: Progress | None = None,
    start: Model | None = None,
) -> Model:
    """Fit by Adam on the weighted L1 distance between marginals and batch means of softmax products.

    Args:
        spec: the shape.
        marginals: counts; pairs and label triples are fitted, every super-column needs its own.
        terms: steps, rates, batch.
        seed: of weights and noise; equal seeds give equal bits on one machine's CPU.
        device: "auto", "cpu" or "cuda".
        on_progress: called every 25 steps.
        start: a trained generator whose average the fit goes on from, with its critic kept; None begins afresh.

    Raises:
        InputError: marginals and shape do not belong together, or there is no such device.
    """
    place = pick_device(device)
    targets = Targets.of(spec, marginals, place)
    if start is None:
        generator = _start(spec, marginals, seed).to(place)
    else:
        generator = start.build_generator(place, average=True)
    random = torch.Generator().manual_seed(seed + 1)
    optimiser = torch.optim.Adam(generator.parameters(), lr=terms.learning_rate, betas=(0.9, 0.99))
    average = [parameter.detach().clone() for parameter in generator.parameters()]
    for step in range(terms.steps):
        for group in optimiser.param_groups:
            group["lr"] = terms.learning_rate * _schedule(step, terms)
        loss = targets.loss(generator, generator.unit_probabilities(generator.noise(terms.batch, random)))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(generator.parameters(), terms.gradient_clip)
        optimiser.step()
        # Early on the average follows closely, or its start would still be in it at the end of a short fit.
        decay = min(terms.ema, (1 + step) / (10 + step))
        torch._foreach_lerp_(average, list(generator.parameters()), 1 - decay)
        if on_progress is not None and (step + 1) % 25 == 0:
            on_progress(step + 1, float(loss.detach()))
    with torch.no_grad():
        # What is trained further is what is sampled: the average.
        for parameter, mean in zip(generator.parameters(), average, strict=True):
            parameter.copy_(mean)
    _calibrate(generator, spec, marginals, random)
    fitted = Model.of(generator, flat_parameters(generator))
    return fitted if start is None else replace(fitted, critic=start.critic)


def _calibrate(
    generator: Generator, spec: GeneratorSpec, marginals: Sequence[Marginal], random: torch.Generator
) -> None:
    """Shift the output biases until every head's mean probabilities are its marginal.

    On few rows most cells of a table are empty, and the L1 distance gives up rare codes, a label's rarer class among
    them; a column's own shares are known exactly and cost no more than this to hold.
    """
    shares = torch.from_numpy(_head_shares(spec, marginals).astype(np.float32)).to(generator.exit.bias.device)
    with torch.no_grad():
        latents = [generator.noise(_EVALUATION_BATCH, random) for _ in range(_EVALUATION_BATCHES)]
        for _ in range(_CALIBRATION_STEPS):
            means = torch.stack([generator.unit_probabilities(z).mean(dim=0) for z in latents]).mean(dim=0)
            ratio = (shares + _SMALLEST_SHARE) / (means + _SMALLEST_SHARE)
            generator.exit.bias.add_(ratio.log().clamp(-1, 1))


def _schedule(step: int, terms: FitTerms) -> float:
    if step < terms.warm_up:
        return (step + 1) / terms.warm_up
    done = (step - terms.warm_up) / max(1, terms.steps - terms.warm_up)
    return terms.final_rate + (1 - terms.final_rate) * 0.5 * (1 + math.cos(math.pi * done))


def marginal_loss(model: Model, marginals: Sequence[Marginal], seed: int, device: str = "auto") -> float:
    """How far the sampled generator is from the marginals: the fit's loss over 16,384 latents, without noise of draws.

    Returns:
        0 is exact; comparable between models of one shape and one set of marginals.
    """
    place = pick_device(device)
    targets = Targets.of(model.spec, marginals, place)
    generator = model.build_generator(place, average=True)
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        losses = [
            float(targets.loss(generator, generator.unit_probabilities(generator.noise(_EVALUATION_BATCH, random))))
            for _ in range(_EVALUATION_BATCHES)
        ]
    return sum(losses) / len(losses)
