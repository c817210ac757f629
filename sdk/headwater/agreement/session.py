"""The roster and terms of a run's aggregation session, from the charter and plan alone.

Coordinator and organisation each derive them from the documents that they hold, so nothing of them comes off the wire.
"""

from headwater.agreement.charter import Charter
from headwater.agreement.plan import Plan
from headwater.recipe.vectors import longest_run, longest_vector
from headwater.secagg.protocol.terms import Deadlines, Roster, SessionTerms

__all__ = ["roster_of", "terms_of"]


def roster_of(charter: Charter, plan: Plan) -> Roster:
    """Who may take part, under the stricter of charter and plan (protocol 1.2).

    Raises:
        InputError: the numbers cannot hold.
    """
    return Roster(
        members=charter.identity_keys,
        coordinator_key=bytes.fromhex(charter.coordinator_key),
        charter_digest=bytes.fromhex(charter.digest),
        minimum_cohort=max(charter.minimum_cohort, plan.aggregation.minimum_cohort),
        colluders=max(charter.colluders, plan.aggregation.colluders),
    )


def terms_of(plan: Plan, run_id: str, attempt: int) -> SessionTerms:
    """What a session of a run of this plan may do.

    Args:
        plan: as approved.
        run_id: 32 hexadecimal digits, from the party's own record of the approval (protocol 3.3).
        attempt: coordinator: this setup's number; organisation: the least that it still accepts.

    Raises:
        InputError: a number is outside its range, or the plan's table is too wide for its own budgets.
    """
    setup, trip = plan.aggregation.setup_seconds, plan.aggregation.round_seconds
    return SessionTerms(
        run_id=run_id,
        plan_digest=bytes.fromhex(plan.digest),
        attempt=attempt,
        rounds=longest_run(plan),
        retries=plan.aggregation.retries,
        max_length=longest_vector(plan),
        value_bits=plan.recipe.value_bits,
        ring_bits=plan.ring_bits,
        strict=plan.aggregation.on_membership_change == "strict",
        deadlines=Deadlines(hello=setup, accept=setup, deal=trip, upload=trip, confirm=trip, reveal=trip),
    )
