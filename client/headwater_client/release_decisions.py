"""The organisation's part in a release: review it, sign or refuse it, answer for what could not be shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from headwater.agreement.documents import instant_of
from headwater.agreement.plan import Plan
from headwater.agreement.release_decision import ReleaseDecision, SignedReleaseDecision
from headwater.audit.rare_texts import rare_texts
from headwater.audit.running import Watcher
from headwater.canonical import sha256_hex
from headwater.errors import InputError, OutOfOrder, PeerError
from headwater.release.dsse import read_envelope, sign_statement
from headwater.release.policy.waiver import SignedWaiver
from headwater_client.attacked_table import check_attacked_here
from headwater_client.attempts_seen import witness_attempts
from headwater_client.canary_opening import CanaryOpener, check_opened_for
from headwater_client.charters import Charters
from headwater_client.connectors import RowSource
from headwater_client.consent import check_digest_named
from headwater_client.membership import Membership
from headwater_client.own_audit import OwnAudit, audit_own_rows, read_own_audit, write_own_audit
from headwater_client.plan_rows import read_rows
from headwater_client.released_generator import released_bundle
from headwater_client.served_rows import rows_of_run
from headwater_client.settings import write_text_atomically
from headwater_client.transport.consortium import ConsortiumClient
from headwater_client.transport.releases import ReleasesClient, ReleaseStatus
from headwater_client.waiting_release import WaitingRelease, fetch_release

__all__ = ["ReleaseDecisions", "ReleaseReview"]

_LONGEST_REASON = 1000
_DECISION = "decision.json"
_DESPITE = "despite.txt"
"""Why a release was signed that the own rows speak against, where it must not leave."""


@dataclass(frozen=True)
class ReleaseReview:
    """A release as a person looks at it before signing.

    Attributes:
        status: in the coordinator's words.
        release: verified, in this organisation's home.
        own: the own audit of it; None where none was made yet.
        rows_told: how the rows that were given differ from those that took part in the run; empty where they do not.
        attacked: what could be told here of whether these very rows were attacked in the run; "" under a budget.
        attempts: how many there were over all runs of the plan, and which runs are in none.
    """

    status: ReleaseStatus
    release: WaitingRelease
    own: OwnAudit | None
    rows_told: str = ""
    attacked: str = ""
    attempts: str = ""


class ReleaseDecisions:
    """Shows and takes decisions on releases; see `Organisation` for what each method promises."""

    def __init__(self, membership: Membership, consortium: ConsortiumClient, releases: ReleasesClient) -> None:
        """Use an open folder and a connected coordinator."""
        self._membership = membership
        self._charters = Charters(membership, consortium)
        self._client = releases
        self._consortium = consortium

    def releases(self) -> Sequence[ReleaseStatus]:
        """All releases, oldest first, in the coordinator's words."""
        return self._client.releases()

    def review(self, release: str, source: RowSource | None, watcher: Watcher) -> ReleaseReview:
        """Fetch and verify a release; with rows, audit it by them and keep what was found."""
        status, waiting = self._fetched(release)
        attacked = check_attacked_here(self._membership, waiting)
        attempts = witness_attempts(self._membership, waiting)
        folder = self._folder(waiting.digest)
        if source is None:
            own_before = read_own_audit(folder, waiting.audit)
            return ReleaseReview(status, waiting, own_before, attacked=attacked, attempts=attempts)
        reviewed = rows_of_run(self._membership.home, status.run_id, read_rows(source, waiting.plan))
        read = reviewed.rows
        own = audit_own_rows(
            read.table(),
            waiting.table,
            waiting.plan,
            waiting.audit,
            waiting.charter,
            watcher,
            published=waiting.folder,
            texts=rare_texts(read.arrow, waiting.plan.schema_),
            bundle=released_bundle(waiting),
        )
        write_own_audit(folder, own)
        return ReleaseReview(status, waiting, own, reviewed.told, attacked, attempts)

    def said(self, release: str) -> SignedReleaseDecision | None:
        """What this organisation has said of a release, as it was sent; None where nothing of it is kept here."""
        return self._said(self._find(release))

    def approve(self, release: str, digest: str, despite: str) -> SignedReleaseDecision:
        """Sign what has this digest, unless the own audit speaks against it; again is the same as once."""
        status, waiting = self._fetched(release)
        # Again: what is signed is what was held to the own records, whatever was reviewed.
        check_attacked_here(self._membership, waiting)
        witness_attempts(self._membership, waiting)
        check_digest_named(digest, waiting.digest, "release")
        own = read_own_audit(self._folder(waiting.digest), waiting.audit)
        if len(despite) > _LONGEST_REASON:
            raise InputError(f"a reason has at most {_LONGEST_REASON} characters; the others will read it")
        apart = waiting.plan.privacy != "none"
        if apart and own is None:
            raise InputError(
                "under a privacy budget each organisation judges a release on its own rows before it signs, and nobody "
                "else can; run headwater-org release review with --data"
            )
        if waiting.manifest.generator == "released" and own is not None and not own.of_generator:
            raise InputError(
                "this release publishes its generator, and the audit that was made here did not attack it; run "
                "headwater-org release review with --data again"
            )
        if not despite.strip():
            _check_own(own, apart=apart)
        # Why it was signed against the own audit may be another reason today; else it stands as it was sent.
        if (before := self._said(status)) is not None and before.decision.decision == "approve" and not despite.strip():
            return before
        key = self._membership.identity_key()
        # Under a budget not even a verdict leaves, nor why it was passed over: they follow from rows that ε does not
        # cover.
        verdicts = own.verdicts if own is not None and not apart else {}
        if apart and despite.strip():
            write_text_atomically(self._folder(waiting.digest) / _DESPITE, f"{despite.strip()}\n")
        decision = ReleaseDecision(
            release_digest=waiting.digest,
            statement_digest=sha256_hex(waiting.statement),
            run_id=waiting.manifest.provenance.run_id,
            member=self._membership.member_id,
            decision="approve",
            reason="" if apart else despite.strip(),
            verdicts=verdicts,
            created=instant_of(datetime.now(UTC)),
        )
        return self._send(SignedReleaseDecision.sign(decision, key, sign_statement(key, waiting.statement)))

    def refuse(self, release: str, reason: str) -> SignedReleaseDecision:
        """Refuse a release, whether or not it can be verified; again for the same reason is the same as once."""
        if not reason.strip() or len(reason) > _LONGEST_REASON:
            raise InputError(f"a refusal needs a reason of 1 to {_LONGEST_REASON} characters; the others will read it")
        status = self._find(release)
        before = self._said(status)
        if before is not None and (before.decision.decision, before.decision.reason) == ("refuse", reason.strip()):
            return before
        statement, _ = read_envelope(self._client.release(status.release_digest).attestation)
        decision = ReleaseDecision(
            release_digest=status.release_digest,
            statement_digest=sha256_hex(statement),
            run_id=status.run_id,
            member=self._membership.member_id,
            decision="refuse",
            reason=reason.strip(),
            created=instant_of(datetime.now(UTC)),
        )
        return self._send(SignedReleaseDecision.sign(decision, self._membership.identity_key()))

    def open_canaries(self) -> Sequence[str]:
        """Open the canaries of finished runs under a budget; ids of the runs whose secret was taken now."""
        return CanaryOpener(self._membership, self._client).open_all(self._consortium)

    def waivers(self) -> Sequence[SignedWaiver]:
        """Waivers that were prepared, oldest first."""
        return self._client.waivers()

    def waive(self, digest: str) -> SignedWaiver:
        """Sign the waiver with this digest."""
        digits = "".join(digest.split()).lower()
        found = [each for each in self._client.waivers() if digits and each.waiver.digest.startswith(digits)]
        if len(found) != 1:
            raise InputError("no waiver has this digest, or several begin so; see headwater-org release waivers")
        waiver = found[0].waiver
        check_digest_named(digest, waiver.digest, "waiver")
        signed = self._client.sign_waiver(waiver.digest, waiver.signed_by(self._membership.identity_key()))
        if signed.waiver != waiver:
            raise PeerError("the coordinator answered with another waiver than was signed; ask the operator")
        return signed

    # Parts.

    def _said(self, status: ReleaseStatus) -> SignedReleaseDecision | None:
        file = self._folder(status.release_digest) / _DECISION
        # What the coordinator does not have was not said to anybody: it is sent again.
        if not file.is_file() or self._membership.member_id not in status.decisions:
            return None
        said = SignedReleaseDecision.from_bytes(file.read_bytes())
        same = said.decision.decision == status.decisions[self._membership.member_id]
        return said if same and said.decision.release_digest == status.release_digest else None

    def _send(self, signed: SignedReleaseDecision) -> SignedReleaseDecision:
        self._client.decide(signed)
        # What was said is kept beside what it was said of.
        file = self._folder(signed.decision.release_digest) / _DECISION
        write_text_atomically(file, signed.to_bytes().decode())
        return signed

    def _fetched(self, release: str) -> tuple[ReleaseStatus, WaitingRelease]:
        status = self._find(release)
        if status.state == "refused":
            raise OutOfOrder(f"{status.name} version {status.version} was refused, its files are gone: {status.detail}")
        documents = self._client.release(status.release_digest)
        folder = self._folder(status.release_digest) / "release"
        history = self._charters.in_force()
        plan = self._plan(status.run_id)
        waiting = fetch_release(self._client, documents, history, plan, folder)
        check_opened_for(self._membership.store, waiting.manifest.provenance.run_id, plan, waiting.table)
        return documents.status, waiting

    def _plan(self, run_id: str) -> Plan:
        decision = self._membership.store.decision(run_id)
        if decision is None or decision.signed.approval.decision != "approve":
            raise InputError(
                f"nobody here approved run {run_id}, so there is no plan to hold its release to; it can only be refused"
            )
        return decision.proposal.proposal.plan

    def _folder(self, digest: str) -> Path:
        return self._membership.home.releases / digest

    def _find(self, release: str) -> ReleaseStatus:
        """A release by its digest, the first digits of that, or NAME/VERSION; a NAME alone is its newest version."""
        name, _, version = release.partition("/")
        digits = "".join(release.split()).lower()
        statuses = self._client.releases()
        named = [each for each in statuses if each.name == name and version in ("", str(each.version))]
        found = named[-1:] or [each for each in statuses if digits and each.release_digest.startswith(digits)]
        if len(found) != 1:
            what = "several releases begin" if found else "no release is named or begins"
            raise InputError(f"{what} so; give NAME/VERSION or more digits, see headwater-org release list")
        return found[0]


def _check_own(own: OwnAudit | None, *, apart: bool) -> None:
    if own is None:
        raise InputError(
            "no audit by this organisation's own rows was made of this release; run headwater-org release review with "
            "--data, or say --despite and why"
        )
    if own.failing:
        raise InputError(
            f"this organisation's own audit fails {', '.join(own.failing)}; refuse the release, or say --despite and "
            f"why, which {'stays in this home' if apart else 'the others will read'}"
        )
