"""Which rows are attacked: equal rows that were dealt to a side together are one trial."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from headwater.audit.inference import Inference
from headwater.audit.linkability import Linkability
from headwater.audit.membership.nearest import NearestAttack
from headwater.audit.reach import dealt_rows
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import AuditRows, Check
from headwater.evidence.settings import AuditSettings
from headwater.schema import CategoricalColumn, Schema
from headwater.schema.table import Table

_AGES, _WARDS = 40, ("north", "south", "west")
_SCHEMA = Schema(
    name="visits",
    version=1,
    columns=(
        CategoricalColumn(name="age", categories=tuple(str(age) for age in range(_AGES))),
        CategoricalColumn(name="ward", categories=_WARDS),
        CategoricalColumn(name="back", categories=("no", "yes")),
    ),
)


def visits(rows: int, random: np.random.Generator) -> Table:
    """Some 150 different rows, the frequent ones many times."""
    age = np.minimum(random.geometric(0.08, rows) - 1, _AGES - 1)
    ward = random.choice(len(_WARDS), rows, p=[0.6, 0.3, 0.1])
    back = random.random(rows) < age / (_AGES + 5)
    columns: dict[str, NDArray[np.generic]] = {"age": age, "ward": ward, "back": back}
    return Table(_SCHEMA, {name: values.astype(np.int32) for name, values in columns.items()}, rows)


def kinds(table: Table) -> NDArray[np.int64]:
    """A number for each row, the same for equal rows."""
    age, ward, back = (table.columns[name].astype(np.int64) for name in ("age", "ward", "back"))
    return age * 6 + ward * 2 + back


def parted_by_value(table: Table, random: np.random.Generator) -> AuditRows:
    kept = (random.random(_AGES * 6) < 0.3)[kinds(table)]
    return AuditRows(table.take(np.flatnonzero(~kept)), table.take(np.flatnonzero(kept)))


def test_rows_that_were_dealt_together_are_attacked_once() -> None:
    random = np.random.default_rng(0)
    rows = parted_by_value(visits(900, random), random)
    dealt = dealt_rows(rows)
    for once, side in ((dealt.train, rows.train), (dealt.holdout, rows.holdout)):
        assert once.rows < side.rows
        assert sorted(kinds(once)) == sorted(set(kinds(side)))


def test_rows_that_were_dealt_one_by_one_are_all_attacked() -> None:
    table = visits(900, np.random.default_rng(1))
    rows = AuditRows(table.take(np.arange(600)), table.take(np.arange(600, 900)))
    assert dealt_rows(rows) is rows


@pytest.mark.parametrize("check", [Inference, Linkability, NearestAttack])
def test_attacks_are_on_rows_that_were_dealt(check: Callable[[Candidate, AuditSettings], Check]) -> None:
    random = np.random.default_rng(2)
    rows, candidate = parted_by_value(visits(20_000, random), random), Candidate(visits(900, random))
    train, holdout = (side.take(np.unique(kinds(side), return_index=True)[1]) for side in (rows.train, rows.holdout))
    once = AuditRows(train, holdout)
    bound = check(candidate, AuditSettings(secrets=("back",)))
    all_rows, each_once = (int(bound.count(part, np.random.default_rng(3)).sum()) for part in (rows, once))
    # Counts of attacks, and of successes among them: of 20,000 rows there would be thousands.
    assert all_rows < 3 * each_once


def test_no_leak_is_seldom_taken_for_one_where_a_few_rows_stand_many_times() -> None:
    settings = AuditSettings(secrets=("back",))
    alarms = {Inference.name: 0, Linkability.name: 0}
    for seed in range(60):
        random = np.random.default_rng(seed)
        rows = parted_by_value(visits(900, random), random)
        candidate = Candidate(visits(900, random))
        checks: tuple[Check, ...] = (Inference(candidate, settings), Linkability(candidate, settings))
        for check in checks:
            (measure,) = check.read(check.count(rows, random))
            alarms[check.name] += measure.status == "measured" and (measure.p_value or 0.0) < 0.05
    # More than 7 of 60 at 5 % come by a chance of 1 in 130. Guesses about each row gave 17.
    assert max(alarms.values()) <= 7, alarms
