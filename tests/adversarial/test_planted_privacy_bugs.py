"""Bugs that keep a private step's promise on paper and break it in fact: each trips the check that is named for it.

The checks see what an organisation hands over, and nothing of how it came about; the real step passes all of them.
"""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats

from headwater.generator.private_step import noisy_sum as step
from headwater.generator.private_step.clipped_sum import Clip, clipped_sum
from headwater.generator.private_step.coded_rows import CodedRows
from headwater.generator.private_step.integer_critic import IntegerCritic
from headwater.privacy.discrete_gaussian import discrete_gaussian
from headwater.privacy.poisson_sample import WHOLE_RATE, poisson_sample, rate_of

I64 = NDArray[np.int64]

CODES, CLIP, LARGEST = 20, Clip(0.5, 2000), 2**30
CANARIES = 1000


def entropy_of(name: bytes) -> Callable[[int], bytes]:
    """Fresh bytes at each call, and the same in each run: false alarms do not come and go."""
    calls = 0

    def read(count: int) -> bytes:
        nonlocal calls
        calls += 1
        return hashlib.shake_256(name + calls.to_bytes(8, "big")).digest(count)

    return read


@dataclass(frozen=True)
class World:
    """A critic, rows of an organisation, and one more row that stands out."""

    critic: IntegerCritic
    rows: CodedRows
    outlier: CodedRows

    @classmethod
    def begin(cls) -> "World":
        random = torch.Generator().manual_seed(3)
        sizes = [(6, CODES + 3), (4, 6), (1, 4)]
        layers = [(torch.randn(shape, generator=random) / shape[1] ** 0.5, torch.zeros(shape[0])) for shape in sizes]
        places = torch.randint(5, (40, 4), generator=random) + torch.arange(0, CODES, 5)
        rows = CodedRows(CODES, places, torch.randn(40, 3, generator=random))
        outlier = CodedRows(CODES, places[:1], torch.full((1, 3), 15.0))
        return cls(IntegerCritic(layers, CODES, 0.2, [8, 16, 16]), rows, outlier)

    def noisy(self, rows: CodedRows, entropy: Callable[[int], bytes], **changed: int) -> I64:
        asked: dict[str, Any] = {"rate": WHOLE_RATE, "variance": 8, "largest": LARGEST, "seed": 1} | changed
        return step.noisy_sum(self.critic, rows, CLIP, entropy=entropy, **asked)


def together(first: CodedRows, second: CodedRows) -> CodedRows:
    return CodedRows(CODES, torch.cat([first.places, second.places]), torch.cat([first.scores, second.scores]))


