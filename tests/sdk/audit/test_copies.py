"""Near copies and rare echoes: exact under the null whatever the table repeats, and found down to ten rows."""

from collections.abc import Callable

import numpy as np
import pytest

from headwater.audit.copies import NearCopies
from headwater.audit.echoes import detectable_echoes, echo_measure, needed_rows
from headwater.audit.rare_echoes import RareEchoes
from headwater.errors import InputError
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import AuditRows
from headwater.evidence.measure import Measure
from headwater.evidence.settings import AuditSettings
from headwater.schema import CategoricalColumn, NumericColumn, Schema
from headwater.schema.table import Table
from support.attacked import Bound, attack, attack_in_parts
from support.reference_generators import SETTINGS, fixture, law, memoriser, safe

HONEST = ("safe", "shifted", "biased", "collapsed", "modes")
# Of either side, where half of the reference rows show as much.
FEW = 1000


def _p(measure: Measure) -> float:
    assert measure.status == "measured", measure.reason
    assert measure.p_value is not None
    return measure.p_value


@pytest.mark.parametrize("generator", ["memoriser", "memoriser-20", "memoriser-5", "outliers"])
def test_copies_are_found_down_to_ten_rows(generator: str) -> None:
    for seed in range(3):
        (measure,) = attack(NearCopies, generator, seed, rows=FEW)
        assert _p(measure) < 0.01


@pytest.mark.parametrize("generator", HONEST)
def test_no_other_reference_table_is_taken_for_a_copier(generator: str) -> None:
    # Tests at 1 %: more than 1 of 4 come by a chance below 1 in 1,600.
    assert sum(_p(attack(NearCopies, generator, seed, rows=FEW)[0]) < 0.01 for seed in range(4)) <= 1


def test_rows_that_were_parted_by_their_values_are_no_copies() -> None:
    # As the parts of an organisation's rows: of 46 holdout rows 30 have a twin there, of 46 training rows few.
    levels = {"closely": (44, 18)}
    honest = echo_measure("copies.near", "", levels, (44, 18), 46, highest=0.5, scarce="few stand alone")
    assert _p(honest) > 0.4
    # Where half of either side's rows that stand alone would be echoed, all of one side is too many.
    copied = echo_measure("copies.near", "", {"closely": (44, 0)}, (44, 18), 46, highest=0.5, scarce="few stand alone")
    assert _p(copied) < 1e-6


def test_the_value_is_the_share_of_rows_that_were_copied() -> None:
    (measure,) = attack(NearCopies, "memoriser-20", 3)
    assert measure.value == pytest.approx(1 - np.exp(-0.2), abs=0.05)
    assert measure.details["training rows echoed, closely"] > 300
    assert measure.details["holdout rows echoed, closely"] < 3


def test_a_copier_that_changes_the_last_digits_is_found() -> None:
    train, holdout, random = fixture(4)
    copied = memoriser(0.1)(train, random)
    columns = dict(copied.columns)
    columns["score"] = np.round(columns["score"] + 0.05 * random.normal(size=copied.rows), 4)
    check = NearCopies(Candidate(Table(copied.schema, columns, copied.rows)), SETTINGS)
    (measure,) = check.read(check.count(AuditRows(train, holdout), random))
    assert _p(measure) < 1e-6


@pytest.mark.parametrize("generator", ["memoriser", "memoriser-20"])
def test_echoes_of_rare_values_and_combinations_are_found(generator: str) -> None:
    values, combinations = attack(RareEchoes, generator, 0)
    assert (values.subject, combinations.subject) == ("values", "combinations")
    assert _p(values) < 1e-6
    assert _p(combinations) < 1e-6


def test_a_twentieth_copied_shows_in_rare_combinations() -> None:
    assert sum(_p(attack(RareEchoes, "memoriser-5", seed)[1]) < 0.01 for seed in range(5)) >= 4


