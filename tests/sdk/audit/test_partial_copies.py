"""Copies of a part of a row: found whatever was kept, quiet about honest tables and about fits that lean a little."""

import numpy as np
import pytest

from headwater.audit.column_subsets import column_subsets, most_values_first
from headwater.audit.partial_copies import PartialCopies
from headwater.audit.partial_echoes import LEANING, partial_measure
from headwater.errors import InputError
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import AuditRows
from headwater.evidence.measure import Measure
from headwater.evidence.settings import AuditSettings
from headwater.schema import CategoricalColumn, ImageColumn, NumericColumn, Schema
from headwater.schema.table import Table
from support.attacked import attack, attack_in_parts
from support.reference_generators import SCHEMA, SETTINGS, fixture, law, partial_copier

FEW = 1000


def _p(measure: Measure) -> float:
    assert measure.status == "measured", measure.reason
    assert measure.p_value is not None
    return measure.p_value


def _found(candidate: Table, train: Table, holdout: Table, settings: AuditSettings = SETTINGS) -> Measure:
    check = PartialCopies(Candidate(candidate), settings)
    (measure,) = check.read(check.count(AuditRows(train, holdout), np.random.default_rng(0)))
    return measure


@pytest.mark.parametrize("generator", ["partial-10", "memoriser-20", "memoriser", "shifted"])
def test_copies_of_a_part_and_of_the_whole_are_found(generator: str) -> None:
    for seed in range(2):
        assert _p(attack(PartialCopies, generator, seed, rows=FEW)[0]) < 1e-6


def test_the_value_is_the_share_of_rows_that_were_copied_in_part() -> None:
    (measure,) = attack(PartialCopies, "partial-10", 0)
    assert measure.value == pytest.approx(0.1, abs=0.03)
    assert measure.details["columns left out"] >= 2
    assert measure.details["holdout rows echoed"] < 10


def _coarse(rows: int, random: np.random.Generator) -> Table:
    """Fourteen categorical columns that hang together, and a number that each row has of its own: Adult in small."""
    schema = Schema(
        name="coarse",
        columns=(
            *(CategoricalColumn(name=f"c{at}", categories=tuple("abcdef")) for at in range(14)),
            NumericColumn(name="weight", lower=-9, upper=9),
        ),
    )
    kind = random.integers(0, 3, rows)
    drawn = {f"c{at}": (kind + random.geometric(0.6, rows) - 1) % 6 for at in range(14)}
    values = {name: codes.astype(np.int32) for name, codes in drawn.items()}
    return Table(schema, {**values, "weight": random.normal(size=rows)}, rows)


def test_all_but_two_columns_of_a_coarse_table_are_found() -> None:
    random = np.random.default_rng(2)
    train, holdout, fresh = (_coarse(1500, random) for _ in range(3))
    copied = train.take(np.arange(225))
    hidden = {name: fresh.columns[name][:225] for name in ("weight", "c3")}
    part = Table(train.schema, {**copied.columns, **hidden}, 225)
    candidate = Table.concat([part, fresh.take(np.arange(225, 1500))])
    settings = AuditSettings(secrets=("c3",))
    assert _p(_found(candidate, train, holdout, settings)) < 1e-4
    assert _p(_found(fresh, train, holdout, settings)) > 0.05


def test_copies_whose_numbers_were_rounded_are_found_by_cells() -> None:
    train, holdout, random = fixture(1, FEW, FEW)
    columns = dict(partial_copier(0.2)(train, random).columns)
    for name, decimals in (("age", 0), ("score", 1), ("hours", 0), ("debt", 1)):
        columns[name] = np.round(columns[name], decimals)
    assert _p(_found(Table(SCHEMA, columns, FEW), train, holdout)) < 1e-4


def test_rows_that_each_hide_other_columns_are_found() -> None:
    train, holdout, random = fixture(2, FEW, FEW)
    copied, fresh = random.random(FEW) < 0.1, law(FEW, random)
    hidden = {name: random.random(FEW) < 0.3 for name in SCHEMA.names}
    columns = {
        name: np.where(copied & ~hidden[name], train.columns[name], fresh.columns[name]) for name in SCHEMA.names
    }
    assert _p(_found(Table(SCHEMA, columns, FEW), train, holdout)) < 1e-3


@pytest.mark.parametrize("generator", ["safe", "biased", "collapsed", "modes"])
def test_no_other_reference_table_is_taken_for_one(generator: str) -> None:
    for seed in range(2):
        measure = attack(PartialCopies, generator, seed, rows=FEW)[0]
        assert measure.p_value is not None
        assert measure.p_value > 0.05


