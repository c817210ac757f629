"""The last stage of an audited run: the rows that may be released, and what the organisations count of them."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from headwater.canonical import sha256_hex
from headwater.errors import InputError
from headwater.evidence.candidate_file import most_rows
from headwater.recipe.actions import Aggregate, Done, ModelReport, RunAudit, Sample
from headwater.recipe.settings import RecipeTerms
from headwater.recipe.stage import Record, out_of_place
from headwater.recipe.sums import HeadRoom, ImplausibleSum, read_audit
from headwater.recipe.task import Task, seed_for
from headwater.recipe.tasks import audit_task
from headwater.recipe.vectors import MOST_AUDIT_COUNTS
from headwater.secagg.crypto.ring import RingVector

__all__ = ["Auditing"]

I64 = NDArray[np.int64]


@dataclass(slots=True)
class _Candidate:
    """What came of sampling."""

    data: bytes = field(repr=False)
    checks: tuple[tuple[str, int], ...]


class Auditing:
    """Asks for the candidate, then, without a privacy budget, for one sum of counts. A `Stage`.

    Nothing of it ends the run: where rows cannot be sampled, or the sum cannot be one, the generator stands and the
    audit says why there is no evidence, so that nothing can be released from it. Under a budget no sum is asked: exact
    counts of real rows would be outside ε.
    """

    def __init__(self, terms: RecipeTerms, done: Done) -> None:
        """Take the run's end as it would be without an audit.

        Args:
            terms: of the plan, with an audit.
            done: model, encoding and rows.

        Raises:
            InputError: the plan has no audit.
        """
        if terms.audit == "none":
            raise InputError("the plan has no audit; do not begin one")
        self._terms = terms
        self._settings = terms.audit.settings
        self._done = done
        self._candidate: _Candidate | None = None
        self._audited: RunAudit | None = None

    @property
    def over(self) -> bool:
        """Whether there is nothing more to ask."""
        return self._audited is not None

    @property
    def audited(self) -> RunAudit | None:
        """What came of it, None before it is over."""
        return self._audited

    def ask(self, step: int) -> Sample | Aggregate:
        """The candidate, then the counts."""
        done, terms = self._done, self._terms
        if self._candidate is None:
            wanted = terms.rows or done.rows
            return Sample(
                model=done.model,
                encoding=done.encoding,
                rows=max(1, min(wanted, most_rows(terms.schema_))),
                seed=seed_for(terms.seed, "candidate"),
                settings=self._settings if self._counts else None,
            )
        return Aggregate(audit_task(terms, step, self._candidate.data, self._candidate.checks), self._candidate.data)

    def add_model(self, model: bytes, report: ModelReport) -> list[Record]:
        """As `Stage.add_model`: the candidate's bytes, with the checks that will count, or why there is none."""
        if self._candidate is not None:
            raise out_of_place("a candidate", self.ask(1))
        said = report.verdict
        checks = _checks_of(said.get("checks"))
        counts = sum(size for _, size in checks)
        failed = str(said.get("failed", ""))
        if not failed and counts > MOST_AUDIT_COUNTS:
            failed = f"its audit asks for {counts:,} counts, at most {MOST_AUDIT_COUNTS:,} are summed; declare less"
        if failed or not model:
            return self._end(RunAudit(failed=failed or "no rows were sampled"), {})
        self._candidate = _Candidate(model, checks)
        sampled = {"rows": said.get("rows"), "bytes": len(model), "sha256": sha256_hex(model), "counts": counts}
        if not counts:
            return self._end(RunAudit(candidate=model), sampled)
        return [{"kind": "candidate", **sampled}]

    def add_sum(self, task: Task, vector: RingVector, contributors: int) -> list[Record]:
        """As `Stage.add_sum`; a sum that cannot be one leaves the candidate without evidence."""
        if self._candidate is None or self._audited is not None:
            raise out_of_place("a sum", self.ask(task.step))
        sizes = [size for _, size in self._candidate.checks]
        rows = self._done.rows if self._terms.one_cohort else None
        try:
            summed = read_audit(vector, sum(sizes), HeadRoom(contributors, task.value_bits), rows)
        except ImplausibleSum as error:
            self._audited = RunAudit(candidate=self._candidate.data, failed=str(error), contributors=contributors)
            return [{"accepted": False, "reason": str(error)}]
        self._audited = RunAudit(
            candidate=self._candidate.data,
            counts=summed.payload,
            contributors=contributors,
            checks=self._candidate.checks,
            step=task.step,
        )
        return [{"accepted": True, "rows": summed.weight, **summed.metrics}]

    @property
    def _counts(self) -> bool:
        """Whether the organisations count: never under a budget."""
        return self._terms.privacy == "none"

    def _end(self, audited: RunAudit, sampled: Record) -> list[Record]:
        self._audited = audited
        failed: Record = {"failed": audited.failed} if audited.failed else {}
        return [{"kind": "candidate", **sampled, **failed}]


def _checks_of(entry: object) -> tuple[tuple[str, int], ...]:
    """Names and sizes of the checks, as a report names them; none where it names none."""
    return tuple((str(name), int(size)) for name, size in entry) if isinstance(entry, list | tuple) else ()
