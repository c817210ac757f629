"""The generators that audits are tested by have the faults that they are named for, and no other."""

from collections.abc import Sequence

import numpy as np
import pytest

from headwater.schema.table import Table
from support.likeness import column_distances
from support.reference_generators import GENERATORS, MINORITY, ROWS, SCHEMA, fixture, law, memoriser


def test_a_seed_gives_the_same_rows_again() -> None:
    first, second = fixture(3), fixture(3)
    for name in SCHEMA.names:
        np.testing.assert_array_equal(first[0].columns[name], second[0].columns[name])
        np.testing.assert_array_equal(first[1].columns[name], second[1].columns[name])


@pytest.mark.parametrize("name", sorted(GENERATORS))
def test_every_generator_gives_as_many_rows_as_it_was_fitted_to(name: str) -> None:
    train, _, random = fixture(0, train=700, holdout=10)
    assert GENERATORS[name](train, random).rows == 700


@pytest.mark.parametrize("share", [1.0, 0.2, 0.05])
def test_a_memoriser_covers_the_share_of_rows_that_drawing_with_replacement_covers(share: float) -> None:
    train, _, random = fixture(0)
    expected = 1 - np.exp(-share)
    # Five standard deviations of a binomial of this many rows.
    assert abs(_covered(train, memoriser(share)(train, random)) - expected) < 5 * np.sqrt(expected / ROWS)


def test_a_partial_copier_keeps_all_but_two_columns_of_one_row_in_ten() -> None:
    train, _, random = fixture(0)
    drawn = GENERATORS["partial-10"](train, random)
    assert _covered(train, drawn) == 0
    kept = [name for name in SCHEMA.names if name not in ("income", "illness")]
    # Five standard deviations of a binomial of this many rows.
    assert abs(_covered(train, drawn, kept) - 0.1) < 5 * np.sqrt(0.1 * 0.9 / ROWS)


@pytest.mark.parametrize("name", ["safe", "biased", "collapsed", "modes", "shifted"])
def test_no_other_copies_a_row(name: str) -> None:
    train, _, random = fixture(0)
    assert _covered(train, GENERATORS[name](train, random)) == 0


def test_ten_outliers_are_copied_and_nothing_else() -> None:
    train, _, random = fixture(0)
    assert _covered(train, GENERATORS["outliers"](train, random)) == pytest.approx(10 / ROWS)


def test_a_safe_sample_follows_the_law() -> None:
    train, _, random = fixture(1)
    # Kolmogorov-Smirnov at 1 in 1,000 for two samples of 2,000, over ten columns: 1.95 * sqrt(2 / 2000) = .062.
    assert max(column_distances(law(ROWS, random), GENERATORS["safe"](train, random)).values()) < 0.065


def test_the_biased_one_has_few_of_the_minority_and_refuses_them() -> None:
    train, _, random = fixture(0, train=6000)
    drawn, plain = GENERATORS["biased"](train, random), law(6000, random)
    minority = SCHEMA.columns[SCHEMA.names.index("origin")].categories.index(MINORITY)  # type: ignore[union-attr]
    shares, approved = [], []
    for table in (drawn, plain):
        of_it = table.columns["origin"] == minority
        shares.append(of_it.mean())
        approved.append(table.columns["approved"][of_it].mean())
    assert shares[0] / shares[1] == pytest.approx(0.36, abs=0.08)
    assert approved[0] / approved[1] == pytest.approx(1 / 3, abs=0.1)


def test_the_collapsed_one_has_sixty_rows() -> None:
    train, _, random = fixture(0)
    drawn = GENERATORS["collapsed"](train, random)
    assert len(np.unique(_rows(drawn), axis=0)) == 60


def test_rare_work_is_rare_and_outliers_are_there() -> None:
    table = law(20_000, np.random.default_rng(0))
    share = np.bincount(table.columns["work"], minlength=10) / table.rows
    assert 0 < share[8] < 0.002
    assert 0 < share[9] < 0.002
    score = table.columns["score"]
    assert (np.abs(score - score.mean()) > 4.5 * score.std()).any() or np.abs(score).max() > 8


def _rows(table: Table, names: Sequence[str] = SCHEMA.names) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    columns = [np.asarray(table.columns[name], np.float64) for name in names]
    return np.asarray(np.nan_to_num(np.stack(columns, axis=1), nan=-1e9))


def _covered(train: Table, drawn: Table, names: Sequence[str] = SCHEMA.names) -> float:
    """Share of training rows that stand among the drawn ones, by these columns."""
    there = {row.tobytes() for row in _rows(drawn, names)}
    return float(np.mean([row.tobytes() in there for row in _rows(train, names)]))
