"""What a plan says of its audit: the policy that judges, and what is attacked."""

from pydantic import BaseModel, ConfigDict, Field

from headwater.evidence.settings import AuditSettings

__all__ = ["AuditTerms"]


class AuditTerms(BaseModel):
    """How the result of a run is audited before it may be released.

    Attributes:
        policy: name of the gate's policy: "standard", "strict", "research", "non-private", "demo".
        settings: what is attacked, and which groups, secrets and tasks are declared.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    policy: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    settings: AuditSettings = AuditSettings()
