"""What an audit is told beside the rows: public, a part of the plan."""

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["AuditSettings"]


class AuditSettings(BaseModel):
    """How much is attacked, and which groups, secrets and tasks are declared.

    Attributes:
        attacks: rows that linkability, inference and near-copy attacks try, each.
        targets: rows of either side that membership attacks score, at most; more cost more and tell more.
        groups: categorical or boolean columns whose categories are declared groups; empty for the schema's sensitive
            ones.
        secrets: columns that attribute inference guesses; empty for the sensitive ones, or the target where none is.
        tasks: columns that models are trained to predict; empty for the schema's target.
        least_group: rows that a group needs to be judged.
        canaries: rows that are planted, over all organisations; 0 plants none.
        seed: public; picks column halves, projections and the like, never which real row is attacked.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    attacks: int = Field(default=1000, ge=50, le=100_000)
    targets: int = Field(default=20_000, ge=100, le=1_000_000)
    groups: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    least_group: int = Field(default=30, ge=5, le=100_000)
    canaries: int = Field(default=0, ge=0, le=1_000_000)
    seed: int = Field(default=0, ge=0, lt=2**53)
