"""Constant, empty and one-sided tables: every check names what stands in the way and none breaks."""

import datetime

import numpy as np
import pytest

from headwater.errors import InputError
from headwater.evaluation.checks import evaluations
from headwater.evaluation.tasks import tasks_of
from headwater.evaluation.usefulness_check import UsefulnessCheck
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import AuditRows
from headwater.evidence.measure import Measure
from headwater.evidence.settings import AuditSettings
from headwater.schema import BooleanColumn, CategoricalColumn, DateColumn, ImageColumn, NumericColumn, Schema
from headwater.schema.table import Table
from support.evaluated import measured, read_alone

TOWNS = tuple(f"town {place}" for place in range(14))
SCHEMA = Schema(
    name="odd",
    columns=(
        NumericColumn(name="age", lower=0, upper=100, missing=True),
        NumericColumn(name="constant", lower=0, upper=1),
        DateColumn(name="day", lower=datetime.date(1970, 1, 1), upper=datetime.date(1971, 1, 1), missing=True),
        CategoricalColumn(name="sex", categories=("f", "m"), sensitive=True, missing=True),
        CategoricalColumn(name="town", categories=TOWNS, missing=True),
        ImageColumn(name="picture", height=2, width=2),
        BooleanColumn(name="ill", role="target", missing=True),
    ),
)


def odd(rows: int, seed: int) -> Table:
    random = np.random.default_rng(seed)
    age = random.uniform(0, 100, rows)
    columns: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]] = {
        "age": age,
        "constant": np.ones(rows),
        "day": np.full(rows, np.nan),
        "sex": random.integers(0, 2, rows).astype(np.int32),
        "town": random.integers(-1, 14, rows).astype(np.int32),
        "picture": random.integers(0, 256, (rows, 4)).astype(np.uint8),
        "ill": (age + 20 * random.normal(size=rows) > 50).astype(np.int32),
    }
    return Table(SCHEMA, columns, rows)


def with_column(table: Table, name: str, code: int) -> Table:
    return Table(SCHEMA, {**table.columns, name: np.full(table.rows, code, np.int32)}, table.rows)


def of(measures: dict[str, Measure], check: str) -> list[Measure]:
    found = [measure for measure in measures.values() if measure.check == check]
    assert found, check
    return found


def test_constant_and_empty_columns_are_judged_with_the_others() -> None:
    found = measured(odd(400, 0), odd(400, 1), odd(300, 2), AuditSettings())
    assert found["usefulness [ill]"].value == pytest.approx(1, abs=0.15)
    assert found["coverage.2-way"].value == 1
    assert found["marginals.1-way"].status == "measured"
    assert {"bias.ratio [sex=f]", "bias.parity [ill: sex=f]", "bias.odds [ill: sex]"} <= set(found)
    # One column of groups has no intersections.
    assert found["bias.intersections"].status == "not applicable"


@pytest.mark.parametrize("code", [0, -1])
def test_real_rows_of_one_class_are_named(code: int) -> None:
    real = [with_column(odd(400, seed), "ill", code) for seed in (1, 2)]
    found = measured(odd(400, 0), real[0], real[1], AuditSettings())
    for check in ("usefulness", "bias.parity", "bias.odds", "bias.usefulness"):
        for measure in of(found, check):
            assert measure.status in ("not applicable", "inconclusive")
            assert "'ill'" in measure.reason or "'sex'" in measure.reason


@pytest.mark.parametrize("code", [1, -1])
def test_synthetic_rows_of_one_class_are_worth_a_guess(code: int) -> None:
    found = measured(with_column(odd(400, 0), "ill", code), odd(400, 1), odd(300, 2), AuditSettings())
    assert found["usefulness [ill]"].details["tstr"] == 0.5
    assert (found["usefulness [ill]"].value or 1.0) < 0.75


