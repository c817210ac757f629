"""What an organisation says of a release that waits: approve or refuse, with its own verdict and nothing more."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import Field, StringConstraints, model_validator

from headwater.agreement.charter import Charter
from headwater.agreement.documents import Document, HexDigest, HexSignature, Instant, MemberId, RunId
from headwater.agreement.quorum import release_quorum
from headwater.agreement.signing import is_signed_by, sign
from headwater.errors import PeerError

__all__ = [
    "GateName",
    "OwnVerdict",
    "ReleaseDecision",
    "ReleaseTally",
    "SignedReleaseDecision",
    "Standing",
    "tally_release",
]

_KIND = "release-decision"

GateName = Annotated[str, StringConstraints(pattern=r"^G(0|[1-9][0-9]?)$")]
"""One gate: G0 to G99."""

OwnVerdict = Literal["pass", "warn", "fail", "inconclusive", "not applicable"]
"""What an organisation's own audit says of one gate. No figure goes with it: figures are functions of its rows."""


class ReleaseDecision(Document):
    """A member's decision on one release.

    Attributes:
        release_digest: of its manifest, which names every file by digest.
        statement_digest: SHA-256 of the attestation's statement, byte for byte.
        run_id: that the release came from.
        verdicts: of the member's own audit by gate; empty where it made none.
        reason: for a refusal, or for an approval against its own audit; the other members and the operator read it.
    """

    version: Literal[1] = 1
    release_digest: HexDigest
    statement_digest: HexDigest
    run_id: RunId
    member: MemberId
    decision: Literal["approve", "refuse"]
    reason: str = Field(default="", max_length=1000)
    verdicts: Mapping[GateName, OwnVerdict] = Field(default_factory=dict, max_length=100)
    created: Instant

    @model_validator(mode="after")
    def _check_reason(self) -> Self:
        if self.decision == "refuse" and not self.reason.strip():
            raise ValueError("a refusal says why")
        if self.decision == "approve" and "fail" in self.verdicts.values() and not self.reason.strip():
            raise ValueError("an approval against the member's own audit says why")
        return self


class SignedReleaseDecision(Document):
    """A decision with the member's signatures.

    Attributes:
        decision: what is signed.
        signature: by the member's identity key over the decision.
        statement_signature: of an approval alone: by the same key over the attestation's statement as DSSE encodes it,
            which goes into the attestation (`headwater.release`).
    """

    decision: ReleaseDecision
    signature: HexSignature
    statement_signature: HexSignature | None = None

    @model_validator(mode="after")
    def _check_statement_signature(self) -> Self:
        if (self.statement_signature is None) == (self.decision.decision == "approve"):
            raise ValueError("an approval carries a signature over the statement, a refusal none")
        return self

    @classmethod
    def sign(
        cls, decision: ReleaseDecision, identity_key: Ed25519PrivateKey, statement_signature: str | None = None
    ) -> "SignedReleaseDecision":
        """Sign as the member; an approval comes with its signature over the statement."""
        return cls(
            decision=decision,
            signature=sign(identity_key, _KIND, decision.to_bytes()),
            statement_signature=statement_signature,
        )

    def verify(self, charter: Charter) -> None:
        """Check that a member of the charter signed the decision; the statement's signature is not looked at.

        Raises:
            PeerError: a stranger, or a wrong signature.
        """
        member, keys = self.decision.member, charter.keys
        if member not in keys:
            raise PeerError(f"{member!r} is not a member of the release's charter; its decision does not count")
        if not is_signed_by(keys[member], _KIND, self.decision.to_bytes(), self.signature):
            raise PeerError(
                f"the decision of {member!r} on release {self.decision.release_digest[:16]} is not signed by its key; "
                "refused"
            )


class Standing(StrEnum):
    """What the decisions so far come to."""

    WAITING = "waiting"
    APPROVED = "approved"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class ReleaseTally:
    """Who has decided how on a release.

    Attributes:
        needed: signatures that it needs.
        approved: members who signed, sorted.
        refused: members who refused, sorted.
        undecided: members who said nothing yet, sorted.
    """

    needed: int
    approved: tuple[str, ...]
    refused: tuple[str, ...]
    undecided: tuple[str, ...]

    @property
    def standing(self) -> Standing:
        """Approved at the quorum; refused as soon as those who are left cannot make one."""
        if len(self.approved) >= self.needed:
            return Standing.APPROVED
        if len(self.approved) + len(self.undecided) < self.needed:
            return Standing.REFUSED
        return Standing.WAITING

    @property
    def in_words(self) -> str:
        """One line without its full stop."""
        members = len(self.approved) + len(self.refused) + len(self.undecided)
        signed = ", ".join(self.approved) or "nobody"
        against = f", refused by {', '.join(self.refused)}" if self.refused else ""
        match self.standing:
            case Standing.APPROVED:
                return f"signed by {len(self.approved)} of {members} members ({signed}), {self.needed} had to{against}"
            case Standing.REFUSED:
                return f"refused by {', '.join(self.refused)}: {self.needed} of {members} signatures cannot be reached"
            case Standing.WAITING:
                more = self.needed - len(self.approved)
                return (
                    f"waits for {more} of {self.needed} signatures; signed by {signed}{against}; "
                    f"not decided by {', '.join(self.undecided)}"
                )


def tally_release(charter: Charter, decisions: Iterable[ReleaseDecision]) -> ReleaseTally:
    """Count decisions, believing each: they must have been checked.

    Args:
        charter: that the release's run was proposed under.
        decisions: the newest of each member.
    """
    said = {decision.member: decision.decision for decision in decisions}
    members = [member.id for member in charter.members]
    return ReleaseTally(
        needed=release_quorum(charter),
        approved=tuple(member for member in members if said.get(member) == "approve"),
        refused=tuple(member for member in members if said.get(member) == "refuse"),
        undecided=tuple(member for member in members if member not in said),
    )