def test_rows_that_were_parted_by_their_values_are_no_copies() -> None:
    # An organisation's parts: equal rows are on one side, so that fewer of the smaller one can be echoed at all.
    honest = partial_measure("copies.partial", np.array([88, 36, 88, 36, 92], np.int64), (1, 1, 1, 4), [0])
    assert honest.p_value is not None
    assert honest.p_value > 0.5
    copied = partial_measure("copies.partial", np.array([88, 9, 88, 36, 92], np.int64), (1, 1, 1, 4), [0])
    assert copied.p_value is not None
    assert copied.p_value < 0.01
    one_sided = partial_measure("copies.partial", np.array([88, 0, 88, 0, 92], np.int64), (1, 1, 1, 4), [0])
    assert one_sided.p_value == 1.0


def test_two_organisations_sum_to_the_same_finding() -> None:
    assert _p(attack_in_parts(PartialCopies, "partial-10", 0, (0.8, 0.2))[0]) < 1e-4
    assert _p(attack_in_parts(PartialCopies, "safe", 0, (0.8, 0.2))[0]) > 0.05


def _counts(check: PartialCopies, main: int, control: int, lone: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    counts = np.zeros(check.size, np.int64)
    counts[:4], counts[-1] = (main, control, lone, lone), lone
    return counts


def test_a_fit_that_leans_to_its_rows_is_no_copier() -> None:
    check = PartialCopies(Candidate(law(50, np.random.default_rng(0))), SETTINGS)
    ((leaning,), (copying,)) = (check.read(_counts(check, main, 1000, 4000)) for main in (1400, 2500))
    assert LEANING == 0.6
    assert leaning.p_value == 1.0
    assert (copying.p_value or 0.0) < 1e-20


@pytest.mark.parametrize("rows", [0, 1, 2, 30])
def test_few_rows_are_inconclusive_and_say_how_many_are_needed(rows: int) -> None:
    random = np.random.default_rng(0)
    measure = _found(law(500, random), law(500, random), law(rows, random))
    assert measure.status == "inconclusive"
    assert (measure.needed or 0) > rows


def test_rows_that_are_needed_find_what_they_are_needed_for() -> None:
    random = np.random.default_rng(3)
    few = _found(law(500, random), law(100, random), law(100, random))
    assert few.needed is not None
    enough = _found(law(500, random), law(few.needed, random), law(few.needed, random))
    assert enough.status == "measured"
    assert (enough.detectable or 1) <= 0.21


def test_a_table_of_twins_only_cannot_show_a_part_of_a_row() -> None:
    random = np.random.default_rng(0)
    schema = Schema(name="twins", columns=tuple(CategoricalColumn(name=name, categories=("a", "b")) for name in "xyz"))
    train, holdout, fresh = (
        Table(schema, {name: random.integers(0, 2, 2000).astype(np.int32) for name in "xyz"}, 2000) for _ in range(3)
    )
    assert _found(fresh, train, holdout, AuditSettings()).status == "not applicable"


def test_one_column_and_a_picture_are_no_obstacle() -> None:
    random = np.random.default_rng(0)
    schema = Schema(name="picture", columns=(ImageColumn(name="p", width=4, height=4, levels=8),))
    drawn = [Table(schema, {"p": random.integers(0, 8, (900, 16)).astype(np.uint8)}, 900) for _ in range(3)]
    train, holdout, fresh = drawn
    assert _p(_found(fresh, train, holdout, AuditSettings())) > 0.05
    assert _p(_found(train, train, holdout, AuditSettings())) < 1e-6


def test_subsets_are_public_bounded_and_leave_out_what_copiers_change() -> None:
    table = law(300, np.random.default_rng(0))
    subsets = column_subsets(table, ("illness", "elsewhere"), 5)
    assert subsets == column_subsets(table, ("illness",), 5)
    assert subsets[0] == tuple(range(10))
    order = most_values_first(table)
    secret = SCHEMA.names.index("illness")
    for places in ({order[0]}, {order[2], order[7]}, {*order[:3], secret}, {order[0], secret, order[3], order[6]}):
        assert tuple(sorted(set(range(10)) - places)) in subsets
    wide = Schema(name="wide", columns=tuple(NumericColumn(name=f"n{at}", lower=0, upper=1) for at in range(200)))
    values = {name: np.arange(5.0) / 5 for name in wide.names}
    assert len(column_subsets(Table(wide, values, 5), (), 0)) < 500


def test_what_are_no_counts_is_refused() -> None:
    check = PartialCopies(Candidate(law(50, np.random.default_rng(0))), SETTINGS)
    with pytest.raises(InputError, match=r"no counts of copies\.partial"):
        check.read(np.arange(check.size)[::-1])
    with pytest.raises(InputError, match=r"no counts of copies\.partial"):
        partial_measure("copies.partial", np.array([3, 0, 2, 2, 2], np.int64), (1, 1, 1, 4), [0])