@pytest.mark.parametrize(
    ("code", "why"), [(0, "one group of column 'sex'"), (-1, "'sex' is missing in every real row")]
)
def test_one_group_only_is_named(code: int, why: str) -> None:
    real = [with_column(odd(400, seed), "sex", code) for seed in (1, 2)]
    found = measured(odd(400, 0), real[0], real[1], AuditSettings())
    for check in ("bias.ratio", "bias.parity", "bias.odds", "bias.usefulness"):
        for measure in of(found, check):
            assert measure.status == "not applicable", check
            assert why in measure.reason


def test_a_group_that_nobody_drew_is_far_from_its_share() -> None:
    found = measured(with_column(odd(400, 0), "sex", 0), odd(400, 1), odd(300, 2), AuditSettings())
    assert found["bias.ratio [sex=m]"].value == 0
    assert (found["bias.ratio [sex=m]"].p_value or 0.0) < 1e-6
    assert found["bias.parity [ill: sex=f]"].status == "inconclusive"
    assert (found["coverage.2-way"].value or 1.0) < 0.95


def test_without_target_groups_and_partners_nothing_applies() -> None:
    schema = Schema(name="lone", columns=(NumericColumn(name="age", lower=0, upper=100),))
    tables = [Table(schema, {"age": np.random.default_rng(seed).uniform(0, 100, 300)}, 300) for seed in range(3)]
    found = measured(tables[0], tables[1], tables[2], AuditSettings())
    aside = ("usefulness", "usefulness.curve", "bias.ratio", "bias.intersections", "bias.parity", "bias.odds")
    for check in (*aside, "bias.usefulness", "coverage.2-way", "coverage.invented-3-way", "marginals.2-way"):
        assert [measure.status for measure in of(found, check)] == ["not applicable"], check
    assert found["marginals.1-way"].status == "measured"


def test_numbers_dates_and_many_categories_can_be_tasks() -> None:
    candidate = Candidate(odd(600, 0))
    tasks = tasks_of(candidate, AuditSettings(tasks=("age", "town", "day", "ill")))
    assert [len(task.classes) for task in tasks] == [2, 10, 2, 2]
    labels = tasks[0].labels(candidate.table)
    assert abs(int((labels == 1).sum()) - 300) <= 1
    towns = tasks[1].labels(candidate.table)
    assert set(towns[candidate.table.columns["town"] < 0]) == {-1}
    assert (towns == 9).sum() == (candidate.table.columns["town"] >= 0).sum() - (towns[towns >= 0] < 9).sum()
    check = UsefulnessCheck(candidate, AuditSettings(tasks=("age", "town")))
    for measure in read_alone(check, AuditRows(odd(300, 1), odd(2400, 2))):
        assert measure.value == pytest.approx(1, abs=0.15)


def test_a_loss_that_neither_shows_nor_is_excluded_is_left_open() -> None:
    check = UsefulnessCheck(Candidate(odd(600, 0)), AuditSettings(tasks=("age",)))
    found = [read_alone(check, AuditRows(odd(300, seed), odd(60, seed + 20)))[0] for seed in range(1, 9)]
    # Nobody is failed for having few rows: what is measured is cleared, or shows a loss.
    assert all((each.low or 0) >= 0.85 or (each.high or 1) < 1 for each in found if each.status == "measured")
    left = [each for each in found if each.status == "inconclusive"]
    assert len(left) >= 4
    for each in left:
        assert "neither shows a loss nor excludes one of 0.15" in each.reason
        assert (each.needed or 0) >= 90


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (AuditSettings(tasks=("well",)), "'well' is no column"),
        (AuditSettings(tasks=("picture",)), "'picture' is a picture"),
        (AuditSettings(groups=("age",)), "'age' is no categorical or boolean column"),
        (AuditSettings(groups=("well",)), "'well' is no categorical or boolean column"),
    ],
)
def test_what_cannot_be_a_task_or_a_group_is_refused(settings: AuditSettings, line: str) -> None:
    with pytest.raises(InputError, match=line):
        evaluations(Candidate(odd(20, 0)), settings)
