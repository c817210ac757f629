"""What stays of a run's audit: the candidate's bytes, and what the organisations' sum says of them."""

import os
import tempfile
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from headwater.agreement.plan import Plan
from headwater.canonical import sha256_hex
from headwater.contribution.auditing import read_measures
from headwater.contribution.execution import execute
from headwater.errors import InputError, StorageError
from headwater.evidence.candidate_file import read_candidate
from headwater.evidence.measure import Measure
from headwater.recipe.actions import ModelReport, RunAudit, Sample
from headwater.schema.table import Table
from headwater_server.runs.replay import RunJournal, StoredCandidate

__all__ = ["CANDIDATE", "MEASURES", "RunEvidence", "evidence_of", "keep_candidate", "load_candidate", "sampled"]

CANDIDATE, MEASURES = "candidate.rows", "measures.json"


class RunEvidence(BaseModel):
    """What a run's audit came to, for the coordinator alone: its figures are functions of private rows.

    Attributes:
        candidate: SHA-256 of the candidate's bytes, "" where sampling failed.
        rows: of the candidate.
        organisations: in the sum; 0 where none was asked.
        checks: name and number of counts of each check in the sum.
        measures: what the sum says; none under a privacy budget.
        failed: why nothing may be released, "" where nothing failed.
        step: of the summed round, 0 where none was.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    candidate: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    rows: int = Field(default=0, ge=0)
    organisations: int = Field(default=0, ge=0)
    checks: tuple[tuple[str, int], ...] = ()
    measures: tuple[Measure, ...] = ()
    failed: str = ""
    step: int = Field(default=0, ge=0)

    @property
    def in_short(self) -> str:
        """What a run's result says: the candidate's digest, or "failed: …"."""
        return f"failed: {self.failed}" if self.failed else self.candidate


def sampled(journal: RunJournal, action: Sample) -> tuple[bytes, ModelReport]:
    """The candidate that a run sampled before a restart, else a fresh one, stored before the recipe takes it.

    What organisations attacked is what stays, whatever another process or machine would sample.

    Raises:
        StorageError: the disk did not take it, or its record is damaged.
    """
    if (stored := journal.candidate()) is not None:
        return stored.data, ModelReport(0.0, 0, {}, stored.said)
    data, report = execute(action)
    journal.add_candidate(StoredCandidate(data, report.verdict))
    return data, report


def evidence_of(audit: RunAudit, plan: Plan) -> RunEvidence:
    """Read what an audit came to; counts that say nothing fail the audit and not the run."""
    if plan.audit == "none" or not audit.candidate:
        return RunEvidence(failed=audit.failed)
    rows = read_candidate(audit.candidate, plan.schema_).rows
    try:
        measures, failed = read_measures(audit, plan.schema_, plan.audit.settings), audit.failed
    except InputError as error:
        measures, failed = (), f"what the organisations counted says nothing: {error}"
    return RunEvidence(
        candidate=sha256_hex(audit.candidate),
        rows=rows,
        organisations=audit.contributors,
        checks=audit.checks,
        measures=measures,
        failed=failed,
        step=audit.step,
    )


def keep_candidate(folder: Path, audit: RunAudit, evidence: RunEvidence) -> None:
    """Write candidate and evidence; again writes the same.

    Args:
        folder: `candidate` of the run, made where there is none.
        audit: of the run's end.
        evidence: of `evidence_of`.

    Raises:
        StorageError: the disk did not take it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if audit.candidate:
            _replace(folder / CANDIDATE, audit.candidate)
        _replace(folder / MEASURES, evidence.model_dump_json(indent=1).encode() + b"\n")
    except OSError as error:
        raise StorageError(f"{folder} cannot be written: {error.strerror}; make room") from error


def load_candidate(folder: Path, plan: Plan) -> tuple[Table | None, RunEvidence]:
    """What `keep_candidate` wrote.

    Returns:
        The candidate's rows, None where sampling failed; and the evidence.

    Raises:
        StorageError: a file is missing or damaged, or the two do not belong together.
    """
    try:
        evidence = RunEvidence.model_validate_json((folder / MEASURES).read_bytes())
        data = (folder / CANDIDATE).read_bytes() if evidence.candidate else b""
    except (OSError, ValidationError) as error:
        raise StorageError(f"{folder} does not hold a run's candidate; restore it from a backup") from error
    if not evidence.candidate:
        return None, evidence
    if sha256_hex(data) != evidence.candidate:
        raise StorageError(f"the candidate in {folder} was altered; restore it from a backup")
    return read_candidate(data, plan.schema_), evidence


def _replace(path: Path, data: bytes) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
