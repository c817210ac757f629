"""What a manifest says of an audit: who judged, what came of it, and what was not passed."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from headwater.agreement.documents import Document, HexDigest

if TYPE_CHECKING:
    from headwater.release.audit_file import PublishedAudit
    from headwater.release.policy.document import Policy

__all__ = ["AuditClaim", "PolicyName", "Verdict", "publishable"]

Verdict = Literal["pass", "pass with warnings", "fail", "inconclusive"]


def publishable(verdict: Verdict) -> bool:
    """Whether anything may be published under a verdict."""
    return verdict in ("pass", "pass with warnings")


class PolicyName(Document):
    """A policy by name, version and the digest of its document."""

    name: str = Field(max_length=64)
    version: int
    sha256: HexDigest

    @classmethod
    def of(cls, policy: "Policy") -> "PolicyName":
        """The name of a policy."""
        return cls(name=policy.name, version=policy.version, sha256=policy.digest)


class AuditClaim(Document):
    """The gist of audit.json, for whoever reads the manifest alone; `verify` holds it to audit.json.

    Attributes:
        policy: that judged.
        verdict: a pass, or nothing would have been published.
        attempts: candidates of all runs of the plan's name that were put before the gate, this one included.
        warned: gates that warn, in order.
        waived: gates that were waived and not passed.
        not_applicable: gates that had nothing to ask.
        left: gates that each organisation judged on its own rows before it signed, since no figure of them may leave.
    """

    policy: PolicyName
    verdict: Literal["pass", "pass with warnings"]
    attempts: int = Field(ge=1)
    warned: tuple[str, ...] = ()
    waived: tuple[str, ...] = ()
    not_applicable: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

    @classmethod
    def of(cls, audit: "PublishedAudit") -> "AuditClaim":
        """The gist of an audit.

        Raises:
            ValueError: nothing may be published under its verdict.
        """
        from headwater.release.policy.decision import left_in

        decision, left = audit.decision, left_in(audit.decision)
        if decision.verdict not in ("pass", "pass with warnings"):
            raise ValueError(f"nothing is published under the verdict {decision.verdict!r}")
        return cls(
            policy=decision.policy,
            verdict=decision.verdict,
            attempts=len(audit.attempts),
            warned=tuple(result.gate for result in decision.gates if result.outcome == "warn"),
            waived=tuple(result.gate for result in decision.gates if result.waived),
            not_applicable=tuple(
                result.gate
                for result in decision.gates
                if result.outcome == "not applicable" and result.gate not in left
            ),
            left=left,
        )
