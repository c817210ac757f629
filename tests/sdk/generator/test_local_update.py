"""How often a critic is right: what is counted, and what training makes of it."""

import numpy as np
import pytest
import torch

from headwater.generator.local_update import Discernment
from headwater.generator.refiner.training import train_refiner
from headwater.recipe.settings import UpdateSettings
from support.mixtures import together
from support.refined import fitted_mixture, refined_model

ROWS = together()[3]
MODEL = refined_model(fitted_mixture())
CRITIC = UpdateSettings(local_steps=60, batch=128, generator_rate=0.0, critic_rate=5e-3, penalty=0.0, temperature=3.0)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def test_pairs_are_counted_over_all_steps_and_ties_by_half() -> None:
    counted = Discernment()
    assert counted.share == 0.5
    counted.add(torch.tensor([1.0, 2.0]), torch.tensor([0.0, 3.0]))
    counted.add(torch.tensor([5.0, 5.0]), torch.tensor([5.0, -5.0]))
    assert counted.share == pytest.approx((1 + 0 + 0.5 + 1) / 4)


def test_a_critic_is_right_more_often_where_rows_are_further_from_draws() -> None:
    far = type(ROWS)(ROWS.classes, ROWS.units, ROWS.scores + 3.0)
    near, seen = (train_refiner(MODEL, rows, CRITIC, 3).accuracy for rows in (ROWS, far))
    assert near < 0.7
    assert seen > 0.9


def test_instance_noise_makes_a_critic_right_less_often_and_is_gone_at_the_end() -> None:
    far = type(ROWS)(ROWS.classes, ROWS.units, ROWS.scores + 3.0)
    noisy = CRITIC.model_copy(update={"instance_noise": 3.0})
    assert train_refiner(MODEL, far, noisy, 3).accuracy < train_refiner(MODEL, far, CRITIC, 3).accuracy - 0.03
    first, second = (train_refiner(MODEL, far, terms, 3, progress=1.0).delta for terms in (noisy, CRITIC))
    np.testing.assert_array_equal(first, second)
