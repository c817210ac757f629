"""The policy that a command names, as a plan's audit."""

from typing import Literal

from pydantic import ValidationError

from headwater.errors import InputError
from headwater.evidence.settings import AuditSettings
from headwater.evidence.terms import AuditTerms
from headwater.schema import Schema

__all__ = ["audit_in_one_line", "audit_of"]


def audit_of(
    policy: str | None, schema: Schema, *, private: bool, settings: AuditSettings | None = None
) -> Literal["none"] | AuditTerms:
    """A plan's audit under a policy.

    Args:
        policy: its name, or "none"; None for the default: "standard" under a budget, "non-private" without one, and no
            audit of pictures.
        schema: of the plan.
        private: whether the plan has a privacy budget.
        settings: what is attacked; the defaults where left out.

    Raises:
        InputError: that is no name of a policy.
    """
    if policy is None:
        policy = "none" if schema.images else "standard" if private else "non-private"
    if policy == "none":
        return "none"
    try:
        return AuditTerms(policy=policy, settings=settings or AuditSettings())
    except ValidationError as error:
        raise InputError(
            f"--policy is {policy!r}; say standard, strict, research, non-private or demo, or none for no audit"
        ) from error


def audit_in_one_line(audit: Literal["none"] | AuditTerms) -> str:
    """What a plan's audit is, for whoever drafts or watches it."""
    if audit == "none":
        return "none; nothing of its runs can be released"
    planted = audit.settings.canaries
    canaries = f"{planted:,} canaries" if planted else "no canaries"
    return f"policy {audit.policy} judges the rows at the end, with {canaries}; plan explain says by what"
