"""The self-test: a check that works lands on its right side, one that is blind or cries wolf is found out."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from headwater.audit.column_subsets import most_values_first
from headwater.audit.control_tables import MAKERS, MOST_ROWS, OUTLIERS_ROWS, control_tables, judged_group
from headwater.audit.controls import chance, depending, run_controls
from headwater.audit.expectations import EXPECTATIONS, MEMBERSHIP
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import About, AuditRows, Check
from headwater.evidence.measure import Measure
from headwater.evidence.settings import AuditSettings
from headwater.schema import NumericColumn
from headwater.schema.table import Table
from support.reference_generators import SCHEMA, SETTINGS, law

I64 = NDArray[np.int64]


def rows_of(table: Table) -> set[bytes]:
    return {row.tobytes() for row in np.stack([table.columns[name] for name in table.schema.names], axis=1)}


class Copies:
    """Training rows that stand in the candidate, beside holdout rows that do."""

    name = "copies.near"
    about = About("Toy", "Does it copy?", "rows", "risk", "near copies", "nowhere")
    size = 4

    def __init__(self, candidate: Candidate) -> None:
        self.made = rows_of(candidate.table)

    def count(self, rows: AuditRows, random: np.random.Generator) -> I64:
        found = [len(self.made & rows_of(part)) for part in (rows.train, rows.holdout)]
        return np.array([found[0], rows.train.rows, found[1], rows.holdout.rows], np.int64)

    def read(self, counts: I64) -> tuple[Measure, ...]:
        tally = tuple(int(count) for count in counts)
        value = (tally[0] / tally[1] - tally[2] / tally[3]) / (1 - tally[2] / tally[3])
        return (Measure(check=self.name, value=value, null=0.0, law="controlled", tally=tally, trials=tally[1]),)


class Blind(Copies):
    """Sees nothing."""

    def __init__(self, candidate: Candidate) -> None:
        self.made = set()


class Wolf(Copies):
    """Cries wolf."""

    def count(self, rows: AuditRows, random: np.random.Generator) -> I64:
        return np.array([300, 1000, 1, 1000], np.int64)


def controls_of(made: type[Copies], candidate: Table) -> tuple[Measure, ...]:
    def checks(candidate: Candidate, settings: AuditSettings) -> Sequence[Check]:
        return [made(candidate)]

    return run_controls(Candidate(candidate), SETTINGS, checks, 5, lambda: 0.0)


@pytest.fixture(scope="module")
def candidate() -> Table:
    return law(3000, np.random.default_rng(1))


def values(controls: Sequence[Measure], check: str = "copies.near") -> dict[str, float | None]:
    return {measure.check: measure.value for measure in controls if measure.subject == check}


def test_a_check_that_works_lands_on_its_right_side_on_every_table(candidate: Table) -> None:
    controls = controls_of(Copies, candidate)
    expected = {"controls.safe": 1.0, "controls.memoriser": 1.0, "controls.copier": 1.0}
    assert values(controls) == expected
    assert all(measure.null == 1.0 and measure.better == "higher" for measure in controls)


def test_a_blind_check_does_not_find_what_it_must_and_clears_nobody(candidate: Table) -> None:
    controls = controls_of(Blind, candidate)
    assert values(controls) == {"controls.safe": 1.0, "controls.memoriser": 0.0, "controls.copier": 0.0}
    clear = Measure(check="copies.near", value=0.0, null=0.0, law="controlled", tally=(1, 900, 1, 900))
    sure = Measure(check="copies.near", subject="x", value=0.3, null=0.0, law="controlled", tally=(300, 900, 1, 900))
    other = Measure(check="validity", value=1.0)
    after = depending([clear, sure, other], controls)
    assert [measure.status for measure in after] == ["inconclusive", "measured", "measured"]
    assert "did not find the fault" in after[0].reason


def test_a_check_that_cries_wolf_accuses_nobody(candidate: Table) -> None:
    controls = controls_of(Wolf, candidate)
    assert values(controls) == {"controls.safe": 0.0, "controls.memoriser": 1.0, "controls.copier": 1.0}
    sure = Measure(check="copies.near", value=0.3, null=0.0, law="controlled", tally=(300, 900, 1, 900))
    (after,) = depending([sure], controls)
    assert after.status == "inconclusive"
    assert "raised an alarm" in after.reason


def test_checks_that_were_not_run_are_told_as_such(candidate: Table) -> None:
    found = {measure.name: measure.status for measure in controls_of(Copies, candidate)}
    assert found["controls.shifted [inference]"] == "not applicable"
    assert found["controls.memoriser [linkability]"] == "not applicable"


def test_too_few_rows_make_the_self_test_inconclusive_with_the_size_it_needs() -> None:
    (measure,) = controls_of(Copies, law(600, np.random.default_rng(2)))
    assert (measure.check, measure.status, measure.needed) == ("controls.rows", "inconclusive", 1800)


def test_a_candidate_that_repeats_a_few_rows_gives_no_false_alarm() -> None:
    collapsed = law(40, np.random.default_rng(3)).take(np.random.default_rng(4).integers(0, 40, 3000))
    assert values(controls_of(Copies, collapsed))["controls.safe"] == 1.0


def test_tables_have_the_faults_that_they_are_named_for(candidate: Table) -> None:
    random = np.random.default_rng(6)
    tables = control_tables(candidate, SETTINGS, random)
    assert tables is not None
    train, fresh = rows_of(tables.rows.train), rows_of(tables.fresh)
    made = {name: maker(tables, random) for name, maker in MAKERS.items()}
    assert all(table is not None for table in made.values())
    rows = {name: rows_of(table) for name, table in made.items() if table is not None}
    assert rows["safe"] == fresh
    assert not rows["safe"] & train
    assert rows["memoriser"] == train
    assert len(rows["copier"] & train) == 50
    assert len(rows["outliers"] & train) == 20
    assert not rows["partial"] & train
    assert not rows["shifted"] & train
    shifted = made["shifted"]
    assert shifted is not None
    for column in tables.fresh.schema.columns:
        if isinstance(column, NumericColumn):
            before, after = tables.rows.train.columns[column.name], shifted.columns[column.name]
            moved = abs(np.nanmean(after) - np.nanmean(before)) / np.nanstd(before)
            assert moved == pytest.approx(0.5, abs=0.1)
            assert np.nanmin(after) >= column.lower
            assert np.nanmax(after) <= column.upper


def test_the_partial_copier_keeps_all_but_the_column_of_most_values_and_a_secret(candidate: Table) -> None:
    tables = control_tables(candidate, SETTINGS, np.random.default_rng(6))
    assert tables is not None
    made = MAKERS["partial"](tables, np.random.default_rng(7))
    assert made is not None
    assert made.rows == tables.fresh.rows
    most = SCHEMA.names[most_values_first(tables.fresh)[0]]

    def kept(table: Table, hidden: str) -> set[bytes]:
        names = [name for name in SCHEMA.names if name not in (most, hidden)]
        return {row.tobytes() for row in np.stack([np.asarray(table.columns[name], float) for name in names], axis=1)}

    # Illness is declared; one copy in so many may have its own again.
    shared = {hidden: len(kept(made, hidden) & kept(tables.rows.train, hidden)) for hidden in ("illness", "region")}
    assert shared["illness"] == 120
    assert shared["region"] < 60


def test_the_group_that_is_wronged_is_a_declared_one_and_no_majority(candidate: Table) -> None:
    random = np.random.default_rng(7)
    found = judged_group(candidate, SETTINGS)
    assert found is not None
    name, code = found
    assert name == "origin"
    share = float((candidate.columns[name] == code).mean())
    assert 0.03 <= share <= 0.5
    tables = control_tables(candidate, SETTINGS, random)
    assert tables is not None
    biased = MAKERS["biased"](tables, random)
    assert biased is not None
    assert float((biased.columns[name] == code).mean()) < 0.6 * share
    plain = candidate.schema.model_copy(
        update={"columns": tuple(c.model_copy(update={"sensitive": False}) for c in candidate.schema.columns)}
    )
    assert judged_group(Table(plain, candidate.columns, candidate.rows), AuditSettings()) is None


def test_parts_are_no_larger_than_what_the_self_test_may_cost() -> None:
    tables = control_tables(law(9000, np.random.default_rng(8)), SETTINGS, np.random.default_rng(9))
    assert tables is not None
    assert [tables.rows.train.rows, tables.rows.holdout.rows, tables.fresh.rows] == [MOST_ROWS] * 3


@pytest.mark.parametrize(
    ("measure", "least", "most"),
    [
        (Measure(check="a", value=0.05, null=0.01, law="binomial", tally=(50, 1000)), 0, 1e-9),
        (Measure(check="a", value=0.01, null=0.01, law="binomial", tally=(10, 1000)), 0.3, 0.7),
        (Measure(check="a", value=0.7, null=1.0, law="normal", error=0.05, better="null"), 0, 1e-8),
        (Measure(check="a", value=1.0, null=1.0, law="normal", error=0.05, better="null"), 0.9, 1),
        (Measure(check="a", value=0.7, null=1.0, law="normal", error=0.05, better="higher"), 0, 1e-8),
        (Measure(check="a", value=0.7, law="test", p_value=0.2), 0.2, 0.2),
    ],
)
def test_chance_is_read_by_the_law_and_the_direction(measure: Measure, least: float, most: float) -> None:
    p = chance(measure)
    assert p is not None
    assert least <= p <= most


def test_a_figure_without_a_law_has_no_chance() -> None:
    assert chance(Measure(check="a", value=1.0)) is None
    assert chance(Measure(check="a", status="inconclusive", reason="few rows")) is None


def outliers_control(value: float) -> Measure:
    (wish,) = (each for each in EXPECTATIONS if each.table == "outliers")
    return Measure(check="controls.outliers", subject=wish.subject, value=value, null=1.0, better="higher")


def test_outliers_that_are_missed_leave_measures_of_outliers_alone_without_a_voice() -> None:
    quiet = Measure(check="membership.nearest", value=0.01, null=0.01, law="binomial", tally=(10, 1000))
    measures = [
        quiet,
        quiet.model_copy(update={"subject": "outliers"}),
        quiet.model_copy(update={"subject": "origin=north"}),
        Measure(check="copies.near", value=0.0, law="test", p_value=0.5),
    ]
    after = depending(measures, [outliers_control(0.0)])
    assert [measure.status for measure in after] == ["measured", "inconclusive", "measured", "measured"]
    assert depending(measures, [outliers_control(1.0)]) == tuple(measures)


class Echoes(Copies):
    """Finds ten copies or misses them; the law is a test's."""

    p_value = 0.002

    def read(self, counts: I64) -> tuple[Measure, ...]:
        return (Measure(check=self.name, value=0.01, null=0.0, law="test", p_value=self.p_value),)


