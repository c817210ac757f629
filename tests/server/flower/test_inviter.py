"""The ServerApp keeps one invitation open at every node that is online."""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest
from flwr.app import ConfigRecord, Error, Message, RecordDict
from flwr.supercore.task_identity import TaskIdentity

from headwater.flower_bundle import INVITATION_MESSAGE_TYPE, RECORD_NAME
from headwater_server.app import Inviter

RUN = "0f" * 16


@pytest.fixture(autouse=True)
def identity(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Flower sets in the process of a ServerApp before it calls it."""
    for name in ("_run_id", "_node_id", "_task_id"):
        monkeypatch.setattr(TaskIdentity, name, 1)


class FakeGrid:
    """Nodes that come, answer and go as a test says."""

    def __init__(self, *nodes: int) -> None:
        self.online = list(nodes)
        self.pushed: list[Message] = []
        self.answers: dict[str, Any] = {}
        self.lost: set[int] = set()

    def get_node_ids(self) -> Iterable[int]:
        return list(self.online)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str | None]:
        numbers = []
        for message in messages:
            self.pushed.append(message)
            lost = message.metadata.dst_node_id in self.lost
            numbers.append(None if lost else f"message {len(self.pushed)}")
        return numbers

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Any]:
        return [self.answers.pop(number) for number in list(message_ids) if number in self.answers]

    def invited(self) -> list[int]:
        return [message.metadata.dst_node_id for message in self.pushed]

    def answer(self, number: int, outcome: str | None = None, error: str = "") -> None:
        """Answer the message that was pushed as the number-th."""
        name = f"message {number}"
        content = RecordDict({RECORD_NAME: ConfigRecord({} if outcome is None else {"outcome": outcome})})
        self.answers[name] = SimpleNamespace(
            metadata=SimpleNamespace(reply_to_message_id=name),
            has_error=lambda: bool(error),
            error=Error(code=8, reason=error),
            content=content,
        )


def inviter(grid: FakeGrid, lines: list[str] | None = None) -> Inviter:
    return Inviter(grid, RUN, (lines if lines is not None else []).append)


def test_everybody_online_is_invited_once_with_the_run_and_nothing_else() -> None:
    grid = FakeGrid(1, 2)
    party = inviter(grid)
    for second in range(5):
        party.step(float(second))
    assert grid.invited() == [1, 2]
    for message in grid.pushed:
        assert message.metadata.message_type == INVITATION_MESSAGE_TYPE
        assert {name: dict(record) for name, record in message.content.items()} == {RECORD_NAME: {"run_id": RUN}}


def test_who_comes_later_is_invited_when_it_comes() -> None:
    grid = FakeGrid(1)
    party = inviter(grid)
    party.step(0.0)
    grid.online.append(2)
    party.step(1.0)
    assert grid.invited() == [1, 2]


def test_an_early_refusal_does_not_keep_others_out() -> None:
    grid = FakeGrid(1)
    party = inviter(grid)
    party.step(0.0)
    grid.answer(1, "refused")
    party.step(1.0)
    grid.online.append(2)
    party.step(2.0)
    assert grid.invited() == [1, 2]


@pytest.mark.parametrize(
    ("outcome", "error", "pause"), [("done", "", 5.0), (None, "node gone", 5.0), ("refused", "", 30.0)]
)
def test_a_part_that_ended_is_opened_again_after_a_pause(outcome: str | None, error: str, pause: float) -> None:
    grid, lines = FakeGrid(1), list[str]()
    party = inviter(grid, lines)
    party.step(0.0)
    grid.answer(1, outcome, error)
    party.step(10.0)
    party.step(10.0 + pause - 0.1)
    assert grid.invited() == [1]
    party.step(10.0 + pause)
    assert grid.invited() == [1, 1]
    assert lines == [f"node 1: {outcome or f'no answer ({error})'}"]


def test_a_node_that_left_between_look_and_push_is_tried_again() -> None:
    grid = FakeGrid(1)
    grid.lost.add(1)
    party = inviter(grid)
    party.step(0.0)
    grid.lost.clear()
    party.step(1.0)
    assert grid.invited() == [1, 1]


def test_an_answer_without_an_outcome_is_told_and_does_not_break_the_rest() -> None:
    grid, lines = FakeGrid(1, 2), list[str]()
    party = inviter(grid, lines)
    party.step(0.0)
    grid.answer(1)
    grid.answer(2, "done")
    party.step(1.0)
    assert sorted(lines) == ["node 1: an answer without an outcome", "node 2: done"]


def test_an_answer_to_nothing_is_ignored() -> None:
    grid, lines = FakeGrid(1), list[str]()
    party = inviter(grid, lines)
    party.step(0.0)
    grid.answer(1, "done")
    grid.answers["message 1"].metadata.reply_to_message_id = "message of another run"
    party.step(1.0)
    assert not lines
