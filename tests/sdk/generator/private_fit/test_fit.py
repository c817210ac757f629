"""A mixture fitted to noisy tables."""

import numpy as np
import pytest
from numpy.typing import NDArray

from headwater.encoding.marginals import cells_of, count
from headwater.encoding.noisy import NoisyMarginal
from headwater.errors import InputError
from headwater.generator.private_fit import fit_private
from headwater.mixture.parameters import Mixture
from headwater.recipe.private_settings import PrivateSettings

SIZES = (4, 3, 5, 2)
LABEL = 3
ROWS = 20_000
SETTINGS = PrivateSettings(components=8, fits=1, steps=250)


def rows(seed: int = 0) -> NDArray[np.int32]:
    """Two hidden groups; the first three columns and the label follow the group."""
    random = np.random.default_rng(seed)
    group = random.random(ROWS) < 0.4
    codes = np.empty((ROWS, 4), np.int32)
    for column, size in enumerate(SIZES):
        low = np.minimum(random.geometric(0.7, ROWS) - 1, size - 1)
        codes[:, column] = np.where(group, size - 1 - low, low)
    return codes


CODES = rows()


def table(
    subset: tuple[int, ...],
    sigma: float,
    random: np.random.Generator,
    codes: NDArray[np.int32] = CODES,
    sizes: tuple[int, ...] = SIZES,
) -> NoisyMarginal:
    exact = count(codes, sizes, [subset])[0].astype(np.float64)
    maps = tuple(np.arange(sizes[column], dtype=np.int32) for column in subset)
    variance = np.full(cells_of(sizes, subset), max(sigma, 1.0) ** 2)
    return NoisyMarginal(subset, maps, exact + random.normal(0, sigma, len(exact)), variance)


def tables(sigma: float, *, pairs: bool = True, labelled: bool = True) -> list[NoisyMarginal]:
    random = np.random.default_rng(1)
    end = (LABEL,) if labelled else ()
    features = [0, 1, 2] if labelled else [0, 1, 2, 3]
    found = [table((feature, *end), sigma, random) for feature in features]
    joined = [(first, second) for first in features for second in features if first < second]
    return found + [table((*pair, *end), sigma, random) for pair in joined if pairs]


def pair_shares(mixture: Mixture, first: int, second: int) -> NDArray[np.float64]:
    """The mixture's own joint shares of two columns that are units."""
    form = mixture.form
    places = [form.alone.index(column) for column in (first, second)]
    parts = [mixture.shares[:, form.offsets[place] : form.offsets[place + 1]] for place in places]
    joint: NDArray[np.float64] = np.einsum("k,ka,kb->ab", mixture.weights, *parts)
    return joint


def error(mixture: Mixture) -> float:
    """Worst total variation of a pair of features."""
    worst = 0.0
    for pair in ((0, 1), (0, 2), (1, 2)):
        exact = count(CODES, SIZES, [pair])[0].reshape([SIZES[c] for c in pair]) / ROWS
        worst = max(worst, 0.5 * float(np.abs(pair_shares(mixture, *pair) - exact).sum()))
    return worst


def test_exact_tables_are_met() -> None:
    fit = fit_private(tables(0.0), SIZES, LABEL, SETTINGS.model_copy(update={"pull": 0.0, "steps": 800}), 1)
    assert error(fit.mixture) < 0.01
    labels = np.bincount(fit.mixture.classes, weights=fit.mixture.weights)
    assert labels == pytest.approx(np.bincount(CODES[:, LABEL]) / ROWS, abs=0.005)


def test_noisy_tables_of_pairs_say_more_than_columns_alone() -> None:
    with_pairs = fit_private(tables(60.0), SIZES, LABEL, SETTINGS, 1)
    without = fit_private(tables(60.0, pairs=False), SIZES, LABEL, SETTINGS, 1)
    assert error(with_pairs.mixture) < 0.5 * error(without.mixture)
    assert with_pairs.misfit == pytest.approx(1.0, abs=0.5)


