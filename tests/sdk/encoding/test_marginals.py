"""Contingency tables, their choice, and super-columns."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.encoding.groups import dependence, propose_groups, settle_groups
from headwater.encoding.marginals import (
    Marginal,
    cells_of,
    choose_subsets,
    count,
    marginalise,
    pairs_within,
    with_pairs,
)
from headwater.errors import InputError


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.integers(0, 30), st.integers(0, 10_000))
def test_counts_agree_with_counting_one_row_at_a_time(sizes: list[int], rows: int, seed: int) -> None:
    codes = np.random.default_rng(seed).integers(0, sizes, (rows, len(sizes))).astype(np.int32)
    subsets = [s for k in (1, 2, 3) for s in itertools.combinations(range(len(sizes)), k)]
    for subset, table in zip(subsets, count(codes, sizes, subsets), strict=True):
        slow = np.zeros([sizes[column] for column in subset], dtype=int)
        for row in codes:
            slow[tuple(row[list(subset)])] += 1
        assert np.array_equal(table, slow.reshape(-1))


def test_a_marginal_summed_down_is_the_marginal_counted() -> None:
    sizes = (3, 2, 4)
    codes = np.random.default_rng(0).integers(0, sizes, (200, 3)).astype(np.int32)
    whole, pair, one = (t.astype(float) for t in count(codes, sizes, [(0, 1, 2), (0, 2), (1,)]))
    assert np.array_equal(marginalise(Marginal((0, 1, 2), whole), sizes, (0, 2)).counts, pair)
    assert np.array_equal(marginalise(Marginal((0, 1, 2), whole), sizes, (1,)).counts, one)


def test_a_code_outside_its_column_is_refused() -> None:
    with pytest.raises(InputError, match="range"):
        count(np.array([[0, 5]], np.int32), (2, 2), [(0, 1)])


def test_columns_that_a_marginal_lacks_are_refused() -> None:
    with pytest.raises(InputError, match="not all among"):
        marginalise(Marginal((0, 1), np.ones(4)), (2, 2, 2), (0, 2))


def test_with_a_label_every_pair_is_counted_together_with_it() -> None:
    assert choose_subsets((2, 3, 4), 1, 1000) == [(0, 1, 2)]
    assert set(choose_subsets((2,) * 5, 4, 10_000)) == {(*p, 4) for p in itertools.combinations(range(4), 2)}


@given(st.integers(2, 30), st.integers(0, 3000), st.booleans())
def test_chosen_tables_are_within_the_budget_and_every_column_is_in_one(columns: int, budget: int, label: bool) -> None:
    sizes = [5] * columns
    target = columns - 1 if label else None
    chosen = choose_subsets(sizes, target, budget)
    assert len(set(chosen)) == len(chosen)
    assert set(itertools.chain(*chosen)) == set(range(columns)) or budget < 25 * columns
    least = sum(cells_of(sizes, (f, target)) for f in range(columns - 1)) if target is not None else 5 * columns
    assert sum(cells_of(sizes, subset) for subset in chosen) <= max(budget, least)


def test_a_small_budget_gives_each_column_its_share_of_pairs() -> None:
    chosen = choose_subsets([10] * 20, None, 40 * 100)
    uses = np.bincount(list(itertools.chain(*chosen)), minlength=20)
    assert uses.tolist() == [4] * 20


def test_pairs_come_from_the_triples_that_hold_them_once() -> None:
    sizes = (2, 3, 2, 2)
    codes = np.random.default_rng(1).integers(0, sizes, (100, 4)).astype(np.int32)
    triples = choose_subsets(sizes, 3, 1000)
    counted = [Marginal(s, t.astype(float)) for s, t in zip(triples, count(codes, sizes, triples), strict=True)]
    derived = with_pairs(counted, sizes)
    pairs = [m for m in derived if len(m.columns) == 2]
    assert [m.columns for m in pairs] == list(itertools.combinations(range(4), 2))
    for marginal in pairs:
        assert np.array_equal(marginal.counts, count(codes, sizes, [marginal.columns])[0])


def test_dependence_is_one_for_a_function_and_nought_for_independent_columns() -> None:
    assert dependence(np.diag([30.0, 40.0, 30.0])) == pytest.approx(1, abs=0.03)
    assert dependence(np.full((4, 4), 1000.0)) == 0
    assert dependence(np.zeros((2, 2))) == 0
    assert dependence(np.array([[5.0, 5.0]])) == 0


def test_few_rows_of_independent_columns_do_not_look_dependent() -> None:
    random = np.random.default_rng(0)
    tables = [count(random.integers(0, 10, (200, 2)).astype(np.int32), (10, 10), [(0, 1)])[0] for _ in range(50)]
    values = [dependence(table.reshape(10, 10).astype(float)) for table in tables]
    # Uncorrected, 81 cells' worth of chance over 200 rows is .2 nats of 2.3.
    assert np.mean(values) < 0.03


def dependent(rows: int = 2000) -> tuple[np.ndarray, tuple[int, ...]]:
    random = np.random.default_rng(3)
    first = random.integers(0, 4, rows)
    second = (first + (random.random(rows) < 0.05)) % 4
    third = (second + (random.random(rows) < 0.05)) % 4
    return np.stack([first, second, third, random.integers(0, 4, rows)], axis=1).astype(np.int32), (4, 4, 4, 4)


def pairs_of(codes: np.ndarray, sizes: tuple[int, ...]) -> list[Marginal]:
    subsets = list(itertools.combinations(range(len(sizes)), 2))
    return [Marginal(s, t.astype(float)) for s, t in zip(subsets, count(codes, sizes, subsets), strict=True)]


LIMITS = {"threshold": 0.2, "most_columns": 3, "most_combinations": 160, "most_cells": 10_000}


def test_dependent_columns_form_a_group_and_an_independent_one_stays_out() -> None:
    codes, sizes = dependent()
    assert propose_groups(pairs_of(codes, sizes), sizes, **LIMITS) == [(0, 1, 2)]  # type: ignore[arg-type]


@pytest.mark.parametrize("limit", [{"most_columns": 2}, {"most_cells": 20}])
def test_groups_keep_to_their_limits(limit: dict[str, int]) -> None:
    codes, sizes = dependent()
    groups = propose_groups(pairs_of(codes, sizes), sizes, **(LIMITS | limit))  # type: ignore[arg-type]
    assert [len(group) for group in groups] == [2]


def test_a_group_keeps_every_combination_that_has_rows() -> None:
    codes, sizes = dependent()
    joint = Marginal((0, 1, 2), count(codes, sizes, [(0, 1, 2)])[0].astype(float))
    (group,) = settle_groups([joint], sizes, most_combinations=160)
    assert {tuple(row) for row in group.combinations} == {tuple(row) for row in codes[:, :3].tolist()}


def test_a_group_with_too_many_combinations_gives_up_its_weakest_column() -> None:
    codes, sizes = dependent()
    codes, sizes = codes[:, [0, 1, 3]], (4, 4, 4)
    joint = Marginal((0, 1, 2), count(codes, sizes, [(0, 1, 2)])[0].astype(float))
    (group,) = settle_groups([joint], sizes, most_combinations=12)
    assert group.columns == (0, 1)


def test_a_pair_with_too_many_combinations_is_no_group() -> None:
    assert settle_groups([Marginal((0, 1), np.ones(16))], (4, 4), most_combinations=8) == []


def test_the_pairs_of_a_very_wide_table_are_looked_at_no_further_than_the_budget_reaches() -> None:
    """Ten thousand columns have fifty million pairs: a list of them would take gigabytes and minutes."""
    sizes = [32] * 10_000
    assert len(pairs_within(range(10_000), sizes, 1_000_000, label=0, first=range(9_000))) == 1_000_000 // 32**2
    assert len(choose_subsets(sizes, None, 1_000_000)) == 1_000_000 // 32**2
    assert len(choose_subsets(sizes, 0, 1_000_000)) == 9_999


def test_pairs_with_the_label_come_first_then_those_of_the_columns_named_first() -> None:
    sizes = (2, 3, 4, 5, 6)
    chosen = pairs_within(range(5), sizes, 10_000, label=4, first=(0, 3))
    assert chosen[:4] == [(0, 4), (1, 4), (2, 4), (3, 4)]
    assert chosen[4] == (0, 3)
    assert sorted(chosen) == sorted(itertools.combinations(range(5), 2))


@pytest.mark.parametrize("budget", [0, 10, 50, 99, 500])
def test_pairs_stay_within_the_budget_however_wide_the_table(budget: int) -> None:
    sizes = [5] * 30
    chosen = pairs_within(range(30), sizes, budget, label=2)
    assert sum(cells_of(sizes, pair) for pair in chosen) <= budget
    assert len(chosen) == min(budget // 25, 30 * 29 // 2)
    assert len(set(chosen)) == len(chosen)
