"""The adversarial losses and penalties, against their papers' formulas."""

import math

import pytest
import torch
from torch import Tensor

from headwater.generator.losses import AdversarialLoss

REAL, FAKE = torch.tensor([2.0, -1.0]), torch.tensor([0.5, 1.0])


def soft(x: float) -> float:
    return math.log(1 + math.exp(x))


@pytest.mark.parametrize(
    ("name", "generator", "critic"),
    [
        # Goodfellow et al. 2014: −E log D(x) − E log(1 − D(G(z))); the generator maximises log D(G(z)).
        ("classic", (soft(-0.5) + soft(-1)) / 2, (soft(-2) + soft(1) + soft(0.5) + soft(1)) / 2),
        # Gulrajani et al. 2017, equation 3 without the penalty.
        ("wgan-gp", -0.75, 0.75 - 0.5),
        # Huang et al. 2024, equation 2 with f(t) = −log(1 + exp(−t)): pairs, real against generated.
        ("r3", (soft(2 - 0.5) + soft(-1 - 1)) / 2, (soft(0.5 - 2) + soft(1 + 1)) / 2),
    ],
)
def test_losses_are_those_of_the_papers(name: str, generator: float, critic: float) -> None:
    loss = AdversarialLoss(name, 1.0)  # type: ignore[arg-type]
    assert float(loss.generator(REAL, FAKE)) == pytest.approx(generator)
    assert float(loss.critic(REAL, FAKE)) == pytest.approx(critic)


def squares(points: Tensor) -> Tensor:
    """A critic whose gradient at x is x."""
    return points.square().sum(dim=1) / 2


def test_r1_and_r2_are_half_the_weight_times_the_mean_squared_gradients_on_rows_and_draws() -> None:
    real, fake = torch.tensor([[1.0, 0], [0, 2]]), torch.tensor([[3.0, 0], [0, 0]])
    for name in ("r3", "classic"):
        loss = AdversarialLoss(name, 0.4)
        expected = 0.4 / 2 * ((1 + 4) / 2 + 9 / 2)
        assert float(loss.smoothness(squares, real, fake, torch.Generator()).detach()) == pytest.approx(expected)


def test_the_gradient_penalty_pulls_norms_between_rows_and_draws_to_one() -> None:
    real, fake = torch.tensor([[3.0, 0]]), torch.tensor([[0.0, 0]])
    random = torch.Generator().manual_seed(4)
    mix = float(torch.rand(1, generator=torch.Generator().manual_seed(4)))
    penalty = float(AdversarialLoss("wgan-gp", 10.0).smoothness(squares, real, fake, random).detach())
    assert penalty == pytest.approx(10 * (3 * mix - 1) ** 2, rel=1e-5)


def test_a_packs_gradient_is_one_gradient() -> None:
    def packed(points: Tensor) -> Tensor:
        return points.reshape(len(points) // 2, -1).sum(dim=1)

    rows = torch.zeros(6, 3)
    # Six values of gradient 1 each: the norm is √6, and no row has a norm of its own.
    penalty = AdversarialLoss("wgan-gp", 1.0, packing=2).smoothness(packed, rows, rows, torch.Generator())
    assert float(penalty) == pytest.approx((math.sqrt(6) - 1) ** 2)
    both = AdversarialLoss("r3", 1.0, packing=2).smoothness(packed, rows, rows, torch.Generator())
    assert float(both) == pytest.approx((6 + 6) / 2)
