"""The critic's network: from flat weights to layers, for organisations and coordinator alike."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from headwater.errors import InputError
from headwater.generator.private_step.integer_critic import IntegerCritic
from headwater.generator.refiner.features import Features
from headwater.generator.refiner.network import SLOPE, RefinerShape
from headwater.recipe.private_critic import PrivateCritic

__all__ = ["codes_of", "integer_critic_of", "layers_of", "shape_of"]

Layers = list[tuple[Tensor, Tensor]]


def shape_of(width: int) -> RefinerShape:
    """Of networks of which only the critic is used."""
    return RefinerShape(noise=1, width=1, critic_width=width)


def codes_of(features: Features) -> int:
    """How many of a row's values are places of codes."""
    return features.classes + features.cells


def layers_of(weights: NDArray[np.float32], features: Features, width: int) -> Layers:
    """Weight and bias of each layer.

    Args:
        weights: flat.
        features: that the critic sees.
        width: of its two hidden layers.

    Raises:
        InputError: they are not as many as such a critic has.
    """
    expected = shape_of(width).critic_weights(features)
    if len(weights) != expected:
        raise InputError(
            f"the critic has {len(weights)} weights, one of these codes and width {width} has {expected}; "
            "it is not the plan's"
        )
    layers, start, flat = [], 0, torch.from_numpy(weights.copy())
    for out, into in ((width, features.width), (width, width), (1, width)):
        weight = flat[start : start + out * into].reshape(out, into)
        layers.append((weight, flat[start + out * into : start + out * (into + 1)]))
        start += out * (into + 1)
    return layers


def integer_critic_of(critic: PrivateCritic, features: Features, width: int) -> IntegerCritic:
    """The critic in whole numbers.

    Raises:
        InputError: its weights or scales are not those of such a critic.
    """
    return IntegerCritic(layers_of(critic.weights, features, width), codes_of(features), SLOPE, critic.scales)
