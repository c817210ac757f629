"""Federated EM is the pooled EM, and EM is what it should be."""

from dataclasses import replace

import numpy as np
import pytest

from headwater.errors import InputError
from headwater.mixture import density
from headwater.mixture.expectation import DENSITY_BINS, Statistics, expect, log_densities
from headwater.mixture.form import RowFeatures
from headwater.mixture.maximisation import maximise
from headwater.mixture.parameters import Mixture
from headwater.mixture.vector import StatisticsCode, components_within, values_of
from support.mixtures import SETTINGS, mixture_of, part_of, together

TABLE, ENCODING, FORM, ROWS = together()
NOBODY = part_of(ROWS, np.zeros(0, np.int64))


def slow_log_density(mixture: Mixture, rows: RowFeatures, row: int) -> float:
    """The oracle: one row, one component at a time, straight from the definition."""
    densities = []
    for k in range(mixture.components):
        if mixture.classes[k] != rows.classes[row]:
            continue
        value = np.log(mixture.weights[k])
        for unit, start in enumerate(mixture.form.offsets[:-1]):
            value += np.log(mixture.shares[k, start + rows.units[row, unit]])
        covariance = mixture.factors[k] @ mixture.factors[k].T
        away = rows.scores[row] - mixture.means[k]
        value -= 0.5 * away @ np.linalg.solve(covariance, away)
        value -= 0.5 * np.linalg.slogdet(2 * np.pi * covariance)[1]
        densities.append(value)
    return float(np.logaddexp.reduce(densities))


def summed(parts: list[Statistics]) -> Statistics:
    return Statistics(
        sum(part.sums for part in parts),  # type: ignore[arg-type]
        sum(part.density for part in parts),
        sum(part.train for part in parts),  # type: ignore[arg-type]
        sum(part.validation for part in parts),  # type: ignore[arg-type]
    )


def test_log_densities_are_those_of_the_definition() -> None:
    assert FORM.scores
    mixture = mixture_of(FORM, ROWS)
    found = log_densities(mixture, ROWS)
    for row in range(0, len(found), 50):
        assert found[row] == pytest.approx(slow_log_density(mixture, ROWS, row), abs=1e-5)


def test_responsibilities_sum_to_the_rows_and_to_each_units_counts() -> None:
    mixture = mixture_of(FORM, ROWS)
    statistics = expect(mixture, ROWS, NOBODY)
    # Codes are counted in float32: the checks of a run's totals allow for 1e-5 of the rows.
    assert statistics.sums[:, 0].sum() == pytest.approx(len(ROWS.classes), rel=1e-6)
    for unit, size in enumerate(FORM.unit_sizes):
        start = 1 + int(FORM.offsets[unit])
        counted = statistics.sums[:, start : start + size].sum(axis=0)
        np.testing.assert_allclose(counted, np.bincount(ROWS.units[:, unit], minlength=size), rtol=1e-6, atol=1e-6)
    assert statistics.train.sum() == len(ROWS.classes)
    assert statistics.validation.sum() == 0


@pytest.mark.parametrize("cuts", [(200, 400), (3, 5), (1, 599), (600,)])
def test_federated_em_is_the_pooled_em_whatever_the_partition(cuts: tuple[int, ...]) -> None:
    code = StatisticsCode.for_rows(len(ROWS.classes), 24)
    parts = np.split(np.random.default_rng(1).permutation(len(ROWS.classes)), cuts)
    pooled = federated = mixture_of(FORM, ROWS)
    for _ in range(5):
        pooled = maximise(pooled, expect(pooled, ROWS, NOBODY), SETTINGS)
        # Each organisation rounds to integers of its own; these are summed.
        integers = sum(
            code.integers(expect(federated, part_of(ROWS, part), NOBODY), FORM) for part in parts if len(part)
        )
        assert isinstance(integers, np.ndarray)
        federated = maximise(federated, code.statistics(integers, FORM, federated.components), SETTINGS)
    np.testing.assert_allclose(federated.weights, pooled.weights, atol=1e-4)
    np.testing.assert_allclose(federated.shares, pooled.shares, atol=1e-4)
    np.testing.assert_allclose(federated.means, pooled.means, atol=1e-4)
    np.testing.assert_allclose(federated.factors, pooled.factors, atol=1e-4)


