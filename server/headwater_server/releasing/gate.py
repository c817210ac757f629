"""A finished run before the gate: evidence and policy in, a logged attempt and a decision out."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from headwater.agreement.charter import Charter
from headwater.agreement.documents import instant_of
from headwater.agreement.plan import Plan
from headwater.audit.expected import Expected, expected_figures
from headwater.errors import InputError, OutOfOrder, ReleaseRefused
from headwater.release.attempts import Attempt, attempt_after, unfinished_after
from headwater.release.audit_file import PublishedAudit
from headwater.release.evidence import Evidence
from headwater.release.policy import Policy, decide, load_policy
from headwater.release.policy.decision import Decision
from headwater.release.policy.waiver import SignedWaiver, Waiver
from headwater.release.privacy_claim import Privacy
from headwater.schema.table import Table
from headwater_server.release import next_version, privacy_of
from headwater_server.releasing.evidence import audit_settings, gather
from headwater_server.runs.charters import agreed
from headwater_server.sampling.source import result_of
from headwater_server.services.ports import ReleaseState, WaiverRecord
from headwater_server.settings import CoordinatorHome
from headwater_server.storage import Storage

__all__ = ["EVERY", "GateOutcome", "WaiverRequest", "not_to_be_mended", "prepare_waivers", "put_to_gate"]

EVERY = "inconclusive"
"""In place of a gate: every one that is inconclusive and may be waived."""


@dataclass(frozen=True)
class GateOutcome:
    """What came of an attempt.

    Attributes:
        run_id: of the run.
        plan: of the run.
        charter: of the run.
        privacy: what may be claimed of the run.
        table: the candidate's rows.
        evidence: that was judged; it names private figures and stays at the coordinator.
        decision: of the plan's policy.
        policy: that judged.
        waivers: that were on record for this candidate, valid or not.
        attempts: the whole log of all runs of the plan's name, this one the last.
        unopened: members that have not opened their canaries, which the evidence is without.
        release: NAME/VERSION that it would have; waivers are for this one.
        elsewhere: waivers of these rows that are for another release, a line each.
    """

    run_id: str
    plan: Plan
    charter: Charter
    privacy: Privacy
    table: Table = field(repr=False)
    evidence: Evidence = field(repr=False)
    decision: Decision
    policy: Policy
    waivers: tuple[SignedWaiver, ...]
    attempts: tuple[Attempt, ...]
    unopened: tuple[str, ...] = ()
    release: str = ""
    elsewhere: tuple[str, ...] = ()

    @property
    def audit(self) -> PublishedAudit:
        """What of it may be published."""
        return PublishedAudit.of(self.evidence, self.decision, self.waivers, self.attempts)


@dataclass(frozen=True, slots=True)
class WaiverRequest:
    """What the operator asks two organisations to answer for.

    Attributes:
        gates: ids, or `EVERY`.
        reason: for the card.
        expires: UTC, to the second.
    """

    gates: Sequence[str]
    reason: str
    expires: str


def put_to_gate(
    home: CoordinatorHome,
    storage: Storage,
    run_id: str,
    name: str,
    *,
    licence_stated: bool,
    schema_from_rows: bool = False,
) -> GateOutcome:
    """Judge a finished run's candidate by its plan's policy; the attempt is logged whatever comes of it.

    Args:
        home: of the coordinator.
        storage: with the run's records.
        run_id: 32 hexadecimal digits.
        name: of the dataset, checked; waivers hold for its next version alone.
        licence_stated: whether the release will name a licence.
        schema_from_rows: a program read the schema's bounds and categories from rows.

    Raises:
        OutOfOrder: the run is not finished, its plan has no audit, or a release of it waits already.
        ReleaseRefused: there is no candidate or no evidence; this too is logged.
        InputError: the plan names a policy that this software does not have.
        StorageError: the records are damaged or cannot be written.
    """
    result = result_of(storage, run_id)
    proposal, charter = agreed(storage, run_id)
    plan = proposal.proposal.plan
    audit_settings(plan)
    policy = load_policy(plan.audit.policy if plan.audit != "none" else "")
    _refuse_second(storage, run_id)
    # Before anything slow: what cannot be claimed is not judged either.
    privacy = privacy_of(plan, result.get("privacy"), schema_from_rows=schema_from_rows)
    try:
        gathered = gather(
            home,
            storage,
            run_id,
            plan,
            charter,
            privacy,
            int(str(result["organisations"])),
            licence_stated=licence_stated,
            now=lambda: datetime.now(UTC),
            clock=time.process_time,
        )
    except ReleaseRefused:
        when = instant_of(datetime.now(UTC))
        storage.add_attempt(
            run_id,
            lambda before: unfinished_after(_log(before), when, policy.digest, run_id, plan.digest).to_bytes(),
        )
        raise
    candidate = gathered.evidence.candidate
    release = f"{name}/{max(storage.next_version(name), next_version(home.releases, name))}"
    given = [each for each in _waivers(storage, run_id) if each.waiver.candidate == candidate and each.approvers]
    waivers = tuple(each for each in given if each.waiver.release == release)
    covered = {each.waiver.gate for each in waivers}
    elsewhere = {
        f"the waiver of {each.waiver.gate} is for {each.waiver.release}, this would be {release}; prepare another one"
        for each in given
        if each.waiver.release != release and each.waiver.gate not in covered
    }
    now = instant_of(datetime.now(UTC))
    decision = decide(gathered.evidence, policy, waivers, now=now, keys=charter.keys, expected=_expected(plan))
    storage.add_attempt(run_id, lambda before: attempt_after(_log(before), decision, run_id, plan.digest).to_bytes())
    return GateOutcome(
        run_id=run_id,
        plan=plan,
        charter=charter,
        privacy=privacy,
        table=gathered.table,
        evidence=gathered.evidence,
        decision=decision,
        policy=policy,
        waivers=waivers,
        attempts=tuple(_log(storage.attempts(run_id))),
        unopened=gathered.unopened,
        release=release,
        elsewhere=tuple(sorted(elsewhere)),
    )


def prepare_waivers(storage: Storage, outcome: GateOutcome, request: WaiverRequest) -> Sequence[Waiver]:
    """Record waivers for two organisations to sign, each for one gate of this very release.

    Returns:
        None of them where a gate failed that they do not mend (`not_to_be_mended`): nobody answers in vain.

    Raises:
        InputError: a gate that needs none or that nobody may waive, or no reason or date.
    """
    prepared = []
    gates = list(request.gates)
    if EVERY in gates:
        gates = [gate for gate in gates if gate != EVERY] + _waivable(outcome)
    for gate_id in dict.fromkeys(gates):
        gate, result = outcome.policy.gate(gate_id), outcome.decision.result(gate_id)
        if gate is None or result is None:
            raise InputError(f"policy {outcome.policy.label} has no gate {gate_id}; give one of its own")
        if result.outcome not in ("fail", "inconclusive"):
            raise InputError(f"{gate_id} is {result.outcome} and needs no waiver; leave it out")
        if gate.waivable == "never" or (result.outcome == "fail" and gate.waivable != "fail"):
            raise InputError(f"policy {outcome.policy.label} lets nobody waive {gate_id} where it is {result.outcome}")
        prepared.append(
            Waiver(
                gate=gate_id,
                outcome=result.outcome,
                policy=outcome.policy.digest,
                candidate=outcome.decision.candidate,
                release=outcome.release,
                reason=request.reason,
                expires=request.expires,
            )
        )
    if not_to_be_mended(outcome, request):
        return ()
    for waiver in prepared:
        storage.add_waiver(WaiverRecord(waiver.digest, outcome.run_id, waiver.to_bytes()))
    return prepared


def not_to_be_mended(outcome: GateOutcome, request: WaiverRequest) -> tuple[str, ...]:
    """Gates that failed and stop the release whatever is waived as requested, in order."""
    return tuple(
        result.gate
        for result in outcome.decision.gates
        if result.outcome == "fail" and not result.waived and result.gate not in request.gates
    )


def _expected(plan: Plan) -> tuple[Expected, ...]:
    return expected_figures(plan.schema_, audit_settings(plan))


def _waivable(outcome: GateOutcome) -> list[str]:
    """Gates that are inconclusive, may be waived where they are, and were not."""
    open_gates = [result.gate for result in outcome.decision.gates if result.outcome == EVERY and not result.waived]
    rules = {gate.id: gate.waivable for gate in outcome.policy.gates}
    return [gate for gate in open_gates if rules[gate] != "never"]


def _refuse_second(storage: Storage, run_id: str) -> None:
    for record in storage.releases_in(ReleaseState.WAITING, ReleaseState.APPROVED):
        if record.run_id == run_id:
            raise OutOfOrder(
                f"{record.name} version {record.version} of this run waits for signatures already; see "
                "headwater-coordinator releases"
            )


def _log(documents: Sequence[bytes]) -> list[Attempt]:
    return [Attempt.from_bytes(document) for document in documents]


def _waivers(storage: Storage, run_id: str) -> list[SignedWaiver]:
    return [
        SignedWaiver(waiver=Waiver.from_bytes(record.document), signatures=record.signatures)
        for record in storage.waivers()
        if record.run_id == run_id
    ]
