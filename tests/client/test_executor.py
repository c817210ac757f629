"""The executor against fake tasks: what is called, what is refused, what is said about failures."""

import threading
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from structlog.testing import capture_logs

from headwater.errors import InputError, TransportError
from headwater_client.flower.executor import Executor, execute

STUB = b"the stub"
DIGEST = sha256(STUB).hexdigest()


class FakeTask:
    """Records how it was answered."""

    def __init__(self, bundle: bytes = STUB) -> None:
        self.bundle = bundle
        self.stopped = threading.Event()
        self.replies: list[tuple[str, object]] = []
        self.closed = False

    def answer(self, call: Callable[[Any, Any], Any]) -> None:
        self.replies.append(("answer", call("message", "context")))

    def refuse_bundle(self, reason: str) -> None:
        self.replies.append(("refusal", reason))

    def report_failure(self, reason: str) -> None:
        self.replies.append(("failure", reason))

    def close(self) -> None:
        self.closed = True


class FakeSource:
    """Gives what a test lined up, then runs a last step."""

    def __init__(self, *steps: FakeTask | Exception | None, at_end: Callable[[], None]) -> None:
        self.steps = list(steps)
        self.at_end = at_end

    def acquire(self) -> FakeTask | None:
        if not self.steps:
            self.at_end()
            return None
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step


def never(message: object, context: object) -> object:
    pytest.fail("the ClientApp was called")


def test_the_pinned_stub_reaches_the_app() -> None:
    task = FakeTask()
    assert execute(task, DIGEST, lambda message, context: (message, context))
    assert task.replies == [("answer", ("message", "context"))]


@pytest.mark.parametrize("bundle", [b"", STUB + b" ", b"another"])
def test_any_other_bundle_is_refused_and_logged(bundle: bytes) -> None:
    task = FakeTask(bundle)
    with capture_logs() as logs:
        assert not execute(task, DIGEST, never)
    assert [kind for kind, _ in task.replies] == ["refusal"]
    assert [(entry["event"], entry["expected_sha256"]) for entry in logs] == [("bundle_refused", DIGEST)]


def test_a_failure_of_ours_is_told_by_its_code_alone() -> None:
    task = FakeTask()

    def fail(message: object, context: object) -> object:
        raise InputError("column 'age' of the private table")

    assert not execute(task, DIGEST, fail)
    assert task.replies == [("failure", "refused: input")]


def test_a_foreign_failure_leaks_no_value_into_reply_or_log() -> None:
    task = FakeTask()

    def fail(message: object, context: object) -> object:
        raise ValueError("could not convert 'Jane Doe' to float")

    with capture_logs() as logs:
        assert not execute(task, DIGEST, fail)
    assert "Jane" not in str(task.replies) + str(logs)
    assert logs[0]["kind"] == "ValueError"


def run_with(*steps: FakeTask | Exception | None) -> list[dict[str, Any]]:
    executor: Executor

    def stop() -> None:
        executor.stop()

    executor = Executor(FakeSource(*steps, at_end=stop), DIGEST, lambda stopped: lambda message, context: "done")
    with capture_logs() as logs:
        executor.run()
    return [dict(entry) for entry in logs]


def test_tasks_are_taken_one_after_another_and_released(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headwater_client.flower.executor.POLL_SECONDS", 0.0)
    first, bad, second = FakeTask(), FakeTask(b"another"), FakeTask()
    run_with(first, None, bad, second)
    assert [task.replies[0][0] for task in (first, bad, second)] == ["answer", "refusal", "answer"]
    assert all(task.closed for task in (first, bad, second))


def test_an_unreachable_supernode_is_asked_again_and_logged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headwater_client.flower.executor.POLL_SECONDS", 0.0)
    away = TransportError("away")
    task = FakeTask()
    logs = run_with(away, away, away, task)
    assert task.replies == [("answer", "done")]
    events = [entry["event"] for entry in logs]
    assert events == ["supernode_unreachable", "supernode_reached", "task_acquired"]


def test_stop_ends_the_task_that_is_under_way() -> None:
    task = FakeTask()
    entered = threading.Event()

    def app_until(stopped: threading.Event) -> Callable[[Any, Any], Any]:
        def call(message: object, context: object) -> str:
            entered.set()
            assert stopped.wait(30)
            return "left"

        return call

    executor = Executor(FakeSource(task, at_end=lambda: None), DIGEST, app_until)
    thread = threading.Thread(target=executor.run)
    thread.start()
    assert entered.wait(30)
    executor.stop()
    thread.join(30)
    assert not thread.is_alive()
    assert task.replies == [("answer", "left")]
