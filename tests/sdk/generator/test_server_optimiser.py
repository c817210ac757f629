"""The coordinator's optimisers, against loops over single weights."""

import math

import numpy as np
import pytest

from headwater.errors import InputError
from headwater.generator.fit import initial_model
from headwater.generator.model import Model
from headwater.generator.server_optimiser import server_step, state_length
from headwater.generator.update import apply_update, update_length
from headwater.recipe.settings import UpdateSettings
from support.codes import dependent_codes, marginals_of, small

NUMBERS = {"server_rate": 0.5, "server_beta1": 0.8, "server_beta2": 0.9, "server_floor": 0.1}


def walk(name: str, deltas: list[np.ndarray]) -> np.ndarray:
    weights, state = np.zeros(3, np.float32), np.zeros(0, np.float32)
    terms = UpdateSettings(server=name, **NUMBERS)  # type: ignore[arg-type]
    for delta in deltas:
        weights, state = server_step(weights, delta.astype(np.float32), state, terms)
    return weights


def slow(name: str, deltas: list[np.ndarray]) -> list[float]:
    """One weight after the other, as the papers' algorithms are written."""
    ends = []
    for place in range(3):
        x, m, v = 0.0, 0.0, 0.1**2
        for delta in (float(each[place]) for each in deltas):
            if name == "fedadam":
                m, v = 0.8 * m + 0.2 * delta, 0.9 * v + 0.1 * delta**2
                x += 0.5 * m / (math.sqrt(v) + 0.1)
            elif name == "fedavgm":
                m = 0.8 * m + delta
                x += 0.5 * m
            else:
                x += 0.5 * delta
        ends.append(x)
    return ends


@pytest.mark.parametrize("name", ["mean", "fedavgm", "fedadam"])
def test_steps_are_those_of_the_papers(name: str) -> None:
    random = np.random.default_rng(0)
    deltas = [random.normal(size=3) for _ in range(6)]
    np.testing.assert_allclose(walk(name, deltas), slow(name, deltas), rtol=1e-5)


@pytest.mark.parametrize("name", ["mean", "fedavgm", "fedadam"])
def test_the_state_travels_with_the_models_bytes_and_a_replay_gives_the_same(name: str) -> None:
    terms = UpdateSettings(server=name, **NUMBERS)  # type: ignore[arg-type]
    start = initial_model(small(), marginals_of(dependent_codes(400)), seed=1).with_critic(seed=2)
    random = np.random.default_rng(0)
    straight = through_bytes = start
    for _ in range(3):
        delta = random.normal(size=update_length(start)) * 0.01
        straight = apply_update(straight, delta, terms)
        through_bytes = Model.from_bytes(apply_update(through_bytes, delta, terms).to_bytes())
    assert straight.to_bytes() == through_bytes.to_bytes()
    assert len(straight.server_state) == state_length(terms.server, len(start.generator))
    # The critic is merged by the plain mean under each of them.
    assert np.abs(straight.critic - start.critic).max() < 0.2


def test_the_state_of_another_optimiser_is_refused() -> None:
    weights = np.zeros(3, np.float32)
    _, state = server_step(weights, weights, np.zeros(0, np.float32), UpdateSettings(server="fedavgm"))
    with pytest.raises(InputError, match="fedadam keeps 6"):
        server_step(weights, weights, state, UpdateSettings(server="fedadam"))
