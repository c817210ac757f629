"""A published release held against this organisation's own privacy ledger, round by round."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from headwater.agreement.ledger import UNKNOWN_TASK, LedgerEntry
from headwater.errors import OutOfOrder
from headwater.privacy.events import write_charge
from headwater.release import verify_release
from headwater.release.privacy_claim import ChargedRound, Privacy
from headwater_client.membership import Membership
from headwater_client.receipts import Receipts

__all__ = ["ReleaseCheck", "check_release", "findings_of"]


@dataclass(frozen=True, slots=True)
class ReleaseCheck:
    """What a comparison came to.

    Attributes:
        run_id: of the release.
        rounds: that the release counts.
        charged: entries of the ledger under that run.
        findings: why release and ledger do not say the same, a line each; empty if they do.
        apart: rounds of the release that this organisation's vector is not in, as their receipts show.
    """

    run_id: str
    rounds: int
    charged: int
    findings: tuple[str, ...]
    apart: tuple[int, ...]


def check_release(membership: Membership, folder: Path) -> ReleaseCheck:
    """Verify a downloaded release, and hold each of its rounds against the ledger.

    Raises:
        InputError: there is no such folder.
        OutOfOrder: no charter is in force here.
        ReleaseRefused: the release itself does not hold.
        StorageError: the ledger is not what it was.
        PeerError: the run's receipts do not hold.
    """
    history = membership.store.charter_history()
    if history is None:
        raise OutOfOrder("no charter is in force here that the release could be under; accept one first")
    manifest = verify_release(folder, history).manifest
    run_id, plan = manifest.provenance.run_id, manifest.provenance.plan_digest
    entries = [entry for entry in membership.store.ledger() if entry.run_id == run_id]
    held = run_id in membership.store.runs_with_receipts()
    others = [each.number for each in Receipts(membership).verify(run_id).rounds if not each.own] if held else []
    privacy = manifest.protection.privacy
    findings, apart = findings_of(entries, plan, privacy, others)
    return ReleaseCheck(run_id, len(_rounds(privacy)), len(entries), findings, apart)


def findings_of(
    entries: Sequence[LedgerEntry], plan: str, privacy: Privacy, others: Collection[int]
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Where a ledger and a release do not say the same of a run.

    Args:
        entries: of the run.
        plan: digest of the release's plan.
        privacy: what the release claims.
        others: rounds whose receipts show that this organisation's vector is not in them.

    Returns:
        Findings, a line each, and the rounds of the release that this organisation had no part in.
    """
    findings = [
        f"entry {entry.position} charges a round of plan {entry.plan[:16]}, the release is of plan {plan[:16]}"
        for entry in entries
        if entry.plan != plan
    ]
    rounds, left = _rounds(privacy), list(entries)
    apart = []
    for each in rounds:
        charged = next((entry for entry in left if entry.round == each.round), None)
        if charged is not None:
            left.remove(charged)
            findings += _cost_problem(charged, each)
        elif each.round in others:
            apart.append(each.round)
        else:
            findings.append(f"round {each.round} ({each.step}) of the release is not in the ledger")
    uncounted = left if rounds else [entry for entry in left if entry.event is not None]
    findings += [
        f"entry {entry.position} charges round {entry.round}, which the release does not count: more was spent than it "
        "states"
        for entry in uncounted
    ]
    if not rounds and not entries:
        findings.append("the ledger holds no round of the release's run: this organisation had no part in it")
    return tuple(findings), tuple(apart)


def _rounds(privacy: Privacy) -> tuple[ChargedRound, ...]:
    return () if privacy == "none" else privacy.events


def _cost_problem(entry: LedgerEntry, counted: ChargedRound) -> list[str]:
    if entry.charge == write_charge(counted.event).decode() or entry.task == UNKNOWN_TASK:
        # What a ledger that was set back had lost is charged at the plan's dearest.
        return []
    return [
        f"entry {entry.position} charges round {entry.round} {entry.charge}, the release counts "
        f"{write_charge(counted.event).decode()}"
    ]
