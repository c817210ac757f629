"""An audited release, as a coordinator writes it and organisations sign it, for tests of what is refused."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from headwater.agreement.signing import public_key_hex
from headwater.audit.expected import expected_figures
from headwater.canonical import sha256_hex
from headwater.evidence.candidate_file import pack_candidate
from headwater.evidence.settings import AuditSettings
from headwater.release import Provenance, ReleaseExtras, ReleaseFacts, write_release
from headwater.release.attempts import Attempt, attempt_after, unfinished_after
from headwater.release.attestation import statement_of
from headwater.release.audit_file import PublishedAudit
from headwater.release.dsse import envelope_of, read_envelope, sign_statement
from headwater.release.evidence import Attacked, Evidence
from headwater.release.layout import ATTESTATION, MANIFEST
from headwater.release.policy import Decision, Policy, decide, load_policy
from headwater.release.policy.waiver import SignedWaiver
from headwater.release.privacy_claim import Privacy
from headwater.release.rows import candidate_bytes
from headwater.release.verification import read_manifest
from headwater.schema.table import Table
from support.claims import make_claim
from support.evidences import FEDERATION, fitting, honest_measures, make_evidence
from support.releases import Consortium, make_table

__all__ = ["DECIDED", "Pending", "audit_of", "evidence_on", "pending_release", "sign_release"]

DECIDED = "2026-11-21T12:00:00Z"
RUN, PLAN = "ab" * 16, "cd" * 32
RELEASED = "2026-11-21T12:30:00Z"


EXPECTED = expected_figures(make_table(1).schema, AuditSettings())


@dataclass(frozen=True)
class Pending:
    """A release that waits for signatures."""

    folder: Path
    audit: PublishedAudit
    statement: bytes


def evidence_on(table: Table, **changes: object) -> Evidence:
    """Evidence on these very rows, under the claim of `make_claim`."""
    apart = changes.get("privacy") != "none"
    if not apart:
        digest = sha256_hex(pack_candidate(table))
        changes = {
            "federation": FEDERATION.model_copy(update={"attacked": Attacked(candidate=digest, step=2, checks=())})
        } | changes
    values: dict[str, object] = {
        "candidate": sha256_hex(candidate_bytes(table)),
        "rows": table.rows,
        "source": "each organisation for itself" if apart else "pooled sums of organisations",
    }
    values |= changes
    expected = expected_figures(table.schema, AuditSettings())
    # Of a check that a test leaves out nothing is added.
    values["measures"] = fitting(values.get("measures", honest_measures()), expected)  # type: ignore[arg-type]
    return make_evidence(**values)  # type: ignore[arg-type]


def audit_of(
    evidence: Evidence,
    policy: Policy | None = None,
    waivers: Sequence[SignedWaiver] = (),
    keys: dict[str, str] | None = None,
    decision: Decision | None = None,
) -> PublishedAudit:
    """audit.json of evidence, after one attempt that broke off."""
    judged = load_policy("standard") if policy is None else policy
    decided = (
        decide(evidence, judged, waivers, now=DECIDED, keys=keys, expected=EXPECTED) if decision is None else decision
    )
    log: list[Attempt] = [unfinished_after([], "2026-11-21T10:00:00Z", judged.digest, "aa" * 16, PLAN)]
    log.append(attempt_after(log, decided, RUN, PLAN))
    return PublishedAudit.of(evidence, decided, waivers, log)


def pending_release(
    folder: Path,
    consortium: Consortium,
    audit: PublishedAudit | None = None,
    table: Table | None = None,
    privacy: Privacy | None = None,
    created: str = RELEASED,
    version: int = 1,
    extras: ReleaseExtras | None = None,
    generator_digest: str = "ef" * 32,
) -> Pending:
    """Write a release that the coordinator alone has signed."""
    rows = make_table() if table is None else table
    shown = audit_of(evidence_on(rows)) if audit is None else audit
    facts = ReleaseFacts(
        name="visits",
        version=version,
        title="Hospital visits",
        licence="CC0",
        created=created,
        differencing="one cohort",
        privacy=make_claim() if privacy is None else privacy,
        provenance=Provenance(
            consortium=consortium.charter.charter.consortium,
            organisations=3,
            run_id=RUN,
            plan_digest=PLAN,
            charter_digest=consortium.digest,
            schema_digest=rows.schema.digest,
            generator_digest=generator_digest,
            software="headwater 0",
        ),
    )
    write_release(folder, rows, facts, consortium.coordinator_key, audit=shown, extras=extras)
    data = (folder / MANIFEST).read_bytes()
    return Pending(folder, shown, statement_of(read_manifest(data).manifest, data, shown))


def sign_release(
    pending: Pending, consortium: Consortium, members: Iterable[str] = ("east", "north", "west")
) -> dict[str, str]:
    """Put the signatures of members beside that of the coordinator; all of them by key."""
    _, signatures = read_envelope((pending.folder / ATTESTATION).read_bytes())
    for member in members:
        key = consortium.keys[member]
        signatures[public_key_hex(key)] = sign_statement(key, pending.statement)
    (pending.folder / ATTESTATION).write_bytes(envelope_of(pending.statement, signatures))
    return signatures
