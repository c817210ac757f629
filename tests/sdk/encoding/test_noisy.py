"""Codes and bins from noisy histograms."""

import numpy as np
import pytest
from numpy.typing import NDArray

from headwater.encoding.grid import CategoryGrid, Histograms
from headwater.encoding.noisy import NoisyMarginal, coarse_encoding, noisy_encoding, total_rows
from headwater.encoding.settings import EncodingSettings
from headwater.schema import NumericColumn, Schema
from support.recipes import SCHEMA, small_table

SETTINGS = EncodingSettings(grid_cells=128, numeric_codes=16)
HISTOGRAMS = Histograms.of(SCHEMA, SETTINGS)
COUNTS = HISTOGRAMS.count(small_table(20_000))


def noisy(sigma: float, seed: int = 0) -> list[NDArray[np.float64]]:
    counts = COUNTS + np.rint(np.random.default_rng(seed).normal(0, sigma, len(COUNTS)))
    return [part[:, None] for part in HISTOGRAMS.split(counts)]


@pytest.mark.parametrize("sigma", [1.0, 20.0, 200.0, 5000.0])
def test_codes_cover_every_cell_whatever_the_noise(sigma: float) -> None:
    encoding = noisy_encoding(SCHEMA, noisy(sigma), sigma**2, 20_000, SETTINGS, 4)
    for column, grid in zip(encoding.columns, HISTOGRAMS.grids, strict=True):
        assert len(column.code_of_cell) == grid.cells
        assert set(column.code_of_cell.tolist()) == set(range(column.size))
        assert column.masses.min() >= 0
    assert encoding.encode(small_table(50)).shape == (50, len(SCHEMA.columns))
    table = encoding.decode(encoding.encode(small_table(200)), np.random.default_rng(0))
    assert table.rows == 200


def test_more_noise_leaves_fewer_codes() -> None:
    sizes = [sum(noisy_encoding(SCHEMA, noisy(s), s**2, 20_000, SETTINGS, 4).sizes) for s in (1.0, 100.0, 1000.0)]
    assert sizes[0] > sizes[1] > sizes[2]


def test_special_values_and_missing_keep_codes_of_their_own() -> None:
    encoding = noisy_encoding(SCHEMA, noisy(300.0), 300.0**2, 20_000, SETTINGS, 4)
    income = encoding.columns[1]
    codes = income.code_of_cell
    assert (codes == codes[0]).sum() == 1
    assert (codes == codes[-1]).sum() == 1


def test_a_value_that_many_rows_share_stands_alone() -> None:
    encoding = noisy_encoding(SCHEMA, noisy(20.0), 400.0, 20_000, SETTINGS, 4)
    income = encoding.columns[1]
    zero = int(income.grid.locate(np.array([0.0]))[0])
    assert (income.code_of_cell == income.code_of_cell[zero]).sum() == 1


def test_coarse_bins_join_codes_and_keep_order() -> None:
    encoding = noisy_encoding(SCHEMA, noisy(5.0), 25.0, 20_000, SETTINGS, 4)
    shares = [np.asarray(counts, float) for counts in encoding.counts]
    coarse, maps = coarse_encoding(encoding, shares, [4] * len(SCHEMA.columns))
    for place, (fine, joined, bins) in enumerate(zip(encoding.columns, coarse.columns, maps, strict=True)):
        assert np.array_equal(bins[fine.code_of_cell], joined.code_of_cell)
        extra = 0 if isinstance(fine.grid, CategoryGrid) else len(fine.grid.special) + int(fine.grid.column.missing)
        assert joined.size <= 4 + extra, SCHEMA.names[place]
    age = maps[0]
    assert (np.diff(age) >= 0).all()


def test_the_number_of_rows_is_read_from_the_quietest_tables() -> None:
    def table(total: float, variance: float) -> NoisyMarginal:
        return NoisyMarginal((0,), (np.arange(4, dtype=np.int32),), np.full(4, total / 4), np.full(4, variance))

    assert total_rows([table(1000, 1.0), table(2000, 1e9)]) == pytest.approx(1000, abs=0.01)
    assert total_rows([table(-50, 1.0)]) == 1.0


def test_a_number_of_few_cells_keeps_them_all_as_codes() -> None:
    schema = Schema(name="steps", columns=(NumericColumn(name="step", lower=1, upper=6, integer=True, missing=True),))
    drowned = [np.random.default_rng(1).normal(0, 1000, (7, 1))]
    assert noisy_encoding(schema, drowned, 1e6, 500, SETTINGS, 6).sizes == (7,)
    assert noisy_encoding(schema, drowned, 1e6, 500, SETTINGS, 5).sizes < (7,)