class Missed(Echoes):
    """Sees no more than chance does."""

    p_value = 0.2


class Lucky(Echoes):
    """Eleven rows of one side by nothing but chance: one table in two thousand shows as much."""

    p_value = 2**-11


class Sure(Echoes):
    """Sees in an honest table what chance never shows."""

    p_value = 5e-5


@pytest.mark.parametrize(("made", "value"), [(Lucky, 1.0), (Sure, 0.0)])
def test_an_alarm_at_an_honest_table_is_a_fault_only_beyond_what_a_dozen_checks_show_by_chance(
    candidate: Table, made: type[Copies], value: float
) -> None:
    assert values(controls_of(made, candidate))["controls.safe"] == value


@pytest.mark.parametrize(("made", "value"), [(Echoes, 1.0), (Missed, 0.0)])
def test_outliers_are_found_by_whatever_looks_for_them(candidate: Table, made: type[Copies], value: float) -> None:
    found = {measure.check: measure.value for measure in controls_of(made, candidate)}
    assert found["controls.outliers"] == value


def test_the_error_is_shared_by_kinds_of_checks_and_not_by_every_measure() -> None:
    (wish,) = (each for each in EXPECTATIONS if each.table == "outliers")
    echo = Measure(check="copies.near", value=0.01, null=0.0, law="test", p_value=0.002)
    attacks = [
        Measure(check=name, subject=subject, value=0.01, null=0.01, law="test", p_value=0.5)
        for name in MEMBERSHIP
        for subject in ("", "outliers", "origin=north")
    ]
    own = wish.own([echo, *attacks])
    assert [len(kind) for kind in own] == [4, 1, 0]
    assert {measure.subject for measure in own[0]} == {"outliers"}