@pytest.mark.parametrize("generator", HONEST)
def test_nothing_rare_is_echoed_by_honest_tables(generator: str) -> None:
    # Two tests at 1 %: more than 2 of 8 come by a chance below 1 in 18,000.
    found = [_p(measure) < 0.01 for seed in range(4) for measure in attack(RareEchoes, generator, seed, rows=FEW)]
    assert sum(found) <= 2


def test_one_column_that_is_copied_alone_shows_in_its_values() -> None:
    train, holdout, random = fixture(0)
    columns = dict(safe(train, random).columns)
    copied = random.random(train.rows) < 0.1
    columns["income"] = np.where(copied, random.permutation(train.columns["income"]), columns["income"])
    candidate = Candidate(Table(train.schema, columns, train.rows))
    rare, near = RareEchoes(candidate, SETTINGS), NearCopies(candidate, SETTINGS)
    values, _ = rare.read(rare.count(AuditRows(train, holdout), random))
    assert _p(values) < 1e-3
    assert _p(near.read(near.count(AuditRows(train, holdout), random))[0]) > 0.01


@pytest.mark.parametrize("check", [NearCopies, RareEchoes])
def test_two_organisations_sum_to_the_same_finding(check: Bound) -> None:
    for measure in attack_in_parts(check, "memoriser-20", 0, (0.8, 0.2)):
        assert _p(measure) < 1e-4
    for measure in attack_in_parts(check, "safe", 0, (0.8, 0.2)):
        assert _p(measure) > 0.01


def _repeating(rows: int, random: np.random.Generator) -> Table:
    """Few categories and rounded numbers, a third of the rows in households of one value: twins everywhere."""
    schema = Schema(
        name="repeating",
        columns=(
            CategoricalColumn(name="kind", categories=tuple("abcdef")),
            NumericColumn(name="age", lower=0, upper=99, integer=True),
            NumericColumn(name="gain", lower=0, upper=9999, integer=True),
        ),
    )
    columns = {
        "kind": np.minimum(random.geometric(0.4, rows) - 1, 5).astype(np.int32),
        "age": np.clip(np.rint(random.normal(40, 12, rows)), 0, 99),
        "gain": np.where(random.random(rows) < 0.9, 0.0, np.rint(random.uniform(0, 99, rows)) * 100),
    }
    return Table(schema, columns, rows)


@pytest.mark.parametrize("check", [NearCopies, RareEchoes])
def test_tables_full_of_twins_raise_no_alarm(check: Bound) -> None:
    alarms, tests = 0, 0
    for seed in range(10):
        random = np.random.default_rng(seed)
        bound = check(Candidate(_repeating(1000, random)), AuditSettings())
        rows = AuditRows(_repeating(800, random), _repeating(500, random))
        for measure in bound.read(bound.count(rows, random)):
            # So few rows stand alone here that many are not judged; the chance of an alarm is held all the same.
            assert measure.p_value is not None
            tests, alarms = tests + 1, alarms + (measure.p_value < 0.05)
    # At 5 % each: more than 4 of 20, or 3 of 10, come by a chance below 1 in 380 and 1 in 90.
    assert alarms <= (4 if tests == 20 else 3)


def test_sums_over_unequal_organisations_keep_the_chance_of_an_alarm() -> None:
    # One organisation's rows repeat themselves, the other's are lone; sizes differ tenfold.
    alarms = 0
    for seed in range(10):
        random = np.random.default_rng(100 + seed)
        bound = NearCopies(Candidate(_repeating(800, random)), AuditSettings())
        total = np.zeros(bound.size, np.int64)
        for train, holdout in ((1000, 250), (100, 30)):
            total += bound.count(AuditRows(_repeating(train, random), _repeating(holdout, random)), random)
        (measure,) = bound.read(total)
        assert measure.p_value is not None
        alarms += measure.p_value < 0.05
    assert alarms <= 3


