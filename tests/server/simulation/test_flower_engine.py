"""Contributions as Flower ClientApps: the engine over a grid in memory, and once over Ray."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.supercore.task_identity import TaskIdentity

from headwater.errors import InputError
from headwater.recipe import Aggregate, build_recipe
from headwater.recipe.task import Task
from headwater_server.simulation.driving import Cost, LocalEngine, Silent, drive
from headwater_server.simulation.flower_engine import (
    FlowerEngine,
    contribution_app,
    drive_on_flower,
    write_organisations,
)
from support.private import private_plan
from support.recipes import small_plan, small_table
from support.watching import Recorder

PLAN = small_plan(rounds=1)
PARTS = [small_table(rows, seed=rows) for rows in (80, 50, 120)]


class Grid:
    """Nodes that come online one by one and answer out of order, by calling the ClientApp directly."""

    def __init__(self, app: Any, nodes: int, spoil: Any = None) -> None:
        self.app, self.nodes, self.spoil = app, nodes, spoil
        self.asked = 0
        self.replies: dict[str, Message] = {}

    def get_node_ids(self) -> list[int]:
        self.asked += 1
        return list(range(100, 100 + min(self.asked, self.nodes)))

    def push_messages(self, messages: list[Message]) -> list[str]:
        for message in messages:
            number = f"m{message.metadata.dst_node_id}"
            partition = message.metadata.dst_node_id - 100
            context = Context(1, 1, {"partition-id": partition}, RecordDict(), {})
            reply = self.app(message, context)
            self.replies[number] = self.spoil(reply) if self.spoil else reply
        return list(self.replies)

    def pull_messages(self, waiting: list[str]) -> list[Any]:
        number = max(waiting)
        reply = self.replies[number]
        metadata = SimpleNamespace(reply_to_message_id=number)
        return [SimpleNamespace(metadata=metadata, content=reply.content, has_error=lambda: False)]


def first_task() -> Task:
    action = build_recipe(PLAN).next()
    assert isinstance(action, Aggregate)
    return action.task


@pytest.fixture
def clock() -> Any:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    return SimpleNamespace(monotonic=lambda: now[0], sleep=sleep)


@pytest.fixture(autouse=True)
def identity(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Flower's own processes set before an app runs."""
    for name in ("_task_id", "_run_id", "_node_id"):
        monkeypatch.setattr(TaskIdentity, name, 1)


@pytest.fixture
def app(tmp_path: Path) -> Any:
    write_organisations(PARTS, PLAN, tmp_path)
    return contribution_app(str(tmp_path))


def test_the_sum_over_the_grid_is_the_sum_in_this_process(app: Any, clock: Any) -> None:
    total, organisations = FlowerEngine(Grid(app, 3), 3, clock).sum(first_task(), b"")
    expected, _ = LocalEngine(PARTS, PLAN).sum(first_task(), b"")
    assert organisations == 3
    assert np.array_equal(total, expected)


def test_noise_is_that_of_as_many_organisations(clock: Any, tmp_path: Path) -> None:
    plan, cost = private_plan(3.0), Cost()
    write_organisations(PARTS, plan, tmp_path)
    recipe, here = build_recipe(plan), build_recipe(plan)
    drive(recipe, FlowerEngine(Grid(contribution_app(str(tmp_path)), 3), 3, clock), Silent(), cost)
    drive(here, LocalEngine(PARTS, plan), Silent(), Cost())
    assert [record.get("deviation") for record in recipe.history] == [
        record.get("deviation") for record in here.history
    ]
    assert len(cost.asked) == 3


def test_a_refused_contribution_ends_the_run_with_its_reason(app: Any, clock: Any) -> None:
    task = first_task().model_copy(update={"step": 99})
    with pytest.raises(InputError, match="round 99"):
        FlowerEngine(Grid(app, 3), 3, clock).sum(task, b"")


def test_a_vector_of_another_length_is_refused(app: Any, clock: Any) -> None:
    def short(reply: Message) -> Any:
        record = ConfigRecord({"vector": bytes(8)})
        return SimpleNamespace(content=RecordDict({"headwater": record}))

    with pytest.raises(InputError, match="2 values"):
        FlowerEngine(Grid(app, 3, short), 3, clock).sum(first_task(), b"")


def test_nodes_that_never_come_online_end_the_run(app: Any, clock: Any) -> None:
    with pytest.raises(InputError, match="started 2 of 3"):
        FlowerEngine(Grid(app, 2), 3, clock).sum(first_task(), b"")


def test_without_ray_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"headwater\[simulation\]"):
        drive_on_flower(build_recipe(PLAN), PARTS, PLAN, Silent(), Cost())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning")
def test_a_run_on_ray_gives_the_generator_of_a_run_in_this_process() -> None:
    watcher, cost = Recorder(), Cost()
    done = drive_on_flower(build_recipe(PLAN), PARTS, PLAN, watcher, cost)
    expected = drive(build_recipe(PLAN), LocalEngine(PARTS, PLAN), Silent(), Cost())
    assert done.model == expected.model
    assert cost.sums == sum(what in ("histograms", "marginals", "update") for what in watcher.ended)
