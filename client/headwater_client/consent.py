"""The checks behind every consent of this organisation: to a charter, to a plan, to taking part right now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.agreement.approval import Approval, SignedApproval, SignedProposal
from headwater.agreement.charter import Charter, SignedCharter
from headwater.agreement.documents import instant_of
from headwater.agreement.ledger import LedgerEntry
from headwater.agreement.signing import public_key_hex
from headwater.agreement.succession import CharterHistory
from headwater.agreement.troubles import Trouble
from headwater.errors import InputError, PeerError
from headwater_client.policy import Policy, decide
from headwater_client.store import StoredDecision

__all__ = [
    "Refusal",
    "check_digest_named",
    "check_own_entry",
    "check_proposal",
    "is_digest_named",
    "refusal_of",
    "sign_decision",
]

_SHORTEST_DIGEST = 16


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why this organisation takes no part in a run.

    Attributes:
        reasons: for its own log, one line each.
        trouble: the one word that the operator is told.
    """

    reasons: tuple[str, ...]
    trouble: Trouble = Trouble.NOT_AGREED


def check_digest_named(named: str, actual: str, what: str) -> None:
    """Check the digest that a person compared against the document at hand.

    Args:
        named: hexadecimal digits, blanks allowed; at least the first 16.
        actual: 64 hexadecimal digits.
        what: the document, for the error: "charter".

    Raises:
        InputError: too short, not hexadecimal, or another document's.
    """
    digits = _digits(named)
    if len(digits) < _SHORTEST_DIGEST or not set(digits) <= set("0123456789abcdef"):
        raise InputError(
            f"{named!r} is no digest of a {what}; give the {len(actual)} hexadecimal digits that were compared, "
            f"or at least the first {_SHORTEST_DIGEST}"
        )
    if not actual.startswith(digits):
        raise InputError(
            f"the {what} at the coordinator has digest {actual[:_SHORTEST_DIGEST]}…, not {digits[:_SHORTEST_DIGEST]}…; "
            "look at it again and compare it anew"
        )


def is_digest_named(named: str, actual: str) -> bool:
    """Whether `check_digest_named` would let these digits stand for this digest."""
    digits = _digits(named)
    return len(digits) >= _SHORTEST_DIGEST and actual.startswith(digits)


def _digits(named: str) -> str:
    return "".join(named.split()).lower()


def check_own_entry(
    charter: Charter,
    member_id: str,
    identity_key: Ed25519PrivateKey,
    ca_digest: str,
    former: Charter | None = None,
) -> None:
    """Check that the charter names this organisation by its own key, and the CA that it enrolled under.

    Args:
        charter: as shown.
        member_id: this organisation.
        identity_key: its key.
        ca_digest: of the CA that it enrolled under.
        former: the version before; a member of it may look at its own removal, and sign it.

    Raises:
        PeerError: it does not: somebody else would speak in this organisation's name, or read its connections.
    """
    key, named = public_key_hex(identity_key), charter.keys.get(member_id)
    if named is None:
        if former is not None and former.keys.get(member_id) == key:
            return
        raise PeerError(
            f"version {charter.version} of the charter does not name {member_id!r}; ask the operator for the next one"
        )
    if named != key:
        raise PeerError(
            f"the charter gives {member_id!r} another key than this organisation's; do not accept it: "
            "tell the other members and the operator"
        )
    if charter.ca_digest != ca_digest:
        raise PeerError(
            f"the charter names CA {charter.ca_digest[:16]}, this organisation enrolled under {ca_digest[:16]}; "
            "do not accept it: tell the other members and the operator"
        )


def check_proposal(signed: SignedProposal, run_id: str, charter: Charter) -> None:
    """Check that a proposal is the run asked for and is the coordinator's, under the pinned charter.

    Raises:
        PeerError: it is another run, another charter's, or not signed by the coordinator.
    """
    if signed.proposal.run_id != run_id:
        raise PeerError(f"run {run_id} was asked for and {signed.proposal.run_id} came; ask the operator")
    signed.verify(charter)


def refusal_of(
    decision: StoredDecision | None,
    pinned: SignedCharter | None,
    history: CharterHistory | None,
    policy: Policy,
    installed_stub: str,
    member_id: str,
    ledger: Sequence[LedgerEntry],
) -> Refusal | None:
    """Why this organisation takes no part in a run right now; None when it does.

    What it approved is checked again at each start: the policy may have changed, or the installed code. A run stands
    under the version of the charter that it was proposed under, whichever came in force since.

    Args:
        decision: the stored decision on the run, if any.
        pinned: the charter that this organisation holds to, if any.
        history: the versions in force here, if any.
        policy: the policy file as it is now.
        installed_stub: SHA-256 of the installed Flower bundle.
        member_id: this organisation.
        ledger: what was charged to its records so far.
    """
    if pinned is None:
        return Refusal(("no charter is accepted here",))
    if history is None:
        return Refusal((f"the charter is not signed by {', '.join(pinned.missing_signatures)} yet",))
    if decision is None:
        return Refusal(("nobody here has approved this run",))
    if decision.signed.approval.decision != "approve":
        return Refusal(("this organisation refused this run",))
    proposal = decision.proposal.proposal
    charter = history.find(proposal.charter_digest)
    if charter is None:
        return Refusal(("the run was proposed under another charter than those that are or were in force here",))
    charged = policy.limit.counted(ledger, charter.member(member_id).data_set, but_run=proposal.run_id)
    weighed = decide(policy, proposal.plan, charter, charged)
    problems = list(weighed.problems)
    if proposal.plan.stub_sha256 != installed_stub:
        problems.append(
            f"the plan runs bundle {proposal.plan.stub_sha256[:16]}, installed is {installed_stub[:16]}: "
            "another version of headwater is needed"
        )
    if not problems:
        return None
    # Where something else keeps it away too, a smaller ε would not help: the log has all reasons.
    only_limit = weighed.over_limit and len(problems) == 1
    return Refusal(tuple(problems), Trouble.LIMIT_REACHED if only_limit else Trouble.NOT_AGREED)


def sign_decision(
    proposal: SignedProposal,
    member_id: str,
    identity_key: Ed25519PrivateKey,
    *,
    approve: bool,
    reason: str,
    now: datetime,
    canary_commitment: str | None = None,
) -> SignedApproval:
    """This member's signed decision on a proposal.

    Args:
        proposal: checked.
        member_id: this member.
        identity_key: its key.
        approve: or refuse.
        reason: for the coordinator and the other members; at most 1000 characters.
        now: aware time.
        canary_commitment: of the secret of its canaries, where it approves a plan that plants some.
    """
    approval = Approval(
        run_id=proposal.proposal.run_id,
        plan_digest=proposal.proposal.plan.digest,
        member=member_id,
        decision="approve" if approve else "refuse",
        reason=reason,
        created=instant_of(now),
        canary_commitment=canary_commitment,
    )
    return SignedApproval.sign(approval, identity_key)
