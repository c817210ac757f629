"""Whether the rows that are served hold to the plans that were approved, said before a run begins."""

from collections.abc import Callable

import structlog

from headwater.agreement.plan import Plan
from headwater.agreement.troubles import Trouble
from headwater.errors import HeadwaterError
from headwater_client.connectors import RowSource
from headwater_client.coordinator import Coordinator
from headwater_client.membership import Membership
from headwater_client.plan_rows import read_rows

__all__ = ["RowCheck"]

_AHEAD = frozenset({"proposed", "running"})

_log = structlog.get_logger(__name__)


class RowCheck:
    """Looks at each approved run once, as soon as the coordinator can be asked for it.

    Guarantee: the operator is told one word of `Trouble`; the log names plan, run and columns, no value and no count.
    """

    def __init__(self, membership: Membership, source: RowSource, report: Callable[[str, Trouble], None]) -> None:
        """Nothing is looked at yet; `report` tells the operator of a run, as well as it can."""
        self._store = membership.store
        self._source = source
        self._report = report
        self._looked: set[str] = set()

    def look(self, coordinator: Coordinator) -> None:
        """Check the rows against every approved run that is not over and was not checked before.

        Raises:
            HeadwaterError: the coordinator did not say which runs there are; call again.
        """
        for status in coordinator.runs():
            if status.state not in _AHEAD or status.run_id in self._looked:
                continue
            decision = self._store.decision(status.run_id)
            if decision is None or decision.signed.approval.decision != "approve":
                continue
            self._looked.add(status.run_id)
            trouble = self._check(status.run_id, decision.proposal.proposal.plan)
            if trouble is not None:
                self._report(status.run_id, trouble)

    def _check(self, run_id: str, plan: Plan) -> Trouble | None:
        try:
            problems = read_rows(self._source, plan).problems()
        except HeadwaterError as error:
            _log.error("rows_unreadable", plan=plan.name, run=run_id, reason=str(error))
            return Trouble.ROWS_UNREADABLE
        except Exception as error:  # noqa: BLE001  a source of the organisation's own may raise anything, values in it
            _log.error("rows_unreadable", plan=plan.name, run=run_id, kind=type(error).__name__)
            return Trouble.ROWS_UNREADABLE
        columns = sorted({problem.column or "(table)" for problem in problems if problem.severity == "refused"})
        if not columns:
            _log.info("rows_checked", plan=plan.name, run=run_id)
            return None
        reason = (
            f"{', '.join(columns)} of these rows cannot be taken as plan {plan.name} has them; "
            f"headwater-org check --run {run_id[:8]} lists every problem, to be mended before the run begins"
        )
        _log.error("rows_refused", plan=plan.name, run=run_id, reason=reason)
        return Trouble.ROWS_REFUSED
