"""What is fitted and released under a budget follows from noisy sums and the plan, and from nothing else."""

import numpy as np

from headwater.schema.table import Table
from support.private import assert_sums_alone_give_the_release, followed, private_plan, released
from support.recipes import small_table

PARTS = [small_table(500, seed=seed) for seed in range(3)]
PLAN = private_plan(8.0)
SEED = 5


def shuffled(rows: Table, seed: int) -> Table:
    return rows.take(np.random.default_rng(seed).permutation(rows.rows))


def test_rows_in_another_order_change_no_bit_of_what_is_released() -> None:
    others = [shuffled(rows, seed) for seed, rows in enumerate(PARTS)]
    assert not np.array_equal(others[0].columns["age"], PARTS[0].columns["age"])
    assert released(*followed(PLAN, PARTS, SEED)) == released(*followed(PLAN, others, SEED))


def test_the_sums_alone_give_the_release_where_no_row_is() -> None:
    assert_sums_alone_give_the_release(PLAN, PARTS)


def test_one_more_row_changes_the_release_so_the_tests_above_can_fail() -> None:
    first = PARTS[0]
    more = Table.concat([first, first.take(np.arange(first.rows) == 0)])
    assert released(*followed(PLAN, [more, *PARTS[1:]], SEED)) != released(*followed(PLAN, PARTS, SEED))
