"""A waiver: two members answer for what one gate did not pass, until a day they name."""

from collections.abc import Mapping
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import Field

from headwater.agreement.documents import Document, HexDigest, HexSignature, Instant, MemberId
from headwater.agreement.signing import is_signed_by, sign
from headwater.release.policy.document import Policy

__all__ = ["APPROVERS", "SignedWaiver", "Waiver"]

APPROVERS = 2
"""Members who must sign a waiver."""

_KIND = "waiver"


class Waiver(Document):
    """What is signed.

    Attributes:
        gate: that it is about.
        outcome: the worst that it covers: "inconclusive" does not cover a failure.
        policy: digest of the policy that the gate is of.
        candidate: SHA-256 of the one table that it is for.
        release: that it is for, NAME/VERSION: who answers for a table of one name has not answered for another.
        reason: why it is taken upon them, for the card.
        expires: after it nothing may be released by it.
    """

    version: Literal[2] = 2
    gate: str = Field(pattern=r"^G[0-9]{1,2}$")
    outcome: Literal["inconclusive", "fail"]
    policy: HexDigest
    candidate: HexDigest
    release: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}/[1-9][0-9]{0,9}$")
    reason: str = Field(min_length=10, max_length=1000)
    expires: Instant

    def signed_by(self, key: Ed25519PrivateKey) -> str:
        """A signature over this waiver, for `SignedWaiver.signatures`."""
        return sign(key, _KIND, self.to_bytes())

    def is_signed_by(self, public_key: str, signature: str) -> bool:
        """Tell whether a signature is the key's over this waiver; both in hexadecimal."""
        return is_signed_by(public_key, _KIND, self.to_bytes(), signature)


class SignedWaiver(Document):
    """A waiver with its approvers' signatures.

    Attributes:
        waiver: what is signed.
        signatures: by member id, each by the key that the charter gives the member.
    """

    waiver: Waiver
    signatures: Mapping[MemberId, HexSignature]

    @property
    def approvers(self) -> tuple[str, ...]:
        """Who signed, sorted."""
        return tuple(sorted(self.signatures))

    def with_signature(self, member: str, key: Ed25519PrivateKey) -> "SignedWaiver":
        """The same with one more approver."""
        return SignedWaiver(waiver=self.waiver, signatures={**self.signatures, member: self.waiver.signed_by(key)})

    def problem(self, policy: Policy, candidate: str, now: Instant, keys: Mapping[str, str]) -> str:
        """Why it does not hold, in one line; empty where it does.

        Args:
            policy: that judges.
            candidate: SHA-256 of the table that is judged.
            now: when it is used.
            keys: Ed25519 keys of the charter's members by id.
        """
        waiver = self.waiver
        gate = policy.gate(waiver.gate)
        name = f"the waiver of {waiver.gate}"
        if gate is None or waiver.policy != policy.digest:
            return f"{name} is for another policy than {policy.label}; sign one for this policy"
        if waiver.candidate != candidate:
            return f"{name} is for another table; a waiver is good for the one it names"
        if gate.waivable == "never":
            return f"{name} has no force: {policy.name} lets nobody waive {gate.title.lower()}"
        if waiver.outcome == "fail" and gate.waivable != "fail":
            return f"{name} covers a failure, {policy.name} lets it be waived only where it is inconclusive"
        # Instants of one form compare as they are written.
        if waiver.expires < now:
            return f"{name} expired at {waiver.expires}; two members must sign another one, or the gate must pass"
        return self._unsigned(name, keys)

    def _unsigned(self, name: str, keys: Mapping[str, str]) -> str:
        for member in self.approvers:
            if member not in keys:
                return f"{name} is signed by {member!r}, who is no member of the charter"
            if not self.waiver.is_signed_by(keys[member], self.signatures[member]):
                return f"{name} has a wrong signature of {member!r}; it must sign again"
        if len(self.approvers) < APPROVERS:
            who = " and ".join(self.approvers) or "nobody"
            return f"{name} is approved by {who} alone; {APPROVERS} different members must sign it"
        return ""