def test_a_table_of_twins_only_cannot_show_a_copy() -> None:
    schema = Schema(name="coarse", columns=(CategoricalColumn(name="kind", categories=tuple("abcd")),))

    def drawn(random: np.random.Generator) -> Table:
        return Table(schema, {"kind": random.integers(0, 4, 2000).astype(np.int32)}, 2000)

    random = np.random.default_rng(0)
    for check in (NearCopies, RareEchoes):
        bound = check(Candidate(drawn(random)), AuditSettings())
        for measure in bound.read(bound.count(AuditRows(drawn(random), drawn(random)), random)):
            assert measure.status == "not applicable"


@pytest.mark.parametrize("rows", [0, 1, 2, 30])
@pytest.mark.parametrize("check", [NearCopies, RareEchoes])
def test_few_rows_are_inconclusive_and_say_how_many_are_needed(check: Bound, rows: int) -> None:
    random = np.random.default_rng(0)
    bound = check(Candidate(law(500, random)), SETTINGS)
    for measure in bound.read(bound.count(AuditRows(law(500, random), law(rows, random)), random)):
        assert measure.status == "inconclusive"
        assert (measure.needed or 0) > rows


@pytest.mark.parametrize("check", [NearCopies, RareEchoes])
def test_constant_and_empty_columns_are_no_obstacle(check: Bound) -> None:
    schema = Schema(
        name="dull",
        columns=(
            CategoricalColumn(name="same", categories=("a",)),
            NumericColumn(name="gone", lower=0, upper=1, missing=True),
        ),
    )
    table = Table(schema, {"same": np.zeros(900, np.int32), "gone": np.full(900, np.nan)}, 900)
    bound = check(Candidate(table), SETTINGS)
    for measure in bound.read(bound.count(AuditRows(table, table), np.random.default_rng(0))):
        assert measure.status == "not applicable"


def test_one_number_is_enough_to_find_copies() -> None:
    schema = Schema(name="one", columns=(NumericColumn(name="x", lower=-9, upper=9),))
    random = np.random.default_rng(0)
    drawn: Callable[[int], Table] = lambda rows: Table(schema, {"x": random.normal(size=rows)}, rows)  # noqa: E731
    train, holdout, honest = drawn(2000), drawn(2000), drawn(2000)
    for copied, found in ((0, False), (400, True)):
        table = Table.concat([train.take(np.arange(copied)), honest.take(np.arange(copied, 2000))])
        bound = NearCopies(Candidate(table), SETTINGS)
        (measure,) = bound.read(bound.count(AuditRows(train, holdout), random))
        assert (_p(measure) < 0.01) == found


@pytest.mark.parametrize(("by_chance", "rows"), [(0.0, 400), (0.02, 1000), (0.1, 2000)])
def test_what_is_called_detectable_is_found_as_often_as_promised(by_chance: float, rows: int) -> None:
    random = np.random.default_rng(1)
    share = detectable_echoes(int(by_chance * rows), rows)
    found = 0
    for _ in range(400):
        main, control = random.binomial(rows, by_chance + share), random.binomial(rows, by_chance)
        measure = echo_measure("copies.near", "", {"": (main, control)}, (rows, rows), rows, highest=1, scarce="none")
        found += (measure.p_value or 0) < 0.05
    # Power .8 by a normal approximation to an exact test, which loses a little to whole numbers.
    assert 0.72 <= found / 400 <= 0.9


def test_rows_that_are_needed_suffice() -> None:
    needed = needed_rows(control=10, lonely=400, rows=500, highest=0.05)
    grown = needed / 500
    assert detectable_echoes(round(10 * grown), round(400 * grown)) == pytest.approx(0.05, rel=0.1)


@pytest.mark.parametrize("check", [NearCopies, RareEchoes])
def test_what_are_no_counts_is_refused(check: Bound) -> None:
    bound = check(Candidate(law(50, np.random.default_rng(0))), SETTINGS)
    with pytest.raises(InputError, match="no counts of copies"):
        bound.read(np.arange(bound.size)[::-1])
