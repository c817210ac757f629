"""Other fits to a budget than the default one: what bounds them, and that they are measured as it is."""

import pathlib

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from headwater.contribution.execution import sample_table
from headwater.encoding.noisy import NoisyMarginal
from headwater.generator.private_fit.tables import Tables
from headwater.generator.sampling import sample_codes
from headwater.mixture.form import Form, RowFeatures
from headwater.mixture.parameters import Mixture
from headwater.mixture.start import first_mixture
from headwater.privacy.accountant import spent
from headwater.privacy.budget import Budget
from headwater.privacy.events import NoisyCounts
from headwater.recipe.actions import FitNoisy
from headwater.recipe.private_settings import PrivateSettings
from headwater_server.simulation.inputs import read_inputs
from privacy.fits import measuring
from privacy.fits.network import fit_network, unbiased_misfit
from privacy.fits.noised_em import posterior_sums, sums_in_budget, tables_of
from privacy.fits.settings import EmFit, NetworkFit
from privacy.rows import FITS
from support.magic_table import write_magic

FORM = Form((5, 3, 2, 4), 2, (), ())
UNITS = 150


def mixture(components: int, seed: int = 0) -> Mixture:
    flat = [np.ones(size) for size in FORM.unit_sizes]
    return first_mixture(FORM, flat, np.full(FORM.classes, components), np.random.default_rng(seed))


def rows(count: int, seed: int = 0) -> RowFeatures:
    random = np.random.default_rng(seed)
    units = np.stack([random.integers(size, size=count) for size in FORM.unit_sizes], axis=1)
    return RowFeatures(random.integers(2, size=count).astype(np.int32), units.astype(np.int32), np.zeros((count, 0)))


def moved(fitted: Mixture, everybody: RowFeatures, left_out: int) -> float:
    """How far the sums lie from those without one record, in Euclidean norm."""
    kept = np.arange(len(everybody.classes)) != left_out
    apart = posterior_sums(fitted, everybody, UNITS) - posterior_sums(fitted, everybody.take(kept), UNITS)
    return float(np.sqrt(np.square(apart.astype(np.float64)).sum()))


@pytest.mark.parametrize("components", [1, 2, 7, 40])
def test_one_record_moves_the_sums_by_no_more_than_the_root_of_the_columns(components: int) -> None:
    everybody, fitted = rows(60), mixture(components)
    furthest = max(moved(fitted, everybody, place) for place in range(60))

    # Every column of the table but the label, whose codes are classes, and the components' rows: as many as columns.
    assert tables_of(FORM) == len(FORM.sizes)
    assert furthest <= UNITS * np.sqrt(tables_of(FORM)) + 1e-9


def test_the_bound_is_reached_where_one_component_has_all_of_a_record() -> None:
    assert moved(mixture(1), rows(10), 3) == pytest.approx(UNITS * np.sqrt(tables_of(FORM)))


def test_every_record_counts_whole_in_each_column() -> None:
    sums = posterior_sums(mixture(7), rows(60), UNITS)

    assert sums[:, 0].sum() == 60 * UNITS
    assert (np.add.reduceat(sums[:, 1:].sum(axis=0), FORM.offsets[:-1]) == 60 * UNITS).all()


def test_rounds_and_what_stands_beside_them_keep_the_budget() -> None:
    encoder = NoisyCounts(2000, 3)
    sums = sums_in_budget(FORM, 6, 1.0, 1e-6, 3, [encoder])

    assert 0.98 < spent([encoder, sums.event], 1e-6).epsilon <= 1.0
    assert sums.units * np.sqrt(tables_of(FORM)) <= sums.event.sensitivity
    assert sums.event.steps == 6


def test_noised_sums_carry_what_honest_members_and_the_others_add() -> None:
    sums = sums_in_budget(FORM, 6, 1.0, 1e-6, 3, [NoisyCounts(2000, 3)])
    noise, deviation = sums.noised([np.zeros((100, 50), np.int64)] * 5)

    # Of 5,000 values the deviation is within 5 % with a chance far above .999.
    assert noise.std() == pytest.approx(deviation, rel=0.05)
    assert deviation * sums.units == pytest.approx(np.sqrt(sums.event.variance * 5 / 3), rel=1e-3)


