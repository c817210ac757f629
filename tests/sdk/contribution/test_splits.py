"""Splits by keyed hash of the row."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from headwater.contribution.splits import row_positions, split_rows
from headwater.recipe.settings import SplitShares
from headwater.schema.table import Table
from support.recipes import SCHEMA, small_table

SHARES = SplitShares()


def test_parts_are_disjoint_and_together_the_whole() -> None:
    table = small_table(1000)
    sizes = [split_rows(table, SHARES, part).rows for part in ("train", "validation", "audit")]
    assert sum(sizes) == 1000


def test_shares_are_near_those_asked_for() -> None:
    table = small_table(4000)
    # 4000 draws of share .9: five standard deviations are .024.
    assert abs(split_rows(table, SHARES, "train").rows / 4000 - 0.9) < 0.024
    assert abs(split_rows(table, SHARES, "audit").rows / 4000 - 0.05) < 0.018


@given(st.permutations(range(30)))
def test_a_row_s_part_does_not_depend_on_the_rows_around_it(order: list[int]) -> None:
    table = small_table(30)
    assert np.array_equal(row_positions(table.take(np.array(order))), row_positions(table)[order])
    assert row_positions(table.take(np.array(order[:1])))[0] == row_positions(table)[order[0]]


def test_equal_rows_are_in_one_part_so_no_copy_of_a_training_row_is_audited() -> None:
    table = small_table(50)
    twice = Table.concat([table, table])
    positions = row_positions(twice)
    assert np.array_equal(positions[:50], positions[50:])
    assert len(set(positions[:50])) == 50


def test_missing_and_zero_hash_alike_however_they_are_written() -> None:
    table = small_table(2)
    other_nan = np.array([0x7FF8000000000001], dtype=np.uint64).view(np.float64)[0]
    income = [np.array([np.nan, 0.0]), np.array([other_nan, -0.0])]
    first, second = (Table(SCHEMA, {**table.columns, "income": values}, 2) for values in income)
    assert np.array_equal(row_positions(first), row_positions(second))


def test_a_row_that_trained_stays_in_training_when_less_is_kept_for_validation() -> None:
    table = small_table(2000)
    positions = row_positions(table)
    more = SplitShares(train=0.95, validation=0.0, audit=0.05)
    audit = split_rows(table, more, "audit")
    assert audit.rows == int((positions < 0.05).sum())
    assert split_rows(table, SHARES, "audit").rows == audit.rows


def test_positions_are_the_same_on_every_machine() -> None:
    positions = row_positions(small_table(2, seed=11).take(np.array([0])))
    assert 0 <= positions[0] < 1
    fixed = Table(SCHEMA, {name: np.zeros(1, v.dtype) for name, v in small_table(1).columns.items()}, 1)
    # Computed once by the obvious way: blake2b, key headwater/split/1, seven little-endian float64 zeros.
    assert row_positions(fixed)[0] == OBVIOUS


def _obvious() -> float:
    import hashlib
    import struct

    digest = hashlib.blake2b(struct.pack("<7d", *[0.0] * 7), key=b"headwater/split/1", digest_size=8).digest()
    return (int.from_bytes(digest, "little") >> 11) / 2**53


OBVIOUS = _obvious()
