"""Rows of a mixture under a condition: always satisfied, and distributed as rejection would leave them.

Two samples of 12,000 rows of one distribution differ in no column by more than .029 (Kolmogorov-Smirnov, one false
alarm in 10,000 comparisons); 56 are made here.
"""

import numpy as np
import pytest

from headwater.errors import InputError
from headwater.generator.sampler import MixtureSampler
from headwater.generator.source import open_source
from headwater.mixture.conditioning import ConditionedMixture, Proposals
from headwater.mixture.sampling import sample_tables
from headwater.schema.condition_text import read_condition
from headwater.schema.table import Table
from support.likeness import column_distances, fitted_mixture
from support.recipes import SCHEMA

MIXTURE, ENCODING = fitted_mixture()
ROWS = 12_000
MARGIN = 0.029


@pytest.fixture(scope="module")
def plain() -> Table:
    return Table.concat(list(sample_tables(MIXTURE, ENCODING, 250_000, 11, batch_size=50_000)))


def drawn(
    condition: str, rows: int = ROWS, seed: int = 3, most: int = 10**7
) -> tuple[Table, ConditionedMixture, Proposals]:
    read = read_condition(SCHEMA, condition.split(", "))
    conditioned, tally = ConditionedMixture(MIXTURE, ENCODING, read), Proposals()
    table = Table.concat(list(conditioned.tables(rows, np.random.default_rng(seed), most, tally)))
    assert table.rows == rows
    assert read.matches(table).all()
    return table, conditioned, tally


@pytest.mark.parametrize(
    "condition",
    [
        "ward=a|",
        "outcome=ill, smoker=yes",
        "age=30..40",
        "income=5000..30000|-1|",
        "income=0",
        "age=30..45, income=1000..20000",
        "outcome=ill, age=55..60|80..90, seen=2021-03-01..2023-08-15",
        "floor=2|3, age=..25, income=1..50000|",
    ],
)
def test_rows_are_those_that_rejection_would_keep(plain: Table, condition: str) -> None:
    table, conditioned, tally = drawn(condition)
    kept = read_condition(SCHEMA, condition.split(", ")).matches(plain)
    # The smaller sample sets the margin: sqrt((1/m + 1/n) / (2/12,000)) times that of two samples of 12,000.
    margin = MARGIN * np.sqrt((1 / ROWS + 1 / kept.sum()) / (2 / ROWS))
    assert max(column_distances(table, plain.take(kept)).values()) < margin
    assert conditioned.share == pytest.approx(kept.mean(), rel=0.1)
    assert conditioned.rejects or tally.acceptance == 1.0


def test_columns_that_go_together_still_do_under_a_condition(plain: Table) -> None:
    table, _, _ = drawn("age=50..70")
    kept = plain.take(read_condition(SCHEMA, ["age=50..70"]).matches(plain))
    both = [np.corrcoef(each.columns["age"], each.columns["outcome"])[0, 1] for each in (table, kept)]
    assert both[1] > 0.3
    assert both[0] == pytest.approx(both[1], abs=0.04)
    assert (table.columns["ward"] == table.columns["floor"])[table.columns["ward"] >= 0].all()


def test_equal_seeds_give_equal_rows() -> None:
    tables = [drawn("age=30..45, income=1000..20000", 500, seed)[0].to_arrow() for seed in (5, 5, 6)]
    assert tables[0].equals(tables[1])
    assert not tables[0].equals(tables[2])


def test_a_condition_that_hardly_any_row_meets_is_refused_with_its_share() -> None:
    sampler = MixtureSampler(MIXTURE)
    with pytest.raises(InputError, match=r"income=.* holds for 0.0e[+]00 of the generator's rows"):
        open_source(sampler, ENCODING, read_condition(SCHEMA, ["income=999990..999991"]))


def test_rows_of_a_condition_that_nothing_meets_are_refused_without_a_draw() -> None:
    nothing = ConditionedMixture(MIXTURE, ENCODING, read_condition(SCHEMA, ["income=999990..999991"]))
    assert nothing.share == 0
    with pytest.raises(InputError, match="of 0 rows begun 0 satisfied"):
        list(nothing.tables(5, np.random.default_rng(0), 10**6, Proposals()))


def test_too_few_proposals_end_with_a_count() -> None:
    with pytest.raises(InputError, match=r"of 8,192 rows begun [0-9]+ satisfied"):
        drawn("age=30..32, income=1000..3000", most=8192)
