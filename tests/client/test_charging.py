"""A run's rounds at the ledger: held to the plan's budget, to the organisation's own limit, and to what was signed."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from headwater.agreement.charge import dearest_charge, plan_events
from headwater.agreement.ledger import UNKNOWN_TASK
from headwater.agreement.plan import Plan
from headwater.errors import BudgetExceeded, PeerError, StorageError
from headwater.privacy.accountant import beyond, spent
from headwater.privacy.events import Event, read_charge, write_charge
from headwater.recipe.private_steps import private_rounds
from headwater.secagg.protocol.receipts import Document
from headwater.secagg.wire.messages import Abort, Receipt
from headwater_client import budget
from headwater_client.budget import OwnLimit, cost_in_words, plan_problems
from headwater_client.charging import Charging
from headwater_client.store import Store
from support.consortium import ConsortiumInMemory
from support.ledgers import OTHER_RUN, RUN

CONSORTIUM = ConsortiumInMemory()
TASK = b"a task"


def private_plan(epsilon: float = 1.0, retries: int = 0) -> Plan:
    return CONSORTIUM.plan(
        recipe={"kind": "marginals"}, privacy={"epsilon": epsilon, "most_rows": 1000, "retries": retries}
    )


PLAN = private_plan()
COSTS = [write_charge(event) for event in plan_events(PLAN)]


@pytest.fixture
def charging(tmp_path: Path) -> Callable[..., Charging]:
    store = Store(tmp_path / "state.db")

    def of(run_id: str = RUN, plan: Plan = PLAN, limit: OwnLimit | None = None, data_set: str = "main") -> Charging:
        return Charging(run_id, plan, data_set, limit or OwnLimit(), store)

    return of


def charge_all(charging: Charging, costs: list[bytes] = COSTS, attempt: int = 1) -> None:
    for number, cost in enumerate(costs, 1):
        charging.charge(attempt, number, number, TASK, cost)


def test_a_run_charges_its_whole_budget_and_not_a_round_more(charging: Callable[..., Charging]) -> None:
    run = charging()
    charge_all(run)
    with pytest.raises(PeerError, match=r"round 9 would take run 0f0f.* its plan's budget is 1; nothing was charged"):
        run.charge(1, 9, 9, TASK, COSTS[0])
    assert len(run.store.ledger()) == len(COSTS)
    assert spent([entry.event for entry in run.store.ledger() if entry.event], 1e-6).epsilon <= 1.0


def test_an_aborted_round_that_is_tried_again_is_paid_from_the_retries_alone(charging: Callable[..., Charging]) -> None:
    plan = private_plan(retries=1)
    costs = [write_charge(event) for event in plan_events(plan)]
    run = charging(plan=plan)
    charge_all(run, costs)
    with pytest.raises(PeerError, match="budget"):
        run.charge(1, 9, 1, TASK, costs[0])


def test_the_organisations_own_limit_is_over_all_runs(charging: Callable[..., Charging]) -> None:
    limit = OwnLimit(epsilon=1.3)
    charge_all(charging(limit=limit))
    other = charging(OTHER_RUN, limit=limit)
    with pytest.raises(
        BudgetExceeded, match=r"run 1f1f.* would take the ledger of all data sets together to ε = .* is 1\.3;"
    ) as no:
        charge_all(other)
    assert "\n" not in str(no.value)
    held = [entry.event for entry in other.store.ledger() if entry.event]
    assert spent(held, 1e-6).epsilon <= 1.3


def test_the_limit_is_over_all_data_sets_unless_the_organisation_declares_them_disjoint(
    charging: Callable[..., Charging],
) -> None:
    charge_all(charging(limit=OwnLimit(epsilon=1.3)))
    elsewhere = charging(OTHER_RUN, limit=OwnLimit(epsilon=1.3), data_set="registry")
    with pytest.raises(BudgetExceeded, match="all data sets together"):
        # Under another name it may be the same people's records.
        charge_all(elsewhere)
    apart = OwnLimit(epsilon=1.3, disjoint_data_sets=True)
    charge_all(charging("2f" * 16, limit=apart, data_set="register"))
    with pytest.raises(BudgetExceeded, match="data set 'main' to"):
        charge_all(charging("3f" * 16, limit=apart))


def test_without_a_limit_plans_alone_decide(charging: Callable[..., Charging]) -> None:
    charge_all(charging())
    charge_all(charging(OTHER_RUN))
    assert len(charging().store.ledger()) == 2 * len(COSTS)


def test_a_round_without_privacy_is_recorded_as_such_and_weighs_nothing(charging: Callable[..., Charging]) -> None:
    run = charging(plan=CONSORTIUM.plan(), limit=OwnLimit(epsilon=0.001))
    run.charge(1, 1, 1, TASK, write_charge(None))
    assert [entry.event for entry in run.store.ledger()] == [None]


def test_a_plan_is_weighed_whole_before_it_runs() -> None:
    whole, limit = plan_events(PLAN), OwnLimit(epsilon=1.3)
    assert plan_problems(PLAN, (), limit) == ()
    (problem,) = plan_problems(PLAN, whole, limit)
    assert "with what other runs were charged in its ledger (3 rounds)," in problem
    assert "this organisation's limit is 1.3 (maximum_epsilon)" in problem
    assert plan_problems(PLAN, whole, OwnLimit()) == ()
    (alone,) = plan_problems(private_plan(epsilon=2.0), (), limit)
    assert alone.startswith("the plan would come to ε = 1.9")


def test_a_plan_without_privacy_is_let_through_only_where_the_policy_does() -> None:
    assert plan_problems(CONSORTIUM.plan(), (), OwnLimit(epsilon=1.0)) == ()
    (problem,) = plan_problems(CONSORTIUM.plan(), (), OwnLimit(non_private_runs=False))
    assert "NOT DIFFERENTIALLY PRIVATE" in problem


def test_what_a_plan_costs_is_said_alone_and_together() -> None:
    assert "for all together" in cost_in_words(PLAN, plan_events(PLAN), OwnLimit(epsilon=3.0))
    assert cost_in_words(PLAN, (), OwnLimit()).endswith("you set no limit of your own")
    assert cost_in_words(CONSORTIUM.plan(), (), OwnLimit()).startswith("no ε bounds what this run gives away")


def receipt(number: int = 1, members: tuple[str, ...] = ("org-1", "org-2"), cost: bytes = COSTS[0]) -> Document:
    """A receipt as the machine hands it over, its signature checked."""
    none, uploads = bytes(32), tuple((member, bytes(32)) for member in members)
    content = Receipt(none, number, none, uploads, (), none, b"\x07" * 32, none, cost, none)
    return Document(number, content, b"", none)


def abort(number: int = 1, members: tuple[str, ...] = ("org-1", "org-2")) -> Document:
    """An abort, the same way."""
    none, uploads = bytes(32), tuple((member, bytes(32)) for member in members)
    return Document(number, Abort(none, number, none, "confirm", uploads, "a test", (), (), none), b"", none)


def test_a_receipt_that_the_ledger_lost_is_charged_when_it_comes(charging: Callable[..., Charging]) -> None:
    run = charging()
    run.settle(receipt(), "org-1")
    run.settle(receipt(), "org-1")
    (entry,) = run.store.ledger()
    assert (entry.attempt, entry.task, entry.charge) == (0, "07" * 32, COSTS[0].decode())


def test_a_receipt_that_names_no_charge_of_the_plan_costs_its_dearest(charging: Callable[..., Charging]) -> None:
    run = charging()
    run.settle(receipt(cost=b"\xff"), "org-1")
    assert [entry.charge.encode() for entry in run.store.ledger()] == [dearest_charge(PLAN)]


def test_an_abort_that_the_ledger_lost_is_charged_at_the_plans_dearest(charging: Callable[..., Charging]) -> None:
    run = charging()
    run.settle(abort(), "org-1")
    (entry,) = run.store.ledger()
    assert (entry.task, entry.charge) == (UNKNOWN_TASK, dearest_charge(PLAN).decode())
    assert max(plan_events(PLAN), key=lambda event: event.zcdp) == read_charge(dearest_charge(PLAN))


def test_a_round_without_a_vector_of_ours_costs_nothing(charging: Callable[..., Charging]) -> None:
    run = charging()
    run.settle(receipt(members=("org-2", "org-3")), "org-1")
    assert run.store.ledger() == ()


def test_a_receipt_that_says_something_else_than_the_ledger_stops_the_run(charging: Callable[..., Charging]) -> None:
    run = charging()
    run.charge(1, 1, 1, TASK, COSTS[0])
    run.settle(abort(), "org-1")
    with pytest.raises(StorageError, match="charges another task or cost than the receipt of round 1"):
        run.settle(receipt(), "org-1")
    assert len(run.store.ledger()) == 1


def test_a_run_from_before_the_ledger_is_not_held_to_it(charging: Callable[..., Charging]) -> None:
    run = charging()
    with run.store._transaction() as connection:
        connection.execute("INSERT INTO run_before_ledger VALUES (?)", (RUN,))
    run.settle(receipt(), "org-1")
    assert run.store.ledger() == ()


HYBRID = CONSORTIUM.plan(
    recipe={"kind": "hybrid", "private": {"critic": {"steps": 40}}}, privacy={"epsilon": 1.0, "most_rows": 1000}
)
SINGLE = [write_charge(each.event) for each in private_rounds(HYBRID)]


def test_a_critic_s_steps_are_charged_one_by_one_and_come_to_what_the_plan_names(
    charging: Callable[..., Charging],
) -> None:
    run = charging(plan=HYBRID)
    charge_all(run, SINGLE)
    held = [entry.event for entry in run.store.ledger() if entry.event]
    assert len(held) == len(SINGLE) == 43
    assert spent(held, 1e-6) == spent(plan_events(HYBRID), 1e-6)
    with pytest.raises(PeerError, match=r"its plan's budget is 1; nothing was charged"):
        run.charge(1, 101, 101, TASK, SINGLE[0])


def test_charges_within_the_plan_are_not_accounted_for_anew_in_each_round(
    charging: Callable[..., Charging], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def counting(events: Iterable[Event], epsilon: float, delta: float) -> float | None:
        listed = list(events)
        asked.append(len(listed))
        return beyond(listed, epsilon, delta)

    monkeypatch.setattr(budget, "beyond", counting)
    budget._within.cache_clear()
    charge_all(charging(plan=HYBRID, limit=OwnLimit(epsilon=1.5)), SINGLE)
    # Once for the plan's budget, and once for the organisation's own limit.
    assert len(asked) == 2


def test_an_own_limit_stops_a_critic_where_other_runs_leave_it_too_little(charging: Callable[..., Charging]) -> None:
    limit = OwnLimit(epsilon=1.2)
    charge_all(charging(limit=limit))
    other = charging(OTHER_RUN, plan=HYBRID, limit=limit)
    with pytest.raises(BudgetExceeded, match=r"this organisation's limit is 1\.2"):
        charge_all(other, SINGLE)
    assert spent([entry.event for entry in other.store.ledger() if entry.event], 1e-6).epsilon <= 1.2


def test_an_abort_that_names_no_charge_costs_the_dearest_by_the_accountant() -> None:
    # By arithmetic alone a step of the critic would look dearer than every count: it knows nothing of the sample.
    dearest = read_charge(dearest_charge(HYBRID))
    events = dict.fromkeys(each.event for each in private_rounds(HYBRID))
    assert dearest == max(events, key=lambda each: spent([each], 1e-6).epsilon)
