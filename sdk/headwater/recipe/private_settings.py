"""Numbers of a recipe under a privacy budget that a plan may set."""

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["CriticSettings", "PrivateSettings"]


class CriticSettings(BaseModel):
    """How a hybrid under a budget trains a critic by noisy sums of gradients, and weighs the fitted mixture's draws."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    share: float = Field(default=0.25, gt=0, lt=1, description="of the budget; the counts have the rest")
    steps: int = Field(default=100, ge=2, le=900, description="noisy sums; the last eighth checks what the others did")
    rate: float = Field(default=0.1, gt=0, le=1, description="chance of each row to be in a sum, public")
    width: int = Field(default=16, ge=1, le=256, description="of the critic's two hidden layers")
    clip: float = Field(default=1.0, gt=0, le=1e6, description="norm that a row's gradient is clipped to")
    learning_rate: float = Field(default=10.0, gt=0, le=1e4, description="of the first steps; it falls to a tenth")
    draws: int = Field(default=4096, ge=16, le=65_536, description="of the mixture, beside the rows of a step")

    @property
    def checks(self) -> int:
        """Sums that move nothing: they tell what the steps before them gained."""
        return max(1, self.steps // 8)


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
    components: int = Field(default=128, ge=1, le=1024, description="components of each class of the label")
    fits: int = Field(default=2, ge=1, le=64, description="fits from different starts that are averaged")
    steps: int = Field(default=1500, ge=1, le=100_000, description="steps of each fit")
    learning_rate: float = Field(default=0.05, gt=0, le=10)
    critic: CriticSettings = Field(default=CriticSettings(), description="of `hybrid` alone")
    pull: float = Field(
        default=0.035, ge=0, le=100, description="how strongly components are held to their class's own shares"
    )
