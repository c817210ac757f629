"""The organisation's reading of a Task: what the approved plan asks for goes through, anything else does not."""

from typing import Any

import pytest

from headwater.contribution.contribute import contribute
from headwater.errors import PeerError
from headwater.recipe.actions import Aggregate
from headwater.recipe.machine import build_recipe
from headwater.recipe.task import Task
from headwater.recipe.tasks import audit_task
from headwater_client.task_check import TaskGate
from support.audited import audited_plan
from support.consortium import SMALL_SCHEMA, ConsortiumInMemory
from support.pictures import picture_plan, picture_table

PLAN = ConsortiumInMemory().plan(seed=5)
CHARGE = b'{"mechanism":"none"}'


def first_task() -> Task:
    action = build_recipe(PLAN).next()
    assert isinstance(action, Aggregate)
    return action.task


def changed(**changes: Any) -> Task:
    return first_task().model_copy(update=changes)


def test_the_recipes_own_task_is_admitted_and_so_is_its_repetition() -> None:
    gate, task = TaskGate(PLAN), first_task()
    assert gate.admit(task.to_bytes(), b"", task.length, CHARGE) == task
    assert gate.admit(task.to_bytes(), b"", task.length, CHARGE) == task


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seed": 1}, "seed"),
        ({"step": 2}, "in round 2"),
        ({"step": 100}, "round 100"),
        ({"kind": "update"}, "clip"),
        ({"value_bits": 28}, "value bits"),
        ({"clip": 1.0}, "clip"),
        ({"scale": 2.0}, "scale"),
        ({"model_digest": "ab" * 32}, "model"),
        ({"length": 2**31}, "budgets"),
        ({"parameters": {"subsets": [[0, len(SMALL_SCHEMA.columns)]]}}, "columns"),
        ({"parameters": {"subsets": [[-1]]}}, "columns"),
        ({"parameters": {"subsets": [[True]]}}, "columns"),
        ({"parameters": {"subsets": [0]}}, "column sets"),
        ({"parameters": {"subsets": "all"}}, "column sets"),
    ],
)
def test_each_field_alone_is_held_to_the_plan(changes: dict[str, Any], said: str) -> None:
    task = changed(**changes)
    with pytest.raises(PeerError, match=said):
        TaskGate(PLAN).admit(task.to_bytes(), b"", task.length, CHARGE)


def test_the_sessions_length_is_the_tasks() -> None:
    task = first_task()
    with pytest.raises(PeerError, match="the session for"):
        TaskGate(PLAN).admit(task.to_bytes(), b"", task.length + 1, CHARGE)


def test_a_missing_charge_is_refused_as_such() -> None:
    task = first_task()
    with pytest.raises(PeerError, match="names no charge"):
        TaskGate(PLAN).admit(task.to_bytes(), b"", task.length, b"")


@pytest.mark.parametrize("charge", [b"{}", b'{"mechanism": "none"}', b'{"mechanism":"gaussian","sigma":1}'])
def test_a_charge_that_is_not_the_plans_is_refused(charge: bytes) -> None:
    task = first_task()
    with pytest.raises(PeerError, match="charge is not what plan and task come to"):
        TaskGate(PLAN).admit(task.to_bytes(), b"", task.length, charge)


def test_a_model_that_no_task_names_is_refused() -> None:
    task = first_task()
    with pytest.raises(PeerError, match="model"):
        TaskGate(PLAN).admit(task.to_bytes(), b"model", task.length, CHARGE)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff\xfe", b"[" * 100_000])
def test_bytes_that_are_no_task_are_refused(data: bytes) -> None:
    with pytest.raises(PeerError, match="not of this version"):
        TaskGate(PLAN).admit(data, b"", 1, CHARGE)


def counting(step: int, subsets: list[list[int]]) -> Task:
    from headwater.recipe.task import seed_for

    seed = seed_for(PLAN.seed, "marginals", step)
    bits = PLAN.recipe.value_bits
    return Task(kind="marginals", step=step, length=8, value_bits=bits, parameters={"subsets": subsets}, seed=seed)


def test_a_step_is_not_asked_twice_for_different_things() -> None:
    gate = TaskGate(PLAN)
    gate.admit(counting(2, [[0, 1]]).to_bytes(), b"", 8, CHARGE)
    with pytest.raises(PeerError, match="something else before"):
        gate.admit(counting(2, [[0, 2]]).to_bytes(), b"", 8, CHARGE)


def test_a_step_never_goes_back() -> None:
    gate = TaskGate(PLAN)
    gate.admit(counting(3, [[0, 1]]).to_bytes(), b"", 8, CHARGE)
    with pytest.raises(PeerError, match="step 3 was asked before"):
        gate.admit(counting(2, [[0, 1]]).to_bytes(), b"", 8, CHARGE)


def test_a_refused_task_changes_nothing() -> None:
    gate = TaskGate(PLAN)
    with pytest.raises(PeerError):
        gate.admit(changed(step=3, seed=1).to_bytes(), b"", first_task().length, CHARGE)
    gate.admit(first_task().to_bytes(), b"", first_task().length, CHARGE)


@pytest.mark.parametrize("kind", ["mixture", "marginals", "adversarial"])
def test_every_task_of_a_run_over_pictures_is_admitted(kind: str) -> None:
    plan = picture_plan(kind, images={"convolution": {"channels": 4, "latent": 4, "rounds": 1, "local_steps": 1}})
    gate, recipe, rows, asked = TaskGate(plan), build_recipe(plan), picture_table(90), []
    while isinstance(action := recipe.next(), Aggregate):
        task = gate.admit(action.task.to_bytes(), action.model, action.task.length, CHARGE)
        asked.append(task.kind)
        recipe.add_sum(contribute(task, action.model, rows, plan), 1)
    assert asked[:2] == ["pixels", "histograms"]
    assert asked[2] == {"mixture": "marginals", "marginals": "marginals", "adversarial": "update"}[kind]


def test_nothing_is_asked_after_the_audit_but_the_very_same_again() -> None:
    plan = audited_plan()
    gate = TaskGate(plan)

    def ask(data: bytes, step: int) -> None:
        task = audit_task(plan, step, data, (("floors", 7),))
        gate.admit(task.to_bytes(), data, task.length, CHARGE)

    ask(b"candidate", 3)
    ask(b"candidate", 3)
    for data, step in ((b"another", 3), (b"another", 4), (b"candidate", 4)):
        with pytest.raises(PeerError, match="the audit was asked, which is the last of a run"):
            ask(data, step)