def test_negative_cells_leave_a_distribution() -> None:
    fit = fit_private(tables(20_000.0), SIZES, LABEL, SETTINGS, 1)
    assert np.isfinite(fit.mixture.shares).all()
    assert fit.mixture.shares.min() > 0


def test_a_table_without_label_is_one_class() -> None:
    fit = fit_private(tables(30.0, labelled=False), SIZES, None, SETTINGS, 1)
    assert fit.mixture.form.classes == 1
    assert error(fit.mixture) < 0.06


def test_equal_seeds_give_equal_bytes_and_several_fits_stand_side_by_side() -> None:
    short = SETTINGS.model_copy(update={"steps": 5, "fits": 3})
    first, again, other = (fit_private(tables(30.0), SIZES, LABEL, short, seed).mixture for seed in (1, 1, 9))
    assert first.to_bytes() == again.to_bytes()
    assert first.to_bytes() != other.to_bytes()
    assert first.components == 3 * 2 * SETTINGS.components
    assert first.weights.sum() == pytest.approx(1.0)


def test_coarse_bins_of_pairs_count_for_the_codes_in_them() -> None:
    fine = tables(0.0)
    bins = np.array([0, 0, 1, 1, 1], np.int32)
    joined = []
    for marginal in fine:
        if 2 not in marginal.columns or len(marginal.columns) < 3:
            joined.append(marginal)
            continue
        axis = marginal.columns.index(2)
        counts = np.apply_along_axis(
            lambda line: np.bincount(bins, weights=line), axis, marginal.counts.reshape(marginal.shape)
        )
        maps = tuple(
            bins if column == 2 else kept for column, kept in zip(marginal.columns, marginal.maps, strict=True)
        )
        joined.append(NoisyMarginal(marginal.columns, maps, counts.reshape(-1), np.ones(counts.size)))
    fit = fit_private(joined, SIZES, LABEL, SETTINGS.model_copy(update={"pull": 0.0, "steps": 800}), 1)
    exact = count(CODES, SIZES, [(0, 2)])[0].reshape(4, 5) / ROWS
    made = pair_shares(fit.mixture, 0, 2)
    for part in (slice(0, 2), slice(2, 5)):
        assert made[:, part].sum(axis=1) == pytest.approx(exact[:, part].sum(axis=1), abs=0.006)


def test_a_column_that_nothing_counts_is_refused() -> None:
    with pytest.raises(InputError, match="column 2 stands in no table"):
        fit_private([each for each in tables(1.0) if 1 not in each.columns], SIZES, LABEL, SETTINGS, 1)


def test_rows_of_columns_that_determine_each_other_never_contradict_themselves() -> None:
    codes, sizes = CODES.copy(), (4, 4, 5, 2)
    codes[:, 1] = 3 - codes[:, 0]
    random = np.random.default_rng(1)
    subsets = [(0, 3), (1, 3), (2, 3), (0, 1, 3), (0, 2, 3), (1, 2, 3)]
    found = [table(subset, 30.0, random, codes, sizes) for subset in subsets]
    fit = fit_private(found, sizes, LABEL, SETTINGS, 1)
    (group,) = fit.mixture.form.groups
    assert group.columns == (0, 1)
    assert (group.combinations.sum(axis=1) == 3).all()
    assert fit.misfit == pytest.approx(1.0, abs=0.5)
    held = fit.mixture.weights @ fit.mixture.shares[:, : len(group.combinations)]
    assert held == pytest.approx(np.bincount(codes[:, 0]) / ROWS, abs=0.01)
    kept_apart = SETTINGS.model_copy(update={"coupling": 1.0, "steps": 2})
    tables_apart = [marginal for marginal in found if marginal.columns != (0, 1, 3)]
    assert fit_private(tables_apart, sizes, LABEL, kept_apart, 1).mixture.form.groups == ()