def test_the_penalised_likelihood_rises_with_every_round() -> None:
    mixture, before = mixture_of(FORM, ROWS), -np.inf
    gentle = SETTINGS.model_copy(update={"smoothing": 1e-3, "shrinkage": 1e-3})
    for _ in range(10):
        statistics = expect(mixture, ROWS, NOBODY)
        # Smoothing this weak moves the likelihood by far less than a round does.
        assert statistics.density >= before - 0.5
        before = statistics.density
        mixture = maximise(mixture, statistics, gentle)


def test_statistics_come_back_from_their_integers() -> None:
    mixture = mixture_of(FORM, ROWS)
    statistics = expect(mixture, ROWS, part_of(ROWS, np.arange(30)))
    code = StatisticsCode.for_rows(len(ROWS.classes), 24)
    integers = code.integers(statistics, FORM)
    assert len(integers) == values_of(FORM, mixture.components)
    back = code.statistics(integers, FORM, mixture.components)
    cells = 1 + FORM.cells
    np.testing.assert_allclose(back.sums[:, :cells], statistics.sums[:, :cells], atol=1e-3)
    np.testing.assert_allclose(back.sums[:, cells:], statistics.sums[:, cells:], atol=1e-6)
    assert back.density == pytest.approx(statistics.density, abs=1e-5)
    assert np.array_equal(back.train, statistics.train)
    assert np.array_equal(back.validation, statistics.validation)


@pytest.mark.parametrize("value_bits", [12, 16, 24, 28])
def test_no_integer_passes_the_value_bits_even_where_every_row_is_the_most_extreme(value_bits: int) -> None:
    rows = 1000
    extreme = RowFeatures(
        np.zeros(rows, np.int32),
        np.zeros((rows, len(FORM.unit_sizes)), np.int32),
        np.full((rows, len(FORM.scores)), -4.5),
    )
    statistics = expect(mixture_of(FORM, ROWS), extreme, extreme)
    code = StatisticsCode.for_rows(rows, value_bits)
    assert int(np.abs(code.integers(statistics, FORM)).max()) < 1 << value_bits


def test_a_codes_budget_bounds_the_components() -> None:
    for budget in (2_000, 10_000, 100_000):
        most = components_within(FORM, budget)
        assert values_of(FORM, most) <= budget or most == 1
        assert values_of(FORM, most + 1) > budget


def narrow(mixture: Mixture) -> Mixture:
    """Within every bound of a mixture, and its covariances have no inverse that float64 could hold."""
    scores = len(mixture.form.scores)
    factor = np.tril(np.full((scores, scores), 1e3), -1) + 1e-3 * np.eye(scores)
    return replace(mixture, factors=np.repeat(factor[None], mixture.components, axis=0))


@pytest.mark.parametrize("rows", [ROWS, NOBODY])
def test_covariances_without_an_inverse_are_refused_and_not_counted(rows: RowFeatures) -> None:
    hostile = narrow(mixture_of(FORM, ROWS))
    with pytest.raises(InputError, match="no inverse"):
        expect(hostile, rows, ROWS)
    with pytest.raises(InputError, match="no inverse"):
        log_densities(hostile, rows)


def test_few_rows_at_a_time_where_a_mixture_is_wide_give_the_same_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    mixture = mixture_of(FORM, ROWS)
    whole = expect(mixture, ROWS, ROWS)
    monkeypatch.setattr(density, "_MOST_VALUES", 7 * density.feature_count(FORM))
    assert max(len(positions) for _, positions in density.chunks(ROWS, mixture)) == 7
    parts = expect(mixture, ROWS, ROWS)
    np.testing.assert_allclose(parts.sums, whole.sums, rtol=1e-5, atol=1e-4)
    assert parts.density == pytest.approx(whole.density, rel=1e-6)


def test_a_row_of_a_class_or_combination_that_nobody_had_changes_nothing_but_the_histogram() -> None:
    mixture = mixture_of(FORM, ROWS)
    strange = RowFeatures(ROWS.classes[:1], ROWS.units[:1].copy(), ROWS.scores[:1])
    strange.units[0, 0] = -1
    statistics = expect(mixture, strange, strange)
    assert np.isfinite(statistics.sums).all()
    assert statistics.train.sum() == statistics.validation.sum() == 1
    assert len(statistics.train) == DENSITY_BINS
