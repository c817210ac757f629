"""The log of attempts as this organisation witnesses it: what it was shown once stays in every later release."""

from headwater.agreement.plan import Plan
from headwater.errors import ReleaseRefused
from headwater_client.membership import Membership
from headwater_client.waiting_release import WaitingRelease

__all__ = ["witness_attempts"]


def witness_attempts(membership: Membership, release: WaitingRelease) -> str:
    """Keep a release's log of attempts, and refuse one that is not the log which was shown here before.

    Args:
        membership: of this organisation.
        release: verified; its log is one chain that ends with the release's own attempt.

    Returns:
        How many attempts there were, and which runs with this organisation are in none of them; for whoever reviews.

    Raises:
        ReleaseRefused: an attempt that this organisation was shown is left out, or the log was begun anew.
    """
    log, plan = release.audit.attempts, release.plan
    other = membership.store.witness_attempts(plan.name, [attempt.digest for attempt in log])
    if other:
        raise ReleaseRefused(
            f"attempt {other} at plan {plan.name} is another in this release than in one that was reviewed here "
            "before: an attempt was left out or the log begun anew; refuse the release and tell the other members"
        )
    runs = {attempt.run for attempt in log}
    over = "1 run" if len(runs) == 1 else f"{len(runs)} runs"
    said = f"{len(log)} at plan {plan.name}, over {over}; this is the last"
    if hidden := [run for run in _with_us(membership, plan) if run not in runs]:
        named = ", ".join(run[:8] for run in hidden)
        said += f"; in none of them: {named}, in which this organisation took part, so ask the operator what came of it"
    return said


def _with_us(membership: Membership, plan: Plan) -> list[str]:
    """Runs of a plan's name that came to a candidate with this organisation, or may have under a budget."""
    store, found = membership.store, []
    for run in store.attacked_runs() if plan.privacy == "none" else store.runs_with_receipts():
        decision = store.decision(run)
        if decision is not None and decision.proposal.proposal.plan.name == plan.name:
            found.append(run)
    return found