def test_half_batches_take_out_what_a_batch_adds_by_chance() -> None:
    sizes = (3, 2, 4)
    random = np.random.default_rng(1)
    tables = Tables(
        [
            NoisyMarginal(columns, _identities(*(sizes[c] for c in columns)), counts, np.full(counts.size, 9.0))
            for columns in ((0, 1), (1, 2), (0, 1, 2))
            for counts in [random.uniform(50, 200, size=int(np.prod([sizes[c] for c in columns])))]
        ],
        sizes,
        1,
        coupling=1.0,
    )
    first, classes, last = (torch.from_numpy(random.dirichlet([0.3] * n, 20_000)).float() for n in sizes)
    cells = torch.cat([first, last], dim=1)
    whole = float(unbiased_misfit(tables, classes, cells))
    batches = zip(torch.split(classes, 20), torch.split(cells, 20), strict=True)
    estimates = [float(unbiased_misfit(tables, *batch)) for batch in batches]

    # A thousand batches: their mean is within four of its standard errors with a chance above .999.
    assert np.mean(estimates) == pytest.approx(whole, abs=4 * np.std(estimates) / np.sqrt(len(estimates)))


def test_columns_that_the_default_holds_as_one_are_one_head_of_the_network() -> None:
    # The third column says what the second says, the first is independent of both; the fourth is the label.
    held = 6000 * np.einsum("a,b,bc,y->abcy", [0.1, 0.1, 0.8], [0.5, 0.3, 0.2], np.eye(3), [0.4, 0.6])
    counted = [(0, 3), (1, 3), (2, 3), (0, 1, 3), (0, 2, 3), (1, 2, 3)]
    tables = [held.sum(axis=tuple({0, 1, 2, 3} - set(columns))) for columns in counted]
    marginals = [
        NoisyMarginal(columns, _identities(*table.shape), table.reshape(-1), np.full(table.size, 100.0))
        for columns, table in zip(counted, tables, strict=True)
    ]
    noisy = FitNoisy((3, 3, 3, 2), 3, tuple(marginals), PrivateSettings(), seed=1)
    model, _ = fit_network(noisy, NetworkFit(width=8, blocks=0, steps=150))
    codes = np.concatenate(list(sample_codes(model, 8000, seed=1)))

    assert [group.columns for group in model.spec.groups] == [(1, 2)]
    assert (codes[:, 1] == codes[:, 2]).all()
    # A head fitted in another's place would have the other's shares.
    assert np.bincount(codes[:, 0]) / 8000 == pytest.approx([0.1, 0.1, 0.8], abs=0.05)


def _identities(*sizes: int) -> tuple[NDArray[np.int32], ...]:
    return tuple(np.arange(size, dtype=np.int32) for size in sizes)


def test_a_network_is_fitted_to_the_default_recipes_rounds(tmp_path: pathlib.Path) -> None:
    budget = Budget(epsilon=8.0)
    inputs = read_inputs(write_magic(tmp_path), "class", 5, "iid", seed=1, budget=budget)
    fitted = measuring.make_network(inputs, NetworkFit(width=8, blocks=0, steps=3))

    assert spent(fitted.events, budget.delta).epsilon <= 8.0
    assert len(fitted.events) == 3


def test_noised_em_keeps_the_budget_with_its_codes(tmp_path: pathlib.Path) -> None:
    budget, changes = Budget(epsilon=8.0), measuring.em_changes(EmFit())
    inputs = read_inputs(write_magic(tmp_path), "class", 5, "iid", seed=1, changes=changes, budget=budget)
    fitted = measuring.make_em(inputs)

    assert 7.8 < spent(fitted.events, budget.delta).epsilon <= 8.0
    assert fitted.cost.bytes_up > 0
    assert sample_table(fitted.model, fitted.encoding, 50, seed=1).rows == 50


def test_every_fit_of_the_benchmark_is_made() -> None:
    assert set(measuring.MAKERS) == set(FITS)
