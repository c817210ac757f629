"""The log of attempts: one chain, from which nothing can be left out."""

import pytest

from headwater.errors import ReleaseRefused
from headwater.release.attempts import Attempt, attempt_after, check_attempts, unfinished_after
from headwater.release.policy import decide, load_policy
from support.evidences import make_evidence, without

POLICY = load_policy("standard")
RUN, PLAN = "0b" * 16, "ca" * 32


def log() -> list[Attempt]:
    attempts = [unfinished_after([], "2026-11-21T10:00:00Z", POLICY.digest, "0a" * 16, PLAN)]
    for now, measures in (("2026-11-21T11:00:00Z", without("copies.near")), ("2026-11-21T12:00:00Z", None)):
        attempts.append(attempt_after(attempts, decide(make_evidence(measures), POLICY, now=now), RUN, PLAN))
    return attempts


def test_attempts_tell_what_came_of_each() -> None:
    attempts = log()
    check_attempts(attempts)
    assert [(attempt.number, attempt.verdict, attempt.failing) for attempt in attempts] == [
        (1, "not finished", ()),
        (2, "inconclusive", ("G6",)),
        (3, "pass", ()),
    ]


@pytest.mark.parametrize("number", range(2))
def test_an_attempt_that_is_left_out_is_found(number: int) -> None:
    attempts = log()
    del attempts[number]
    with pytest.raises(ReleaseRefused, match="left out or changed"):
        check_attempts(attempts)


def test_an_attempt_that_is_changed_is_found() -> None:
    attempts = log()
    attempts[1] = attempts[1].model_copy(update={"verdict": "fail"})
    with pytest.raises(ReleaseRefused, match="attempt 3 in the log does not follow"):
        check_attempts(attempts)


def test_time_does_not_run_backwards() -> None:
    attempts = log()[:2]
    late = unfinished_after(attempts, "2026-11-21T09:00:00Z", POLICY.digest, RUN, PLAN)
    with pytest.raises(ReleaseRefused, match="older than the one before"):
        check_attempts([*attempts, late])
