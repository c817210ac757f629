"""A small convolutional generator of pictures and its critic: forward passes, local training, drawing."""

import math
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, leaky_relu, linear, one_hot, silu, softplus

from headwater.generator.local_update import Discernment, LocalUpdate
from headwater.images.convolution import Convolution, ConvolutionSpec
from headwater.images.settings import ConvolutionSettings

__all__ = ["draw_pictures", "train_pictures"]

_SLOPE = 0.2
# A class speaks beside the picture's own score with about this weight.
_CLASS_WEIGHT = 4.0
_CHUNK = 1024

Weights = dict[str, Tensor]


def train_pictures(
    model: Convolution, pictures: NDArray[np.uint8], labels: NDArray[np.int32], terms: ConvolutionSettings, seed: int
) -> LocalUpdate:
    """Train both networks on one organisation's pictures from the shared weights, with fresh optimisers.

    Fakes have the labels of the real batch beside them, and the critic is told: what an organisation has of a digit
    says how the digit looks, never how frequent it is. The loss is relativistic pairing with lazy R1 and R2.

    Args:
        model: with a critic.
        pictures: uint8, shape (rows, pixels), at least one.
        labels: int32, shape (rows,), below the spec's classes.
        terms: steps, rates, penalties.
        seed: equal seeds give equal bits on one machine's CPU.

    Returns:
        New minus shared weights, the generator's first, with what the critic could tell.

    Source: Huang et al. 2024 (arXiv:2501.05441); projection critic: Miyato & Koyama 2018 (arXiv:1802.05637).
    """
    spec, random = model.spec, torch.Generator().manual_seed(seed)
    generator, critic = _weights(model.generator, spec, "generator"), _weights(model.critic, spec, "critic")
    steps = [
        torch.optim.Adam(list(part.values()), lr=rate, betas=(0.0, 0.99))
        for part, rate in ((generator, terms.generator_rate), (critic, terms.critic_rate))
    ]
    rows = torch.from_numpy(pictures.astype(np.float32)).view(-1, 1, spec.image.height, spec.image.width)
    codes = torch.from_numpy(labels.astype(np.int64))
    discernment = Discernment()
    for number in range(terms.local_steps):
        chosen = torch.randint(len(rows), (terms.batch,), generator=random)
        # Levels are spread evenly over their width: a critic must not know a picture by its whole numbers.
        noise = torch.rand((terms.batch, *rows.shape[1:]), generator=random) - 0.5
        real, label = (rows[chosen] + noise) / (spec.image.levels - 1), one_hot(codes[chosen], spec.classes).float()
        with torch.no_grad():
            fake = _generate(generator, spec, _latent(terms.batch, spec, random), label)
        of_fake, of_real = _score(critic, spec, fake, label), _score(critic, spec, real, label)
        discernment.add(of_real, of_fake)
        loss = softplus(of_fake - of_real).mean()
        if terms.penalty and number % terms.penalty_every == 0:
            weight = terms.penalty * terms.penalty_every / 2
            loss = loss + weight * sum(_roughness(critic, spec, points, label) for points in (real, fake))
        _step(steps[1], loss)
        fake = _generate(generator, spec, _latent(terms.batch, spec, random), label)
        with torch.no_grad():
            ahead = _score(critic, spec, real, label)
        _step(steps[0], softplus(ahead - _score(critic, spec, fake, label)).mean())
    after = torch.cat([weight.detach().reshape(-1) for part in (generator, critic) for weight in part.values()])
    return LocalUpdate(after.numpy() - model.weights, discernment.share)


def draw_pictures(model: Convolution, labels: NDArray[np.int32], random: torch.Generator) -> NDArray[np.uint8]:
    """A picture of each class given: uint8, shape (rows, pixels)."""
    spec = model.spec
    weights = _weights(model.generator, spec, "generator")
    parts = []
    with torch.no_grad():
        for part in _chunks(torch.from_numpy(labels.astype(np.int64))):
            label = one_hot(part, spec.classes).float()
            levels = _generate(weights, spec, _latent(len(part), spec, random), label) * (spec.image.levels - 1)
            parts.append(levels.round().reshape(len(part), -1).numpy().astype(np.uint8))
    return np.concatenate(parts) if parts else np.zeros((0, spec.image.pixels), np.uint8)


def _chunks(labels: Tensor) -> Iterator[Tensor]:
    yield from torch.split(labels, _CHUNK)


def _latent(rows: int, spec: ConvolutionSpec, random: torch.Generator) -> Tensor:
    return torch.randn(rows, spec.latent, generator=random)


def _weights(flat: NDArray[np.float32], spec: ConvolutionSpec, which: str) -> Weights:
    shapes = spec.generator_shapes if which == "generator" else spec.critic_shapes
    parts = torch.split(torch.from_numpy(flat.copy()), [math.prod(shape) for _, shape in shapes])
    return {
        name: part.clone().view(shape).requires_grad_(True) for (name, shape), part in zip(shapes, parts, strict=True)
    }


def _convolved(weights: Weights, name: str, pictures: Tensor, stride: int = 1) -> Tensor:
    return conv2d(pictures, weights[f"{name}.weight"], weights[f"{name}.bias"], stride=stride, padding=1)


def _generate(weights: Weights, spec: ConvolutionSpec, latent: Tensor, label: Tensor) -> Tensor:
    """Levels from 0 to 1, shape (rows, 1, height, width)."""
    mixed = linear(torch.cat([latent, label], dim=1), weights["in.weight"], weights["in.bias"])
    pictures = silu(mixed).view(len(latent), 2 * spec.channels, *spec.base)
    for number in range(spec.doublings):
        pictures = silu(_convolved(weights, f"up{number}", interpolate(pictures, scale_factor=2)))
    pictures = pictures + silu(_convolved(weights, "mix", pictures))
    levels: Tensor = torch.sigmoid(_convolved(weights, "out", pictures))
    return levels[:, :, : spec.image.height, : spec.image.width]


def _score(weights: Weights, spec: ConvolutionSpec, pictures: Tensor, label: Tensor) -> Tensor:
    """How real a picture of a class looks, shape (rows,)."""
    hidden = leaky_relu(_convolved(weights, "first", pictures - 0.3), _SLOPE)
    for number in range(spec.doublings + 1):
        hidden = leaky_relu(_convolved(weights, f"down{number}", hidden, stride=2), _SLOPE)
    hidden = leaky_relu(linear(hidden.flatten(1), weights["hidden.weight"], weights["hidden.bias"]), _SLOPE)
    score = linear(hidden, weights["score.weight"], weights["score.bias"])[:, 0]
    known: Tensor = (hidden * (label @ weights["classes"])).sum(dim=1) / math.sqrt(hidden.shape[1])
    return score + _CLASS_WEIGHT * known


def _roughness(weights: Weights, spec: ConvolutionSpec, pictures: Tensor, label: Tensor) -> Tensor:
    """Mean squared gradient of the score by the picture."""
    points = pictures.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(_score(weights, spec, points, label).sum(), points, create_graph=True)
    squares: Tensor = gradient.square().sum(dim=(1, 2, 3)).mean()
    return squares


def _step(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
