"""Counts of attacks: they add up over organisations, keep to a public size, and odd tables are no trouble."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from headwater.audit.membership.classifier import ClassifierAttack
from headwater.audit.membership.domias import DomiasAttack
from headwater.audit.membership.nearest import NearestAttack
from headwater.audit.membership.scoring import BINS, MembershipAttack
from headwater.errors import InputError
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import AuditRows, Check
from headwater.evidence.measure import Measure
from headwater.evidence.settings import AuditSettings
from headwater.schema import BooleanColumn, CategoricalColumn, NumericColumn, Schema
from headwater.schema.table import Table
from support.reference_generators import GENERATORS, SETTINGS, fixture

_ATTACKS: dict[str, Callable[[Candidate, AuditSettings], MembershipAttack]] = {
    "nearest": NearestAttack,
    "domias-1": DomiasAttack,
    "domias-5": lambda candidate, settings: DomiasAttack(candidate, settings, 5),
    "classifier": ClassifierAttack,
}

_each = pytest.mark.parametrize("attack", sorted(_ATTACKS))


def _read(check: Check, rows: AuditRows, seed: int = 0) -> dict[str, Measure]:
    return {found.subject: found for found in check.read(check.count(rows, np.random.default_rng(seed)))}


@_each
def test_counts_have_the_size_that_is_known_without_a_row(attack: str) -> None:
    train, holdout, random = fixture(0, 300, 200)
    check = _ATTACKS[attack](Candidate(GENERATORS["safe"](train, random)), SETTINGS)
    counts = check.count(AuditRows(train, holdout), random)
    # All rows, outliers, three origins.
    assert counts.shape == (check.size,) == (5 * 2 * BINS,)
    assert counts.dtype == np.int64
    assert counts.min() >= 0
    assert counts.reshape(5, 2, BINS)[0].sum(axis=1).tolist() == [300, 200]


@_each
@pytest.mark.parametrize("generator", ["memoriser-20", "safe"])
def test_a_sum_over_organisations_reads_like_the_pooled_rows(attack: str, generator: str) -> None:
    train, holdout, random = fixture(1)
    check = _ATTACKS[attack](Candidate(GENERATORS[generator](train, random)), SETTINGS)
    parts = [AuditRows(train.take(rows), holdout.take(rows)) for rows in (np.arange(600), np.arange(600, 2000))]
    total = np.sum([check.count(part, np.random.default_rng(place)) for place, part in enumerate(parts)], axis=0)
    pooled = _read(check, AuditRows(train, holdout))
    for measure in check.read(total):
        other = pooled[measure.subject]
        assert measure.status == other.status == "measured"
        assert measure.value is not None
        assert other.value is not None
        if not measure.subject:
            assert measure.trials == other.trials == 2000
        # Each organisation has a reference of its own, smaller than the pooled one: nearest needs none.
        allowed = 1e-9 if attack == "nearest" and measure.subject not in ("outliers",) else 0.03
        if measure.subject in ("", "origin=south"):
            assert measure.value == pytest.approx(other.value, abs=allowed)


def test_too_few_rows_are_inconclusive_with_how_many_are_needed() -> None:
    train, holdout, random = fixture(2, 400, 90)
    check = NearestAttack(Candidate(GENERATORS["safe"](train, random)), SETTINGS)
    found = _read(check, AuditRows(train, holdout))
    assert found[""].status == found["outliers"].status == "inconclusive"
    assert found[""].needed == 100
    assert "90 of the holdout" in found[""].reason
    assert found[""].value is None


def test_a_small_group_is_inconclusive_and_one_without_a_row_is_none() -> None:
    train, holdout, random = fixture(2, 400, 200)
    train, holdout = (table.take(table.columns["work"] != 9) for table in (train, holdout))
    check = NearestAttack(Candidate(GENERATORS["safe"](train, random)), AuditSettings(groups=("origin", "work")))
    found = _read(check, AuditRows(train, holdout))
    assert found["origin=north"].status == "inconclusive"
    assert found["origin=north"].needed == AuditSettings().least_group
    assert found["origin=south"].status == "measured"
    assert found["work=circus"].status == "not applicable"
    assert "0 rows of the training part" in found["work=circus"].reason


@_each
@pytest.mark.parametrize(("train_rows", "holdout_rows"), [(0, 0), (300, 0), (0, 300), (4, 3), (200, 1)])
def test_an_organisation_with_no_rows_on_a_side_adds_nothing_that_misleads(
    attack: str, train_rows: int, holdout_rows: int
) -> None:
    train, holdout, random = fixture(3, 300, 300)
    check = _ATTACKS[attack](Candidate(GENERATORS["memoriser"](train, random)), SETTINGS)
    rows = AuditRows(train.take(np.arange(train_rows)), holdout.take(np.arange(holdout_rows)))
    counts = check.count(rows, random)
    sides = counts.reshape(5, 2, BINS)[0].sum(axis=1)
    assert (sides[0] == 0) == (sides[1] == 0)
    assert all(measure.status != "measured" for measure in check.read(counts))


@_each
def test_counts_of_another_kind_are_refused(attack: str) -> None:
    train, _, random = fixture(3, 60, 1)
    check = _ATTACKS[attack](Candidate(GENERATORS["safe"](train, random)), SETTINGS)
    with pytest.raises(InputError, match="of its own kind"):
        check.read(np.zeros(7, np.int64))
    with pytest.raises(InputError, match="of its own kind"):
        check.read(np.full(check.size, -1, np.int64))


def test_groups_are_the_sensitive_columns_where_none_is_declared() -> None:
    train, _, random = fixture(3, 60, 1)
    candidate = Candidate(GENERATORS["safe"](train, random))
    names = [subject.name for subject in NearestAttack(candidate, AuditSettings()).subjects]
    assert names[:2] == ["", "outliers"]
    assert names[2] == "illness=none"
    assert names[-1] == "origin=north"


@pytest.mark.parametrize(("name", "what"), [("nowhere", "not a column"), ("age", "a numeric column")])
def test_a_declared_group_that_is_none_is_refused(name: str, what: str) -> None:
    train, _, _ = fixture(3, 60, 1)
    with pytest.raises(InputError, match=what):
        NearestAttack(Candidate(train), AuditSettings(groups=(name,)))


def test_a_column_of_too_many_categories_makes_no_groups() -> None:
    codes = CategoricalColumn(name="code", categories=tuple(map(str, range(65))), sensitive=True)
    schema = Schema(name="codes", columns=(codes,))
    table = Table(schema, {"code": np.arange(65, dtype=np.int32)}, 65)
    assert len(NearestAttack(Candidate(table), AuditSettings()).subjects) == 2
    with pytest.raises(InputError, match="65 categories"):
        NearestAttack(Candidate(table), AuditSettings(groups=("code",)))


_ODD = Schema(
    name="odd",
    columns=(
        NumericColumn(name="constant", lower=0, upper=9),
        NumericColumn(name="empty", lower=0, upper=9, missing=True),
        CategoricalColumn(name="gone", categories=("a", "b"), missing=True),
        CategoricalColumn(name="one", categories=("only",), sensitive=True),
        BooleanColumn(name="flag"),
        NumericColumn(name="number", lower=-99, upper=99),
    ),
)


def _odd(rows: int, random: np.random.Generator) -> Table:
    columns: dict[str, NDArray[np.generic]] = {
        "constant": np.full(rows, 4.0),
        "empty": np.full(rows, np.nan),
        "gone": np.full(rows, -1, np.int32),
        "one": np.zeros(rows, np.int32),
        "flag": random.integers(0, 2, rows).astype(np.int32),
        "number": random.normal(size=rows),
    }
    return Table(_ODD, columns, rows)


@_each
def test_constant_empty_and_single_columns_are_no_trouble(attack: str) -> None:
    random = np.random.default_rng(9)
    train, holdout = _odd(500, random), _odd(400, random)
    for synthetic, copied in ((train, True), (_odd(500, random), False)):
        found = _read(_ATTACKS[attack](Candidate(synthetic), AuditSettings()), AuditRows(train, holdout))
        assert found["one=only"].value == found[""].value
        assert found["one=only"].trials == 500
        if attack in ("nearest", "domias-1"):
            assert ((found[""].low or 0) > 0.5) == copied
        if not copied:
            assert (found[""].low or 0) < 0.03


@_each
def test_a_table_without_a_number_where_rows_repeat_leaks_nothing_by_repeating(attack: str) -> None:
    schema = Schema(name="flags", columns=tuple(BooleanColumn(name=name) for name in "abc"))
    random = np.random.default_rng(10)

    def drawn(rows: int) -> Table:
        return Table(schema, {name: random.integers(0, 2, rows).astype(np.int32) for name in "abc"}, rows)

    train = drawn(600)
    # Even a copy of all rows tells nothing here: eight rows are all that there can be.
    found = _read(_ATTACKS[attack](Candidate(train), AuditSettings()), AuditRows(train, drawn(600)))
    assert found[""].value == pytest.approx(0.01, abs=0.01)


def test_dozens_of_neighbours_are_more_than_are_kept() -> None:
    with pytest.raises(InputError, match="1 to 5"):
        DomiasAttack(Candidate(fixture(0, 20, 1)[0]), SETTINGS, 30)


@_each
def test_what_an_attack_is_is_told_in_words(attack: str) -> None:
    about = _ATTACKS[attack](Candidate(fixture(0, 20, 1)[0]), SETTINGS).about
    assert about.question.endswith("?")
    assert "holdout" in about.knowledge
    assert about.disclosure == "bucket"
