"""Every check of the registry at organisations that have next to nothing: they count, and their sum is read."""

import numpy as np
import pytest

from headwater.audit.checks import all_checks, federated_checks, read_counts
from headwater.contribution.auditing import count_all
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import AuditRows
from headwater.evidence.settings import AuditSettings
from headwater.schema.table import Table
from support.recipes import small_table

SETTINGS = AuditSettings(attacks=60, targets=200, groups=("ward",), secrets=("floor", "income"))
FULL = small_table(120)
ONE_CLASS = Table(FULL.schema, {**FULL.columns, "outcome": np.zeros(120, np.int32)}, 120)
EMPTY = {"income": np.full(120, np.nan), "ward": np.full(120, -1, np.int32)}
ALL_MISSING = Table(FULL.schema, {**FULL.columns, **EMPTY}, 120)


def parts(table: Table, train: int, holdout: int) -> AuditRows:
    return AuditRows(table.take(np.arange(train)), table.take(np.arange(train, train + holdout)))


@pytest.fixture(scope="module", params=["rows", "one class", "all missing", "one row"])
def candidate(request: pytest.FixtureRequest) -> Candidate:
    tables = {
        "rows": small_table(150, seed=9),
        "one class": ONE_CLASS,
        "all missing": ALL_MISSING,
        "one row": small_table(1, seed=3),
    }
    return Candidate(tables[request.param])


def test_counts_of_organisations_with_next_to_nothing_add_up_and_are_read(candidate: Candidate) -> None:
    checks = federated_checks(candidate, SETTINGS)
    few = [parts(FULL, 0, 0), parts(FULL, 1, 0), parts(FULL, 0, 1), parts(FULL, 5, 3)]
    odd = [parts(ONE_CLASS, 60, 20), parts(ALL_MISSING, 60, 20)]
    counted = [count_all(checks, rows, b"question") for rows in few + odd]
    assert {counts.shape for counts in counted} == {(sum(check.size for check in checks),)}
    assert all(counts.min() >= 0 and counts.max() < 2**24 for counts in counted)
    names = [measure.name for measure in read_counts(checks, np.sum(counted, axis=0))]
    assert len(names) == len(set(names)) >= 12
    assert len(read_counts(checks, counted[0])) > 0


def test_an_organisation_with_few_rows_can_review_them_by_every_check(candidate: Candidate) -> None:
    checks = all_checks(candidate, SETTINGS)
    found = read_counts(checks, count_all(checks, parts(FULL, 40, 9), b"question"))
    assert {measure.check.split(".")[0] for measure in found} >= {"membership", "linkability", "copies", "marginals"}
