"""What an audit must have by schema and settings is what its checks give, whatever the rows are."""

import numpy as np
import pytest

from headwater.audit.checks import federated_checks, read_counts
from headwater.audit.expectations import EXPECTATIONS
from headwater.audit.expected import Expected, contradicted, expected_figures, lacking
from headwater.contribution.auditing import count_all
from headwater.errors import InputError
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import AuditRows
from headwater.evidence.measure import Status
from headwater.evidence.settings import AuditSettings
from headwater.schema.schema import Schema
from headwater.schema.table import Table
from support.recipes import small_table

TABLE, DECLARED = small_table(120, seed=3), AuditSettings(groups=("floor", "ward"), secrets=("ward",), tasks=("floor",))
NAMES = {(each.check, each.subject) for each in expected_figures(TABLE.schema, DECLARED)}


def of_checks(expected: tuple[Expected, ...]) -> list[Expected]:
    """Those that rows are counted for, not the self-test nor what is scanned."""
    return [each for each in expected if not each.check.startswith(("controls.", "canaries.", "artefacts"))]


@pytest.mark.parametrize(("settings", "rows"), [(AuditSettings(), 0), (DECLARED, 0), (DECLARED, 120)])
def test_what_is_expected_is_what_the_checks_give(settings: AuditSettings, rows: int) -> None:
    checks = federated_checks(Candidate(TABLE), settings)
    sides = AuditRows(small_table(200, seed=4).take(np.arange(rows)), small_table(200, seed=5).take(np.arange(rows)))
    counts = (
        count_all(checks, sides, b"a question") if rows else np.zeros(sum(check.size for check in checks), np.int64)
    )
    measures = read_counts(checks, counts)
    names = {(measure.check, measure.subject): measure.status for measure in measures}
    expected = expected_figures(TABLE.schema, settings)
    assert lacking(of_checks(expected), names) == ()
    assert contradicted(expected, names) == frozenset()


def test_groups_secrets_and_tasks_are_each_named() -> None:
    for name in (
        ("membership.nearest", "floor=1"),
        ("membership.classifier", "ward=c"),
        ("membership.domias-5", "outliers"),
        ("inference", "ward"),
        ("usefulness", "floor"),
        ("bias.ratio", "ward"),
        ("bias.intersections", "floor & ward"),
        ("bias.odds", "floor: ward"),
        ("controls.safe", "linkability"),
        *((f"controls.{wish.table}", wish.subject) for wish in EXPECTATIONS),
    ):
        assert name in NAMES, name
    # A task is no group of its own outcome.
    assert ("bias.odds", "floor: floor") not in NAMES
    planted = expected_figures(TABLE.schema, AuditSettings(canaries=64))
    assert Expected("canaries.exposure", "dose=16") in planted


def test_one_figure_of_a_column_s_groups_is_enough_and_another_column_s_is_not() -> None:
    (ratio,) = (
        each
        for each in expected_figures(TABLE.schema, DECLARED)
        if each.check == "bias.ratio" and each.subject == "ward"
    )
    assert ratio.is_met({("bias.ratio", "ward=a")})
    assert ratio.is_met({("bias.ratio", "ward")})
    assert not ratio.is_met({("bias.ratio", "floor=1"), ("bias.ratio", ""), ("bias.odds", "ward")})


def test_too_few_rows_for_a_self_test_are_told_once() -> None:
    expected = [Expected("controls.copier", "copies.near"), Expected("linkability")]
    assert lacking(expected, {("controls.rows", ""): "inconclusive"}) == (Expected("linkability"),)
    assert len(lacking(expected, {})) == 2


@pytest.mark.parametrize("status", ["measured", "not applicable"])
def test_a_self_test_without_rows_that_stops_nothing_excuses_nothing(status: Status) -> None:
    expected = [Expected("controls.copier", "copies.near"), Expected("linkability")]
    assert lacking(expected, {("controls.rows", ""): status}) == tuple(expected)


def test_what_is_there_cannot_call_itself_not_applicable() -> None:
    expected = expected_figures(TABLE.schema, DECLARED)
    outliers, group, whole = (("membership.nearest", subject) for subject in ("outliers", "ward=a", ""))
    other = ("membership.domias-1", "ward=a")
    assert contradicted(expected, {outliers: "not applicable"}) == {outliers}
    assert contradicted(expected, {outliers: "inconclusive"}) == frozenset()
    assert contradicted(expected, {whole: "measured", group: "not applicable", other: "measured"}) == {group}
    # A group without a row, or with so few that one attack drew none of them; and an attack that could score nobody.
    for honest in (
        {whole: "measured", group: "not applicable", other: "not applicable"},
        {whole: "measured", group: "not applicable", other: "inconclusive"},
        {whole: "inconclusive", group: "not applicable", other: "measured"},
    ):
        assert contradicted(expected, honest) == frozenset()  # type: ignore[arg-type]


def test_a_scope_that_is_none_of_the_schema_is_refused() -> None:
    for settings in (AuditSettings(groups=("age",)), AuditSettings(secrets=("nobody",))):
        with pytest.raises(InputError):
            expected_figures(TABLE.schema, settings)


def test_a_table_of_one_column_expects_no_more_than_there_is() -> None:
    column = next(each for each in TABLE.schema.columns if each.name == "floor")
    schema = Schema(name="one", columns=(column,))
    table = Table(schema, {"floor": TABLE.columns["floor"]}, TABLE.rows)
    checks = federated_checks(Candidate(table), AuditSettings())
    measures = read_counts(checks, np.zeros(sum(check.size for check in checks), np.int64))
    names = {(measure.check, measure.subject): measure.status for measure in measures}
    assert lacking(of_checks(expected_figures(schema, AuditSettings())), names) == ()
