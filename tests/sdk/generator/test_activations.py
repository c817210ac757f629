"""The learned activation, and the number of weights that each shape claims to have."""

import numpy as np
import pytest
import torch

from headwater.generator.activations import DynamicReLU, activation_of
from headwater.generator.network import Critic, Generator, flat_parameters
from headwater.generator.spec import ACTIVATIONS, KINDS
from support.codes import SIZES, small

SHARES = np.full((2, sum(SIZES)), 0.25, np.float32)


def test_a_fresh_dynamic_relu_is_the_ordinary_one() -> None:
    x = torch.randn(64, 16, generator=torch.Generator().manual_seed(0))
    assert torch.equal(DynamicReLU(16)(x), torch.relu(x))


def disturbed(width: int = 16) -> DynamicReLU:
    # Its first weights are of torch's own chance, which other tests move on.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layer = DynamicReLU(width)
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        layer.excite.weight.copy_(3 * torch.randn(layer.excite.weight.shape, generator=random))
    return layer


def test_a_dynamic_relu_is_the_larger_of_two_lines_read_off_the_row() -> None:
    layer, x = disturbed(), torch.randn(64, 16, generator=torch.Generator().manual_seed(0))
    slopes, offsets = layer.coefficients(x)
    first, second = (slopes[:, k] * x + offsets[:, k] for k in (0, 1))
    assert torch.equal(layer(x), torch.maximum(first, second))
    # Each row has lines of its own; one network serves all units.
    assert bool((slopes - slopes[:1]).abs().max() > 0.1)
    assert slopes.shape == offsets.shape == (64, 2, 16)


def test_the_lines_stay_within_the_papers_ranges() -> None:
    slopes, offsets = disturbed().coefficients(100 * torch.randn(64, 16, generator=torch.Generator().manual_seed(0)))
    assert bool((slopes[:, 0] >= 0).all() and (slopes[:, 0] <= 2).all())
    assert bool((slopes[:, 1].abs() <= 1).all())
    assert bool((offsets.abs() <= 0.5).all())
    # The range is used: a network that is never heard would pass the bounds as well.
    assert bool(slopes[:, 1].abs().max() > 0.9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("condition", ["none", "label", "column"])
def test_weights_are_counted_as_they_are_built(kind: str, activation: str, condition: str) -> None:
    shares = None if condition == "none" else SHARES
    spec = small(kind=kind, activation=activation, condition=condition, shares=shares, packing=2, blocks=2)
    assert len(flat_parameters(Generator(spec))) == spec.generator_parameters
    assert len(flat_parameters(Critic(spec))) == spec.critic_parameters


def test_activations_have_the_names_that_specs_check() -> None:
    kinds = {name: type(activation_of(name, 8)).__name__ for name in ACTIVATIONS}
    assert kinds == {"relu": "ReLU", "leaky_relu": "LeakyReLU", "silu": "SiLU", "dynamic_relu": "DynamicReLU"}
