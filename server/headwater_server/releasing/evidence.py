"""What a coordinator knows of a candidate, put together for the gate: sums, self-test, facts of the run."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

import numpy as np

from headwater import __version__
from headwater.agreement.charter import Charter
from headwater.agreement.documents import instant_of
from headwater.agreement.plan import Plan
from headwater.audit.artefacts import Artefacts
from headwater.audit.checks import all_checks, federated_checks
from headwater.audit.controls import ABOUT, CHECKS, depending, run_controls
from headwater.audit.running import Clock
from headwater.canonical import canonical_json, sha256_hex
from headwater.errors import OutOfOrder, ReleaseRefused
from headwater.evidence.candidate import Candidate
from headwater.evidence.measure import Measure
from headwater.evidence.settings import AuditSettings
from headwater.release.evidence import Attacked, Evidence, FederationFacts, PrivacyFacts, PrivacyStated, Scope
from headwater.release.layout import DATA, SCHEMA
from headwater.release.privacy_claim import Privacy
from headwater.release.replay import replay
from headwater.release.rows import candidate_bytes
from headwater.schema.table import Table
from headwater.secagg.protocol.receipts import document_digest
from headwater.secagg.protocol.terms import threshold
from headwater_server.releasing.canaries import commitments_of, measure_opened
from headwater_server.runs.candidate import RunEvidence, load_candidate
from headwater_server.settings import CoordinatorHome
from headwater_server.storage import Storage

__all__ = ["GatheredEvidence", "audit_settings", "gather", "settings_digest"]

_CHAIN = ("receipt", "abort")


@dataclass(frozen=True)
class GatheredEvidence:
    """A candidate with what is known of it.

    Attributes:
        table: the rows that may be published.
        evidence: for the gate.
        unopened: members whose canaries are not in it, since they have not opened them.
    """

    table: Table = field(repr=False)
    evidence: Evidence
    unopened: tuple[str, ...] = ()


def audit_settings(plan: Plan) -> AuditSettings:
    """What a plan's audit attacks.

    Raises:
        OutOfOrder: the plan has no audit.
    """
    if plan.audit == "none":
        raise OutOfOrder(
            f"plan {plan.name} has no audit, and nothing is released unaudited; propose a plan with one: "
            "headwater-coordinator plan draft --policy NAME, then a new run"
        )
    return plan.audit.settings


def settings_digest(settings: AuditSettings) -> str:
    """SHA-256 of an audit's settings as evidence names it."""
    return sha256_hex(canonical_json(settings.model_dump(mode="json")))


def gather(
    home: CoordinatorHome,
    storage: Storage,
    run_id: str,
    plan: Plan,
    charter: Charter,
    privacy: Privacy,
    organisations: int,
    *,
    licence_stated: bool,
    now: Callable[[], datetime],
    clock: Clock,
) -> GatheredEvidence:
    """Load a run's candidate and put the evidence together.

    Without a privacy budget the figures are what the organisations' secure sum says. Under one none of it may leave
    them: there the evidence is what the candidate alone shows, the self-test, the replayed ε and the canaries that
    organisations opened, and each organisation audits by itself before it signs.

    Args:
        home: of the coordinator.
        storage: with the run's records.
        run_id: a finished run.
        plan: of the run.
        charter: of the run.
        privacy: what the run's result claims, of `headwater_server.release.privacy_of`.
        organisations: in the run's last sum.
        licence_stated: whether the release will name a licence.
        now: aware time.
        clock: CPU seconds.

    Raises:
        OutOfOrder: the plan has no audit.
        ReleaseRefused: the run has no candidate, or its audit failed; or ε costs more than is claimed.
        StorageError: the candidate is missing or damaged.
    """
    settings, started = audit_settings(plan), now()
    table, found = load_candidate(home.runs / run_id / "candidate", plan)
    if table is None or found.failed:
        raise ReleaseRefused(
            f"the audit of run {run_id} broke off: {found.failed or 'there is no candidate'}; nothing can be released "
            "from it, run the plan again"
        )
    candidate = Candidate(table)
    checks_of = all_checks if plan.privacy == "none" else partial(all_checks, delta=plan.privacy.delta)
    controls = run_controls(candidate, settings, checks_of, plan.seed, clock)
    canaries = measure_opened(storage, run_id, plan, charter, candidate)
    free = (*_of_candidate(candidate, settings, found), *canaries.measures)
    known = {measure.name for measure in free}
    counted = [measure for measure in found.measures if measure.name not in known]
    measures = (*controls, *depending((*counted, *free), controls))
    checks = (*checks_of(candidate, settings), Artefacts(candidate, settings))
    abouts = {CHECKS: ABOUT, **{check.name: check.about for check in checks}}
    evidence = Evidence(
        candidate=sha256_hex(candidate_bytes(table)),
        rows=table.rows,
        settings=settings_digest(settings),
        scope=Scope.of(settings),
        source="pooled sums of organisations" if plan.privacy == "none" else "each organisation for itself",
        organisations=max(1, found.organisations),
        started=instant_of(started),
        ended=instant_of(now()),
        software=f"headwater {__version__}",
        privacy=_privacy_facts(privacy),
        federation=FederationFacts(
            organisations=organisations,
            threshold=threshold(organisations),
            receipts=_last_document(storage, run_id),
            canaries=tuple(sorted(commitments_of(storage, run_id).values())),
            attacked=_attacked(plan, found),
        ),
        licence_stated=licence_stated,
        measures=measures,
        disclosures={name: about.disclosure for name, about in abouts.items()},
    )
    return GatheredEvidence(table, evidence, canaries.missing)


def _of_candidate(candidate: Candidate, settings: AuditSettings, found: RunEvidence) -> tuple[Measure, ...]:
    """What the candidate alone shows, whatever anybody's rows are: known without any sum."""
    summed = {name for name, _ in found.checks}
    silent = [check for check in federated_checks(candidate, settings) if not check.size and check.name not in summed]
    with tempfile.TemporaryDirectory() as folder:
        published = Path(folder)
        # As the release will have them; card and audit.json follow from what is decided here.
        (published / DATA).write_bytes(candidate_bytes(candidate.table))
        (published / SCHEMA).write_text(candidate.table.schema.to_toml(), encoding="utf-8")
        checks = (*silent, Artefacts(candidate, settings, published))
        return tuple(measure for check in checks for measure in check.read(np.zeros(0, np.int64)))


def _attacked(plan: Plan, found: RunEvidence) -> Attacked | None:
    """What members hold their receipts to; None under a budget, where nothing was asked."""
    if plan.privacy != "none":
        return None
    if not found.step:
        raise ReleaseRefused("the run's audit ended without a sum that its figures could be from; run the plan again")
    return Attacked(candidate=found.candidate, step=found.step, checks=found.checks)


def _privacy_facts(privacy: Privacy) -> PrivacyStated:
    if privacy == "none":
        return "none"
    replayed = replay(privacy)
    return PrivacyFacts(
        epsilon=privacy.epsilon,
        delta=privacy.delta,
        unit=privacy.unit,
        events=len(privacy.events),
        replay="exact" if replayed.exact else "bound",
    )


def _last_document(storage: Storage, run_id: str) -> str:
    documents = [entry.data for entry in storage.round_entries(run_id) if entry.kind in _CHAIN]
    if not documents:
        raise ReleaseRefused(f"run {run_id} has no receipt of any sum; there is nothing that its release could rest on")
    return document_digest(documents[-1]).hex()
