"""The log of attempts to release: each names the one before, so that none can be left out unseen."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from headwater.agreement.documents import Document, HexDigest, Instant
from headwater.errors import ReleaseRefused
from headwater.release.policy.decision import Decision
from headwater.release.verdict import Verdict

__all__ = ["Attempt", "attempt_after", "check_attempts", "unfinished_after"]


class Attempt(Document):
    """One candidate that was put before the gate, whatever came of it.

    Attributes:
        number: 1 for the first at any run of the plan's name.
        run: whose candidate it was.
        plan: digest of the run's plan; a plan that was drafted again under its name goes on with the log.
        when: it was decided, or broke off.
        candidate: SHA-256 of what was judged; None where sampling broke off before there was anything.
        policy: digest of the policy.
        verdict: of the gate; "not finished" where the audit broke off.
        failing: gates that stopped it, in order.
        previous: digest of the attempt before; None exactly for the first.
    """

    version: Literal[1] = 1
    number: int = Field(ge=1, le=1_000_000)
    run: str = Field(pattern=r"^[0-9a-f]{32}$")
    plan: HexDigest
    when: Instant
    candidate: HexDigest | None
    policy: HexDigest
    verdict: Verdict | Literal["not finished"]
    failing: tuple[str, ...] = ()
    previous: HexDigest | None = None


def attempt_after(log: Sequence[Attempt], decision: Decision, run: str, plan: str) -> Attempt:
    """The next attempt of a log: what was just decided.

    Args:
        log: all before it.
        decision: on the candidate.
        run: whose candidate it was.
        plan: digest of the run's plan.
    """
    return Attempt(
        number=len(log) + 1,
        run=run,
        plan=plan,
        when=decision.decided,
        candidate=decision.candidate,
        policy=decision.policy.sha256,
        verdict=decision.verdict,
        failing=decision.failing,
        previous=log[-1].digest if log else None,
    )


def unfinished_after(
    log: Sequence[Attempt], when: Instant, policy: str, run: str, plan: str, candidate: str | None = None
) -> Attempt:
    """The next attempt of a log: an audit that broke off.

    Args:
        log: all before it.
        when: it broke off.
        policy: digest of the policy that would have judged.
        run: of which something was to be released.
        plan: digest of the run's plan.
        candidate: SHA-256 of what there was.
    """
    return Attempt(
        number=len(log) + 1,
        run=run,
        plan=plan,
        when=when,
        candidate=candidate,
        policy=policy,
        verdict="not finished",
        previous=log[-1].digest if log else None,
    )


def check_attempts(log: Sequence[Attempt]) -> None:
    """Check that a log is one chain from its first attempt.

    Raises:
        ReleaseRefused: an attempt is missing, changed, out of order or put before its time.
    """
    previous: Attempt | None = None
    for number, attempt in enumerate(log, start=1):
        named = None if previous is None else previous.digest
        if attempt.number != number or attempt.previous != named:
            raise ReleaseRefused(
                f"attempt {attempt.number} in the log does not follow the one before it: an attempt was left out or "
                "changed; do not use the release, ask the consortium"
            )
        if previous is not None and attempt.when < previous.when:
            raise ReleaseRefused(f"attempt {number} is older than the one before it; ask the consortium")
        previous = attempt
