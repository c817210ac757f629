"""A Poisson sample has the rate that is charged for, from entropy that nobody can seed."""

import inspect
import os
import struct

import numpy as np
import pytest
from scipy import stats

from headwater.errors import InputError
from headwater.privacy.poisson_sample import WHOLE_RATE, poisson_sample, rate_of


@pytest.mark.parametrize("share", [0.001, 0.02, 0.5, 0.97])
def test_sizes_are_binomial_and_every_row_is_as_likely_as_another(share: float) -> None:
    # 400 samples of 1,000 rows; false alarm one in 10^4 for each of two tests and four shares.
    rate, rows, times = rate_of(share), 1000, 400
    chosen = np.concatenate([poisson_sample(rows, rate) for _ in range(times)])
    assert stats.binomtest(len(chosen), rows * times, rate / WHOLE_RATE).pvalue > 1e-4
    by_place = np.bincount(chosen * 20 // rows, minlength=20)
    assert stats.chisquare(by_place).pvalue > 1e-4


def test_rows_are_chosen_independently_of_each_other() -> None:
    # Sizes of samples of a fixed size, or of one coin for neighbours, would not vary as a binomial's do.
    sizes = np.array([len(poisson_sample(500, rate_of(0.1))) for _ in range(2000)])
    statistic = (len(sizes) - 1) * sizes.var(ddof=1) / (500 * 0.1 * 0.9)
    assert 1e-4 < stats.chi2.sf(statistic, len(sizes) - 1) < 1 - 1e-4


def test_a_row_is_chosen_exactly_where_its_number_is_below_the_rate() -> None:
    numbers = [0, 6, 7, 8, WHOLE_RATE - 1]
    assert poisson_sample(5, 7, lambda count: struct.pack("<5I", *numbers)[:count]).tolist() == [0, 1]


def test_a_rate_of_all_chooses_all_and_no_rows_give_none() -> None:
    assert poisson_sample(100, WHOLE_RATE).tolist() == list(range(100))
    assert poisson_sample(0, 7).shape == (0,)


def test_entropy_is_the_operating_system_s() -> None:
    assert inspect.signature(poisson_sample).parameters["entropy"].default is os.urandom
    first, second = (poisson_sample(10_000, rate_of(0.5)) for _ in range(2))
    assert first.tolist() != second.tolist()


@pytest.mark.parametrize("rate", [0, -1, WHOLE_RATE + 1])
def test_what_is_no_rate_is_refused(rate: int) -> None:
    with pytest.raises(InputError, match="sampling rate"):
        poisson_sample(3, rate)


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1, float("nan")])
def test_what_is_no_share_is_refused(share: float) -> None:
    with pytest.raises(InputError, match="share"):
        rate_of(share)


def test_the_smallest_share_is_still_a_chance() -> None:
    assert rate_of(1e-15) == 1
    assert rate_of(1.0) == WHOLE_RATE
