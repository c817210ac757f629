"""Canaries follow from the secret, look like rows, hide a uniform secret, and are planted by fair coins."""

import numpy as np
import pytest
from scipy import stats

from headwater.audit.canaries.planting import LADDER, Planting, plant, share_of
from headwater.audit.canaries.secret_space import SecretSpace, public_values
from headwater.audit.canaries.streams import Streams
from headwater.contribution.splits import row_positions
from headwater.errors import InputError
from headwater.evidence.planted import Planted
from headwater.schema import CategoricalColumn, Schema
from headwater.schema.conform import check
from headwater.schema.finite import finite_rows
from headwater.schema.table import Table
from support.recipes import SCHEMA, small_table

SECRET, RUN = b"\x07" * 32, "0f" * 16
ROWS = small_table(1500)


def planting(count: int = 400, secret: bytes = SECRET, run_id: str = RUN, **more: object) -> Planting:
    values = {"public": False, "most_copies": 16, "train_from": 0.1, **more}
    return Planting(secret, run_id, count, **values)  # type: ignore[arg-type]


def planted(rows: Table = ROWS, **more: object) -> Planted:
    return plant(planting(**more), rows, row_positions)  # type: ignore[arg-type]


def same(one: Planted, other: Planted) -> bool:
    columns = all(
        np.array_equal(
            one.rows.columns[name], other.rows.columns[name], equal_nan=one.rows.columns[name].dtype.kind == "f"
        )
        for name in one.rows.schema.names
    )
    return columns and np.array_equal(one.included, other.included)


def test_the_same_secret_and_run_plant_the_same_whatever_the_order_of_rows() -> None:
    shuffled = ROWS.take(np.random.default_rng(3).permutation(ROWS.rows))
    assert same(planted(), planted())
    assert same(planted(), planted(shuffled))
    assert not same(planted(), planted(run_id="1e" * 16))


def test_two_organisations_canaries_differ_even_over_equal_rows() -> None:
    one, other = planted(), planted(secret=b"\x08" * 32)
    assert not np.intersect1d(row_positions(one.rows), row_positions(other.rows)).size
    assert 0.3 < (one.included == other.included).mean() < 0.7


def test_every_canary_trains_is_no_own_row_and_no_other_canary() -> None:
    found = planted(train_from=0.6)
    places = row_positions(found.rows)
    assert (places >= 0.6).all()
    assert len(np.unique(places)) == 400
    own = ROWS.take(row_positions(ROWS) >= 0.6)
    assert not np.isin(places, row_positions(own)).any()


@pytest.mark.parametrize("public", [False, True])
def test_a_canary_is_a_row_of_the_schema(public: bool) -> None:
    found = planted(public=public).rows
    assert check(found.to_arrow(), SCHEMA) == ()
    assert finite_rows(found).all()


def test_secrets_are_uniform_and_coins_are_fair() -> None:
    found = planted(count=4096)
    members = SecretSpace.of(SCHEMA).member(found.rows)
    # One chance in a thousand each to fail, had the secret been drawn anew.
    assert stats.chisquare(np.bincount(members // 64, minlength=16)).pvalue > 1e-3
    assert stats.binomtest(int(found.included.sum()), 4096).pvalue > 1e-3
    assert (
        stats.binomtest(int((found.included & (members % 2 == 0)).sum()), int((members % 2 == 0).sum())).pvalue > 1e-3
    )


def test_quasi_identifiers_keep_what_goes_with_what_and_no_persons_whole_row() -> None:
    found = planted(count=1000).rows
    together = found.columns["ward"] == found.columns["floor"]
    # Nine in ten of the rows have both alike, by chance a third would: half of the pairs come from one parent.
    assert 0.5 < together.mean() < 0.75
    for name in ("ward", "floor", "smoker", "outcome"):
        shares = [np.bincount(table.columns[name] + 1, minlength=5) / table.rows for table in (found, ROWS)]
        assert np.abs(shares[0] - shares[1]).max() < 0.06


def test_a_value_that_hardly_anybody_has_is_not_repeated() -> None:
    rare = ROWS.columns["ward"].copy()
    rare[rare == 2] = 1
    rare[0] = 2
    columns = dict(ROWS.columns) | {"ward": rare}
    found = planted(Table(SCHEMA, columns, ROWS.rows), count=3000).rows
    assert not (found.columns["ward"] == 2).any()
    distinct, counts = np.unique(ROWS.columns["seen"], return_counts=True)
    assert not np.isin(found.columns["seen"], distinct[counts < 3]).any()


def test_columns_without_common_values_are_mixed_from_both_parents() -> None:
    # Dates that nobody shares: neither parent's own is repeated.
    rows = small_table(300)
    columns = dict(rows.columns) | {"seen": 18262.0 + 2 * np.arange(300)}
    found = planted(Table(SCHEMA, columns, 300), count=200).rows.columns["seen"]
    assert ((found >= 18262) & (found <= 20088)).all()
    assert np.array_equal(found, np.rint(found))
    assert len(np.unique(found)) > 100


def test_public_canaries_do_not_depend_on_a_single_row() -> None:
    one, other = planted(public=True), planted(small_table(40, seed=8), public=True)
    assert same(one, other)
    for name in SecretSpace.of(SCHEMA).identifying:
        column = next(column for column in SCHEMA.columns if column.name == name)
        assert np.isin(one.rows.columns[name], public_values(column)).all()


def test_an_organisation_without_training_rows_plants_public_canaries() -> None:
    assert same(planted(ROWS.take(np.arange(0))), planted(public=True))


def test_the_ladder_has_every_rung_and_a_budget_of_persons_cuts_it() -> None:
    found = planted(count=32)
    assert found.rungs.tolist() == list(LADDER) * 2
    assert np.array_equal(found.copies, found.rungs)
    assert found.training_rows.rows == int(found.copies[found.included].sum())
    assert planted(count=32, most_copies=2).copies.max() == 2


def test_a_share_says_nothing_of_an_organisations_size() -> None:
    assert [share_of(1000, members) for members in (1, 3, 5)] == [1000, 334, 200]
    assert share_of(0, 5) == 0


def test_more_canaries_than_there_are_rows_to_be_had_are_refused() -> None:
    small = Schema(
        name="tiny",
        columns=tuple(CategoricalColumn(name=name, categories=("x", "y")) for name in ("a", "b")),
    )
    none = Table(small, {"a": np.zeros(0, np.int32), "b": np.zeros(0, np.int32)}, 0)
    with pytest.raises(InputError, match="no room for 9 different canaries"):
        plant(planting(9), none, row_positions)
    assert plant(planting(0), none, row_positions).rows.rows == 0


def test_streams_of_different_labels_runs_and_secrets_have_nothing_in_common() -> None:
    words = [
        Streams(SECRET, RUN).words("inclusion", 50),
        Streams(SECRET, RUN).words("secret", 50),
        Streams(SECRET, RUN).words("secret", 50, attempt=1),
        Streams(SECRET, "1e" * 16).words("secret", 50),
        Streams(b"\x08" * 32, RUN).words("secret", 50),
    ]
    assert len(np.unique(np.concatenate(words))) == 250
    assert np.array_equal(Streams(SECRET, RUN).words("secret", 80)[:50], words[1])
    assert SECRET.hex() not in repr(Streams(SECRET, RUN)) + repr(planting())
