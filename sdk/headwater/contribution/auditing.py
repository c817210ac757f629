"""The audit at an organisation: what attacks on a candidate find out with its own rows."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from headwater.audit.checks import all_checks, federated_checks, read_counts
from headwater.canonical import sha256_hex
from headwater.contribution.canaries import PlantedTable
from headwater.contribution.splits import split_rows
from headwater.errors import InputError, PeerError
from headwater.evidence.candidate import Candidate
from headwater.evidence.candidate_file import read_candidate
from headwater.evidence.check import AuditRows, Check
from headwater.evidence.measure import Measure
from headwater.evidence.settings import AuditSettings
from headwater.recipe.actions import RunAudit
from headwater.recipe.fixed_point import largest_magnitude
from headwater.recipe.layout import layout_of_counts
from headwater.recipe.settings import RecipeTerms, SplitShares
from headwater.recipe.task import Task
from headwater.schema.finite import finite_part
from headwater.schema.schema import Schema
from headwater.schema.table import Table
from headwater.secagg.crypto.ring import RingVector

__all__ = ["audit", "audit_rows", "own_audit", "read_measures", "sizes_of"]

I64 = NDArray[np.int64]

_LABEL = b"headwater/audit/1"


def audit(task: Task, model: bytes, rows: Table, plan: RecipeTerms) -> RingVector:
    """One organisation's counts.

    Args:
        task: of kind "audit", checked against the plan.
        model: the candidate's bytes.
        rows: all of the organisation's rows.
        plan: as approved.

    Returns:
        In the plan's ring, shape (task.length,); the weight is the number of rows that trained, canaries among them.

    Raises:
        PeerError: the candidate is unusable or larger than the plan's, or the task's checks are not those of plan and
            candidate here.
        InputError: a count has no room in the plan's value bits.

    Guarantee: of the rows, those for training and those kept for audits are read, and no other. Which of them are
        attacked follows from the rows themselves by a hash, so that the same question has the same answer (protocol
        4.2), and nobody who has not all of them can tell which.
    """
    if plan.audit == "none":
        raise PeerError("the task asks for an audit, the plan has none")
    try:
        candidate = Candidate(read_candidate(model, plan.schema_))
    except InputError as error:
        raise PeerError(f"the task's candidate is unusable: {error}") from error
    if plan.rows and candidate.table.rows != plan.rows:
        raise PeerError(f"the candidate has {candidate.table.rows:,} rows, the plan {plan.rows:,}")
    checks = federated_checks(candidate, plan.audit.settings)
    sizes = [list(each) for each in sizes_of(checks)]
    layout = layout_of_counts(sum(check.size for check in checks))
    if task.parameters != {"checks": sizes} or layout.length != task.length:
        raise PeerError("the task's checks are not those of plan and candidate here; compare the versions")
    own, skipped = audit_rows(rows, plan.splits)
    # The candidate alone is the question: asked in another round, it does not attack other rows.
    counts = count_all(checks, own, task.model_digest.encode())
    largest = largest_magnitude(task.value_bits)
    # Canaries were counted with the rows that trained, and the sum is held to how many those were.
    weight = own.train.rows + (own.canaries.training_rows.rows if own.canaries else 0)
    return layout.join(counts, weight, {"skipped_rows": skipped}, largest=largest, ring_bits=plan.ring_bits)


def audit_rows(rows: Table, shares: SplitShares) -> tuple[AuditRows, int]:
    """An organisation's rows as an audit reads them.

    Args:
        rows: all of its rows, as they took part.
        shares: of the plan.

    Returns:
        Training rows and those that nothing used, with finite values, and the canaries apart from both; and how many
        rows were left out for values that are not finite.
    """
    own, canaries = (rows.own, rows.planted) if isinstance(rows, PlantedTable) else (rows, None)
    parts = [split_rows(own, shares, "train"), split_rows(own, shares, "audit")]
    train, holdout = map(finite_part, parts)
    return AuditRows(train, holdout, canaries), sum(part.rows for part in parts) - train.rows - holdout.rows


def count_all(checks: Sequence[Check], rows: AuditRows, question: bytes) -> I64:
    """The counts of checks, one behind the other.

    Args:
        checks: in their order.
        rows: real ones.
        question: what is asked; another one attacks other rows.

    Returns:
        int64, shape (sum of the checks' sizes,).
    """
    secret = _secret(rows, question)
    counted = []
    for check in checks:
        seed = hashlib.sha256(secret + check.name.encode()).digest()
        counts = check.count(rows, np.random.default_rng(int.from_bytes(seed, "big")))
        if counts.shape != (check.size,) or (counts < 0).any():
            raise InputError(f"the check {check.name} does not count what it promises; report it")
        counted.append(counts)
    return np.concatenate(counted) if counted else np.zeros(0, np.int64)


def own_audit(candidate: Table, rows: AuditRows, settings: AuditSettings) -> tuple[Measure, ...]:
    """Every figure that one holder of rows can have of a candidate; for its own eyes.

    Args:
        candidate: the rows that may be released.
        rows: the holder's, of `audit_rows`.
        settings: of the plan.

    Raises:
        InputError: the rows are of another schema than the candidate.
    """
    if rows.train.schema.digest != candidate.schema.digest:
        raise InputError("the rows are of another schema than the candidate; conform them to the plan's schema")
    checks = all_checks(Candidate(candidate), settings)
    return read_counts(checks, count_all(checks, rows, candidate.schema.digest.encode()))


def read_measures(audited: RunAudit, schema: Schema, settings: AuditSettings) -> tuple[Measure, ...]:
    """What the organisations' sum says of a candidate; nothing where none was asked.

    Args:
        audited: of a run's end.
        schema: of the plan.
        settings: of the plan.

    Raises:
        InputError: the counts cannot be a sum of counts of these checks.
    """
    if audited.counts is None:
        return ()
    candidate = Candidate(read_candidate(audited.candidate, schema))
    return read_counts(federated_checks(candidate, settings), audited.counts)


def sizes_of(checks: Sequence[Check]) -> tuple[tuple[str, int], ...]:
    """Name and size of each check, as a task names them."""
    return tuple((check.name, check.size) for check in checks)


def _secret(rows: AuditRows, question: bytes) -> bytes:
    """Bytes that nobody knows who does not know every row."""
    digest = hashlib.sha256(_LABEL + sha256_hex(question).encode())
    for part in (rows.train, rows.holdout):
        for name in part.schema.names:
            digest.update(np.ascontiguousarray(part.columns[name]).tobytes())
        digest.update(part.rows.to_bytes(8, "big"))
    return digest.digest()
