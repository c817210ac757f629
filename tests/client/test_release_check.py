"""`headwater-org ledger check`: a release beside the organisation's own ledger, and every way in which they differ."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from headwater.agreement.ledger import UNKNOWN_TASK
from headwater.errors import ReleaseRefused
from headwater.privacy.budget import Budget
from headwater.privacy.events import NoisyCounts, write_charge
from headwater.release.privacy_claim import ChargedRound, Privacy, PrivacyClaim
from headwater_client.cli import app
from headwater_client.release_check import findings_of
from headwater_client.store import Store
from headwater_server.release import ReleaseRequest, RunFacts, publish_release
from support.claims import charged
from support.ledgers import chained, charge_of_round
from support.offices import approve_everywhere, sum_in_two_sessions
from support.organisations import RUN, EnrolledConsortium
from support.releases import NOON, make_table

BUDGET = Budget(epsilon=2.0, most_rows=1000, retries=1)
PLAN = "ab" * 32
FIRST, SECOND = NoisyCounts(2680, 15), NoisyCounts(1668, 14)


def claim_of(*rounds: ChargedRound) -> PrivacyClaim:
    return PrivacyClaim.of(BUDGET, rounds, accountant="by hand", schema_confirmed=True)


TWO = claim_of(charged(1, "columns", 2680, 15), charged(2, "label", 1668, 14, completed=False))


def test_what_was_charged_as_it_is_counted_is_no_finding() -> None:
    entries = chained(charges=[charge_of_round(1, FIRST), charge_of_round(2, SECOND)])
    assert findings_of(entries, PLAN, TWO, ()) == ((), ())


@pytest.mark.parametrize(
    ("charges", "privacy", "said"),
    [
        ([charge_of_round(1, FIRST)], TWO, "round 2 (label) of the release is not in the ledger"),
        (
            [charge_of_round(1, FIRST), charge_of_round(2, SECOND), charge_of_round(3, SECOND)],
            TWO,
            "entry 3 charges round 3, which the release does not count: more was spent than it states",
        ),
        (
            # Two sessions came to one number, and two vectors left.
            [charge_of_round(1, FIRST), charge_of_round(1, FIRST, attempt=2), charge_of_round(2, SECOND)],
            TWO,
            "entry 2 charges round 1, which the release does not count",
        ),
        (
            [charge_of_round(1, FIRST), charge_of_round(2, NoisyCounts(834, 14))],
            TWO,
            'entry 2 charges round 2 {"kind":"noisy-counts","records":1,"tables":14,"variance":834}, the release',
        ),
        (
            [charge_of_round(1, FIRST, plan="cd" * 32), charge_of_round(2, SECOND)],
            TWO,
            "entry 1 charges a round of plan cdcdcdcdcdcdcdcd, the release is of plan abababababababab",
        ),
        ([charge_of_round(1, FIRST)], "none", "entry 1 charges round 1, which the release does not count"),
        ([], "none", "the ledger holds no round of the release's run"),
    ],
)
def test_each_difference_is_one_line(charges: list[Any], privacy: Privacy, said: str) -> None:
    (finding,), _ = findings_of(chained(charges=charges), PLAN, privacy, ())
    assert finding.startswith(said)
    assert "\n" not in finding


def test_a_round_that_went_on_without_this_organisation_is_no_difference_where_its_receipt_shows_it() -> None:
    entries = chained(charges=[charge_of_round(1, FIRST)])
    assert findings_of(entries, PLAN, TWO, {2}) == ((), (2,))


def test_a_charge_that_was_restored_at_the_plan_s_dearest_is_no_difference() -> None:
    restored = charge_of_round(2, FIRST, attempt=0, task=UNKNOWN_TASK)
    assert findings_of(chained(charges=[charge_of_round(1, FIRST), restored]), PLAN, TWO, ()) == ((), ())


def test_a_run_without_privacy_that_is_released_as_such_agrees() -> None:
    none = charge_of_round(1, charge=write_charge(None).decode())
    assert findings_of(chained(charges=[none]), PLAN, "none", ()) == ((), ())


def checked(home: Path, release: Path, *more: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["ledger", "check", str(release), "--home", str(home), *more])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def test_a_release_of_a_real_run_is_held_against_each_ledger(consortium: EnrolledConsortium, tmp_path: Path) -> None:
    plan = approve_everywhere(
        consortium,
        recipe={"kind": "marginals"},
        privacy=BUDGET.model_dump(mode="json"),
        aggregation={"on_membership_change": "continue", "setup_seconds": 10, "round_seconds": 20},
    )
    sum_in_two_sessions(consortium, plan)
    home = consortium.homes["org-1"]
    with closing(Store(home / "state.db")) as store:
        events = [entry.event for entry in store.ledger()]
    rounds = [
        ChargedRound(round=number, step="columns", completed=True, event=event)
        for number, event in enumerate(events, 1)
        if isinstance(event, NoisyCounts)
    ]

    def released(name: str, *counted: ChargedRound) -> Path:
        facts = RunFacts(
            consortium="Test consortium",
            organisations=3,
            run_id=RUN,
            plan_digest=plan.digest,
            charter_digest=consortium.charter.digest,
            generator_digest="ef" * 32,
            differencing="unprotected",
            privacy=claim_of(*counted),
        )
        request = ReleaseRequest(name=name, title="Visits", description="Of three hospitals.")
        return publish_release(tmp_path / "releases", make_table(), request, facts, consortium.key, NOON).folder

    whole, part = released("whole", *rounds), released("part", *rounds[:1])
    for folder in consortium.homes.values():
        assert checked(folder, whole) == (
            0,
            f"release and ledger agree on run {RUN[:8]}: 2 rounds, each charged as the release counts it, and nothing "
            "else\n",
        )
    line = f"run {RUN[:8]}: entry 2 charges round 2, which the release does not count: more was spent than it states\n"
    assert checked(home, part) == (1, line)
    code, said = checked(home, part, "--json")
    assert (code, json.loads(said)["ok"], len(json.loads(said)["findings"])) == (1, False, 1)
    (whole / "data.parquet").write_bytes(b"another")
    with pytest.raises(ReleaseRefused):
        checked(home, whole)
    with closing(sqlite3.connect(home / "state.db", isolation_level=None)) as database:
        assert database.execute("SELECT count(*) FROM ledger").fetchone() == (2,)
