"""Numbers of a recipe under a privacy budget that a plan may set."""

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["PrivateSettings"]


class PrivateSettings(BaseModel):
    """What is counted with noise, how the budget is shared, and how a mixture is fitted to it.

    Shares are taken relative to their sum. Source of the rounds: privacy.md, recipe A.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    columns_share: float = Field(default=0.20, gt=0, le=1, description="of the budget, for every column's histogram")
    label_share: float = Field(default=0.15, gt=0, le=1, description="for every (feature, label) table")
    pairs_share: float = Field(default=0.65, gt=0, le=1, description="for every (feature, feature, label) table")
    numeric_bins: int = Field(default=8, ge=2, le=64, description="bins of a numeric column in the pairs")
    category_bins: int = Field(default=16, ge=2, le=256, description="bins of a categorical column in the pairs")
    coupling: float = Field(
        default=0.6, gt=0, le=1, description="least normalised mutual information of two columns that are held as one"
    )
    components: int = Field(default=64, ge=1, le=1024, description="components of each class of the label")
    fits: int = Field(default=2, ge=1, le=64, description="fits from different starts that are averaged")
    steps: int = Field(default=1500, ge=1, le=100_000, description="steps of each fit")
    learning_rate: float = Field(default=0.05, gt=0, le=10)
    pull: float = Field(
        default=0.05, ge=0, le=100, description="how strongly components are held to their class's own shares"
    )
