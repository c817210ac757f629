"""The sampler draws the distribution that the accountant charges for, from entropy that nobody can seed."""

import hashlib
import inspect
import io
import json
import math
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from headwater.errors import InputError
from headwater.privacy import discrete_gaussian as module
from headwater.privacy.discrete_gaussian import LARGEST_VARIANCE, discrete_gaussian
from support.specification import ROOT


def stream(name: bytes) -> Callable[[int], bytes]:
    """The published vectors' entropy: SHA-256 of the name and a counter of calls, stretched by SHAKE-256."""
    calls = 0

    def read(count: int) -> bytes:
        nonlocal calls
        calls += 1
        return hashlib.shake_256(name + calls.to_bytes(8, "big")).digest(count)

    return read


VECTORS = json.loads((ROOT / "tests" / "vectors" / "privacy" / "noise.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("vector", VECTORS["discrete_gaussian"], ids=lambda vector: str(vector["variance"]))
def test_the_published_bytes_give_the_published_draws(vector: dict[str, Any]) -> None:
    tape = io.BytesIO(bytes.fromhex(vector["entropy"]))
    assert discrete_gaussian(len(vector["draws"]), vector["variance"], tape.read).tolist() == vector["draws"]
    assert tape.read() == b""


def masses(variance: int) -> tuple[np.ndarray, np.ndarray]:
    reach = math.ceil(12 * math.sqrt(variance))
    values = np.arange(-reach, reach + 1)
    weights = np.exp(-(values.astype(float) ** 2) / (2 * variance))
    return values, weights / weights.sum()


@pytest.mark.parametrize("variance", [1, 2, 4, 9, 100, 2916, 10_007])
def test_draws_have_the_distribution(variance: int) -> None:
    rows = 200_000
    drawn = discrete_gaussian(rows, variance, stream(b"distribution"))
    values, shares = masses(variance)
    # Cells of at least 20 expected draws; the tails are one cell each.
    edges = values[np.cumsum(shares) * rows % 2000 < np.diff(np.cumsum(shares), prepend=0) * rows]
    cell = np.searchsorted(edges, values)
    expected = np.bincount(cell, weights=shares) * rows
    found = np.bincount(np.searchsorted(edges, drawn), minlength=len(expected))
    kept = expected > 20
    statistic = ((found[kept] - expected[kept]) ** 2 / expected[kept]).sum()
    assert kept.sum() >= 3
    assert stats.chi2.sf(statistic, kept.sum() - 1) > 1e-4
    assert found[~kept].sum() <= 60 + 3 * expected[~kept].sum()


def test_the_operating_system_s_entropy_gives_other_draws_each_time() -> None:
    first, second = (discrete_gaussian(64, 2916) for _ in range(2))
    assert (first != second).any()
    assert inspect.signature(discrete_gaussian).parameters["entropy"].default is os.urandom


@pytest.mark.parametrize("variance", [1, 2916, LARGEST_VARIANCE])
def test_moments_at_the_ends_of_the_range(variance: int) -> None:
    drawn = discrete_gaussian(100_000, variance, stream(b"moments")).astype(float)
    values, shares = masses(min(variance, 10_000))
    exact = float((shares * values**2).sum()) if variance <= 10_000 else float(variance)
    assert abs(drawn.mean()) < 5 * math.sqrt(exact / len(drawn))
    assert drawn.var() == pytest.approx(exact, rel=5 * math.sqrt(2 / len(drawn)))


def test_neighbouring_draws_do_not_depend_on_each_other() -> None:
    drawn = discrete_gaussian(100_000, 2916, stream(b"pairs")).astype(float)
    for lag in (1, 2, 64, module._TOGETHER):
        correlation = np.corrcoef(drawn[:-lag], drawn[lag:])[0, 1]
        assert abs(correlation) < 5 / math.sqrt(len(drawn) - lag)


@pytest.mark.parametrize(("numerator", "denominator"), [(0, 1), (1, 3), (1, 1), (7, 3), (40, 7)])
def test_an_exponential_s_coin_is_fair(numerator: int, denominator: int) -> None:
    tosses, bits = 40_000, module._Bits(stream(b"coin"))
    heads = int(module._exponential(np.full(tosses, numerator), denominator, bits).sum())
    share = math.exp(-numerator / denominator)
    assert stats.binomtest(heads, tosses, share).pvalue > 1e-4 if 0 < share < 1 else heads == tosses
    single = sum(module._exponential_of_one(numerator, denominator, bits) for _ in range(2000))
    assert stats.binomtest(single, 2000, share).pvalue > 1e-4 if 0 < share < 1 else single == 2000


def test_what_leaves_64_bits_is_decided_as_by_small_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = discrete_gaussian(20_000, 100, stream(b"far"))
    monkeypatch.setattr(module, "_LARGEST_DISTANCE", 1)
    one_by_one = discrete_gaussian(20_000, 100, stream(b"far too"))
    assert stats.ks_2samp(whole, one_by_one).pvalue > 1e-4


def test_uniform_integers_are_uniform() -> None:
    bits = module._Bits(stream(b"uniform"))
    assert not bits.below(1, 10).any()
    for bound in (2, 3, 5, 256, 257, 65_537, 2**40 + 3):
        drawn = bits.below(bound, 30_000)
        assert drawn.min() >= 0
        assert drawn.max() < bound
        counts = np.bincount((drawn * min(bound, 7) // bound).astype(int))
        assert stats.chisquare(counts).pvalue > 1e-4


@pytest.mark.parametrize("variance", [0, -4, LARGEST_VARIANCE + 1])
def test_another_variance_is_refused(variance: int) -> None:
    with pytest.raises(InputError, match="units squared are drawn"):
        discrete_gaussian(3, variance)


def test_no_draws_are_an_empty_vector() -> None:
    assert discrete_gaussian(0, 5).shape == (0,)