class Scarce(Copies):
    """Lacks rows to speak, or fails."""

    needed: int | None = 5000

    def read(self, counts: I64) -> tuple[Measure, ...]:
        return (Measure(check=self.name, status="inconclusive", reason="few rows", needed=self.needed),)


class Broken(Scarce):
    """Fails for a reason that no row mends."""

    needed = None


@pytest.mark.parametrize(("made", "status"), [(Scarce, "not applicable"), (Broken, "inconclusive")])
def test_who_lacks_rows_raises_no_alarm_and_who_fails_was_not_tried(
    candidate: Table, made: type[Copies], status: str
) -> None:
    controls = {measure.check: measure.status for measure in controls_of(made, candidate)}
    assert controls["controls.safe"] == status
    # What must find a fault and cannot speak leaves the audit undecided.
    assert controls["controls.copier"] == "inconclusive"


def test_guesses_that_must_stay_quiet_get_more_rows_than_the_rest() -> None:
    seen: list[tuple[str, int]] = []

    class Counting(Copies):
        def count(self, rows: AuditRows, random: np.random.Generator) -> I64:
            seen.append((self.name, rows.train.rows))
            return np.array([1, 1000, 1, 1000], np.int64)

    class Guessing(Counting):
        name = "inference"

    def checks(candidate: Candidate, settings: AuditSettings) -> Sequence[Check]:
        return [Counting(candidate), Guessing(candidate)]

    run_controls(Candidate(law(9000, np.random.default_rng(1))), SETTINGS, checks, 5, lambda: 0.0)
    assert seen[:2] == [("copies.near", MOST_ROWS), ("inference", 3000)]
    assert OUTLIERS_ROWS in {rows for _, rows in seen}
