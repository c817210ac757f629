"""Rows drawn from a mixture: of its schema, its distribution, its seed, and of one class where asked."""

import numpy as np
import pytest

from headwater.errors import InputError
from headwater.generator.sampler import MixtureSampler, read_sampler
from headwater.mixture.attack import likelihood_attack, mean_of_histogram
from headwater.mixture.expectation import expect
from headwater.mixture.maximisation import maximise
from headwater.mixture.normal import REACH, cumulative, even_interpolation, quantile
from headwater.mixture.parameters import Mixture
from headwater.mixture.sampling import Draws, sample_tables
from headwater.schema.table import Table
from support.mixtures import SETTINGS, mixture_of, part_of, together

TABLE, ENCODING, FORM, ROWS = together(2000)


def fitted() -> Mixture:
    mixture = mixture_of(FORM, ROWS, components=12)
    for _ in range(15):
        mixture = maximise(mixture, expect(mixture, ROWS, part_of(ROWS, np.arange(0))), SETTINGS)
    return mixture


MIXTURE = fitted()


def drawn(rows: int, seed: int = 3, label: int | None = None) -> Table:
    return Table.concat(list(sample_tables(MIXTURE, ENCODING, rows, seed, batch_size=1000, label=label)))


def test_rows_hold_to_the_schema_and_to_each_columns_distribution() -> None:
    table = drawn(20_000)
    assert table.schema == TABLE.schema
    for name in ("ward", "floor", "smoker", "outcome"):
        shares = [np.bincount(each.columns[name] + 1, minlength=4) / each.rows for each in (TABLE, table)]
        assert np.abs(shares[0] - shares[1]).max() < 0.02
    for name in ("age", "income", "seen"):
        real, made = (each.columns[name] for each in (TABLE, table))
        assert abs(np.isnan(real).mean() - np.isnan(made).mean()) < 0.02
        assert abs((real == -1.0).mean() - (made == -1.0).mean()) < 0.02
        levels = np.nanquantile(real, [0.1, 0.3, 0.5, 0.7, 0.9])
        below = [(values[:, None] < levels).mean(axis=0) for values in (real, made)]
        assert np.abs(below[0] - below[1]).max() < 0.03


def test_columns_that_go_together_still_do() -> None:
    table = drawn(5000)
    ward, floor = table.columns["ward"], table.columns["floor"]
    assert (ward[ward >= 0] == floor[ward >= 0]).all()
    ill = table.columns["age"][table.columns["outcome"] == 1].mean()
    well = table.columns["age"][table.columns["outcome"] == 0].mean()
    assert ill - well > 15


def test_the_seed_decides_every_value() -> None:
    first, second, other = (drawn(1500, seed).to_arrow() for seed in (5, 5, 6))
    assert first.equals(second)
    assert not first.equals(other)


@pytest.mark.parametrize("label", [0, 1])
def test_all_rows_are_of_the_label_asked_for(label: int) -> None:
    assert set(drawn(300, label=label).columns["outcome"]) == {label}


@pytest.mark.parametrize("label", [-1, 2, 1000])
def test_a_label_that_nobody_had_is_refused(label: int) -> None:
    with pytest.raises(InputError, match="no row of class"):
        drawn(10, label=label)


def test_one_interface_reads_and_samples_it() -> None:
    sampler = read_sampler(MIXTURE.to_bytes())
    assert isinstance(sampler, MixtureSampler)
    assert sampler.kind == "mixture"
    first = Table.concat(list(sampler.tables(ENCODING, 700, 9, batch_size=256)))
    again = Table.concat(list(MixtureSampler(MIXTURE).tables(ENCODING, 700, 9, batch_size=256)))
    assert first.to_arrow().equals(again.to_arrow())
    assert first.rows == 700


def test_normal_scores_go_there_and_back() -> None:
    shares = np.linspace(1e-5, 1 - 1e-5, 5001)
    assert np.abs(cumulative(quantile(shares)) - shares).max() < 1e-7
    # Published: Φ(1.959964) = .975.
    assert quantile(np.asarray([0.975]))[0] == pytest.approx(1.959964, abs=1e-5)
    assert np.isfinite(quantile(np.asarray([0.0, 1.0]))).all()


def test_interpolation_without_a_search_is_numpys() -> None:
    random = np.random.default_rng(0)
    grid, values = np.linspace(-2.0, 3.0, 501), np.sort(random.random(501))
    points = np.concatenate([random.uniform(-4, 5, 2000), grid])
    np.testing.assert_allclose(
        even_interpolation(points, -2.0, 3.0, values), np.interp(points, grid, values), rtol=1e-9
    )


def test_quantiles_invert_in_the_tails_as_in_the_middle() -> None:
    scores = np.linspace(-REACH, REACH, 200_001)
    assert np.abs(quantile(cumulative(scores)) - scores).max() < 1e-9


def test_the_attack_is_the_area_under_the_curve() -> None:
    random = np.random.default_rng(0)
    train, validation = random.integers(5, 40, 300), random.integers(0, 35, 200)
    histograms = [np.bincount(values, minlength=64) for values in (train, validation)]
    result = likelihood_attack(histograms[0], histograms[1])
    wins = (train[:, None] > validation).mean() + 0.5 * (train[:, None] == validation).mean()
    assert result.auc == pytest.approx(wins)
    assert result.within(wins + result.error + 1e-9)
    assert not result.within(wins)


def test_an_attack_without_validation_rows_is_never_within_a_limit() -> None:
    counts = np.ones(8, np.int64)
    assert not likelihood_attack(counts, counts * 0).within(1.0)
    assert mean_of_histogram(counts * 0, (0.0, 2.0)) == 1.0


def test_a_batch_is_closer_to_the_mixture_than_independent_rows_would_be() -> None:
    """Independent draws of 4,000 rows stand .008 off a share of one half on one deviation; strata stay far below."""
    off = []
    for seed in range(20):
        table = Table.concat(list(sample_tables(MIXTURE, ENCODING, 4000, seed, batch_size=4000)))
        codes = table.columns["floor"]
        off.append(np.bincount(codes, minlength=3) / 4000)
    assert np.std(off, axis=0).max() < 0.002


def test_scores_of_a_component_keep_its_correlations() -> None:
    assert len(FORM.scores) > 1
    draws, random = Draws(MIXTURE), np.random.default_rng(1)
    covariance = MIXTURE.factors[0] @ MIXTURE.factors[0].T
    scores = draws.features(np.zeros(20_000, np.int64), random).scores
    np.testing.assert_allclose(np.cov(scores.T), covariance, atol=0.03 * covariance.max())
    np.testing.assert_allclose(scores.mean(axis=0), MIXTURE.means[0], atol=0.01)


def test_rows_of_many_components_follow_each_components_shares() -> None:
    draws, random = Draws(MIXTURE), np.random.default_rng(2)
    components = random.integers(0, MIXTURE.components, 60_000)
    units = draws.features(components, random).units
    for component in range(MIXTURE.components):
        rows = units[components == component]
        for unit, size in enumerate(FORM.unit_sizes):
            start = int(FORM.offsets[unit])
            made = np.bincount(rows[:, unit], minlength=size) / len(rows)
            # Strata: a code's count errs by two rows at the most, two more for what rounding leaves.
            assert np.abs(made - MIXTURE.shares[component, start : start + size]).max() < 4 / len(rows)
