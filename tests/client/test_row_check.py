"""Rows against the plans that were approved, before a run begins, and what the operator hears of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pytest
from structlog.testing import capture_logs

from headwater.agreement.troubles import Trouble
from headwater.errors import InputError
from headwater.schema import Schema
from headwater_client.connectors import ArrowSource, RowSource
from headwater_client.membership import Membership
from headwater_client.row_check import RowCheck
from headwater_client.transport.consortium import ConsortiumClient
from support.offices import approve_everywhere, rows_of
from support.organisations import RUN, EnrolledConsortium

SECRET = "s3cret-ward"


class Broken:
    """A source of an organisation's own that fails with a value in its words."""

    def read(self, schema: Schema) -> pa.Table:
        raise ValueError(f"cannot convert {SECRET}")


class Missing:
    def read(self, schema: Schema) -> pa.Table:
        raise InputError("there is no file rows.csv; give a file with --data")


@contextmanager
def checking(consortium: EnrolledConsortium, source: RowSource) -> Iterator[tuple[RowCheck, ConsortiumClient]]:
    membership = Membership.open(consortium.homes["org-1"])
    with membership.channel() as channel:
        coordinator = ConsortiumClient(channel)
        yield RowCheck(membership, source, coordinator.report), coordinator
    membership.store.close()


def off_schema() -> pa.Table:
    return rows_of("org-1").set_column(1, "ward", pa.array([SECRET] * 21))


@pytest.mark.parametrize(
    ("source", "event", "trouble"),
    [
        (ArrowSource(off_schema()), "rows_refused", Trouble.ROWS_REFUSED),
        (ArrowSource(pa.table({"age": [1]})), "rows_refused", Trouble.ROWS_REFUSED),
        (Missing(), "rows_unreadable", Trouble.ROWS_UNREADABLE),
        (Broken(), "rows_unreadable", Trouble.ROWS_UNREADABLE),
    ],
    ids=["off the schema", "columns missing", "no file", "broken source"],
)
def test_rows_that_cannot_take_part_are_named_here_and_told_without_a_value(
    consortium: EnrolledConsortium, source: Any, event: str, trouble: Trouble
) -> None:
    approve_everywhere(consortium)
    with checking(consortium, source) as (check, coordinator), capture_logs() as logs:
        check.look(coordinator)
        check.look(coordinator)
    (entry,) = logs
    assert (entry["event"], entry["plan"], entry["run"]) == (event, "first", RUN)
    assert SECRET not in str(entry)
    # Told once, however often it is looked.
    assert consortium.coordinator.store.troubles == [(RUN, "org-1", trouble)]


def test_the_line_names_the_columns(consortium: EnrolledConsortium) -> None:
    approve_everywhere(consortium)
    with checking(consortium, ArrowSource(off_schema())) as (check, coordinator), capture_logs() as logs:
        check.look(coordinator)
    assert logs[0]["reason"].startswith("ward of these rows cannot be taken as plan first has them")
    assert f"headwater-org check --run {RUN[:8]}" in logs[0]["reason"]


def test_rows_that_hold_are_told_to_nobody(consortium: EnrolledConsortium) -> None:
    approve_everywhere(consortium)
    with checking(consortium, ArrowSource(rows_of("org-1"))) as (check, coordinator), capture_logs() as logs:
        check.look(coordinator)
    assert [entry["event"] for entry in logs] == ["rows_checked"]
    assert consortium.coordinator.store.troubles == []


def test_a_run_that_nobody_here_approved_is_not_looked_at(consortium: EnrolledConsortium) -> None:
    consortium.accept()
    consortium.propose()
    with checking(consortium, Missing()) as (check, coordinator), capture_logs() as logs:
        check.look(coordinator)
        assert logs == []
        plan = consortium.coordinator.store.proposals[RUN].proposal.plan
        consortium.organisations["org-1"].approve(RUN, plan.digest)
        check.look(coordinator)
    assert [entry["event"] for entry in logs] == ["rows_unreadable"]