def check_canaries(world: World) -> None:
    """With and without a canary, sums lie no further apart than the noise that is charged for allows.

    At noise multiplier σ the step is 1/σ-Gaussian differentially private: in the canary's own direction, which its
    author knows, means lie at most 1/σ standard deviations apart.

    Source: Nasr et al. 2023 (arXiv:2302.07956); Dong, Roth, Su 2022, section 2.
    """
    sigma, entropy = 1.0, entropy_of(b"canaries")
    direction = clipped_sum(world.critic, world.outlier, CLIP, 1).astype(float)
    direction /= np.linalg.norm(direction)
    both, variance = together(world.rows, world.outlier), int((sigma * CLIP.bound) ** 2)
    seen = {
        there: np.array([world.noisy(rows, entropy, variance=variance) @ direction for _ in range(CANARIES // 2)])
        for there, rows in ((True, both), (False, world.rows))
    }
    spread = math.sqrt((seen[True].var(ddof=1) + seen[False].var(ddof=1)) / 2)
    apart = (seen[True].mean() - seen[False].mean()) / spread
    assert apart - 1.645 * 2 / math.sqrt(CANARIES) <= 1 / sigma, "less noise than is charged for"
    # A canary that leaves no trace tests nothing.
    assert apart > 0.8 / sigma


def check_bound(world: World) -> None:
    """Whatever row joins, the sum without noise moves by the bound at most."""
    entropy = entropy_of(b"bound")
    moved = world.noisy(together(world.rows, world.outlier), entropy) - world.noisy(world.rows, entropy)
    # Noise of the least variance stands in for none: each of two draws has a norm of about √(8 × parameters).
    slack = 6 * math.sqrt(2 * 8 * world.critic.parameters)
    assert np.linalg.norm(moved) <= CLIP.bound + slack, "a row moves the sum beyond the bound"


def check_normaliser(world: World) -> None:
    """A row's part is the same among few rows as among many: nothing is divided by how many there are."""
    entropy = entropy_of(b"normaliser")
    few, many = world.rows[:5], world.rows[5:]
    apart = world.noisy(few, entropy) + world.noisy(many, entropy)
    away = np.abs(world.noisy(together(few, many), entropy) - apart).max()
    assert away <= 6 * math.sqrt(3 * 8), "the batch's size enters the sum"


def check_fresh(world: World) -> None:
    """The same rows at the same step give another sum each time, in sample and in noise."""
    noise = [world.noisy(world.rows[:0], entropy_of(str(n).encode())) for n in range(2)]
    assert (noise[0] != noise[1]).any(), "noise does not come from the entropy that is given"
    counts = {_sampled(world, world.rows, rate_of(0.5), str(n).encode()) for n in range(12)}
    assert len(counts) > 1, "the sample does not come from the entropy that is given"


def check_rate(world: World) -> None:
    """Rows are in a sum as often as is charged for; 4,000 chances, a false alarm in 10^5 runs of other entropy."""
    rate = rate_of(0.05)
    times = sum(_sampled(world, world.rows, rate, b"rate" + bytes([n])) for n in range(100))
    assert stats.binomtest(times, 100 * len(world.rows), rate / WHOLE_RATE).pvalue > 1e-5, (
        "another rate than is charged"
    )


def _sampled(world: World, rows: CodedRows, rate: int, name: bytes) -> int:
    """How many rows are in a sum: the last bias's gradient is the same for all of one norm, so equal rows are given."""
    equal = rows[torch.zeros(len(rows), dtype=torch.int64)]
    one = clipped_sum(world.critic, equal[:1], CLIP, 1)[-1]
    return round(float(world.noisy(equal, entropy_of(name), rate=rate)[-1] / one))


CHECKS = {
    check.__name__.removeprefix("check_"): check
    for check in (check_canaries, check_bound, check_normaliser, check_fresh, check_rate)
}


@pytest.fixture(name="world")
def fixture_world() -> World:
    return World.begin()


@pytest.mark.parametrize("name", CHECKS)
def test_the_step_passes(name: str, world: World) -> None:
    CHECKS[name](world)


def half_the_noise(count: int, variance: int, entropy: Callable[[int], bytes]) -> I64:
    return discrete_gaussian(count, max(1, variance // 4), entropy)


def seeded_noise(count: int, variance: int, entropy: Callable[[int], bytes]) -> I64:
    return discrete_gaussian(count, variance, entropy_of(b"seed"))


def no_clip(critic: IntegerCritic, rows: CodedRows, clip: Clip, seed: int) -> I64:
    # The norm is so large that nothing reaches it, at the same units for 1.0.
    return 30 * clipped_sum(critic, rows, Clip(30 * clip.norm, clip.bound), seed)


def mean_of_the_batch(critic: IntegerCritic, rows: CodedRows, clip: Clip, seed: int) -> I64:
    return clipped_sum(critic, rows, clip, seed) * 10 // max(len(rows), 1)


def twice_the_rate(rows: int, rate: int, entropy: Callable[[int], bytes]) -> I64:
    return poisson_sample(rows, min(2 * rate, WHOLE_RATE), entropy)


def seeded_sample(rows: int, rate: int, entropy: Callable[[int], bytes]) -> I64:
    return poisson_sample(rows, rate, entropy_of(b"seed"))


@pytest.mark.parametrize(
    ("part", "bug", "trips"),
    [
        ("discrete_gaussian", half_the_noise, "canaries"),
        ("clipped_sum", no_clip, "bound"),
        ("clipped_sum", mean_of_the_batch, "normaliser"),
        ("discrete_gaussian", seeded_noise, "fresh"),
        ("poisson_sample", seeded_sample, "fresh"),
        ("poisson_sample", twice_the_rate, "rate"),
    ],
    ids=["noise halved", "no clip", "batch normaliser", "seeded noise", "seeded sample", "wrong rate"],
)
def test_a_planted_bug_trips_its_check(
    part: str, bug: Callable[..., I64], trips: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step, part, bug)
    with pytest.raises(AssertionError):
        CHECKS[trips](world)
