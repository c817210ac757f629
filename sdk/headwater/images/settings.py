"""Numbers of pictures that a plan may set."""

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["MOST_SCORES", "ConvolutionSettings", "ImageSettings"]

MOST_SCORES = 64
"""No plan may ask for more of one image."""


class ConvolutionSettings(BaseModel):
    """A small convolutional generator and its critic, and how organisations train them: recipe kind `adversarial`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    channels: int = Field(default=16, ge=2, le=256, description="of generator and critic")
    latent: int = Field(default=32, ge=1, le=1024)
    rounds: int = Field(default=60, ge=1, le=10_000, description="rounds of local training")
    local_steps: int = Field(default=25, ge=1, le=100_000, description="steps of an organisation in a round")
    batch: int = Field(default=48, ge=2, le=65_536)
    generator_rate: float = Field(default=1.5e-3, gt=0, le=1)
    critic_rate: float = Field(default=1.5e-3, gt=0, le=1)
    penalty: float = Field(default=1.0, ge=0, le=1e6, description="weight of R1 and R2")
    penalty_every: int = Field(
        default=5, ge=1, le=100_000, description="steps from one penalty to the next, weighted to match"
    )
    server_rate: float = Field(default=1.0, gt=0, le=100)
    ema: float = Field(default=0.8, ge=0, lt=1, description="of the generator, over rounds")


class ImageSettings(BaseModel):
    """How pictures become scores."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    scores: int = Field(default=32, ge=1, le=MOST_SCORES, description="most scores of an image")
    rows_per_score: float = Field(
        default=1.6,
        gt=0,
        le=1e9,
        description="an image gets k scores as long as a class of the target has this many rows × k^1.5: what a "
        "Gaussian over more of them would tell of single rows",
    )
    convolution: ConvolutionSettings = ConvolutionSettings()

    def scores_for(self, rows: int, classes: int) -> int:
        """Scores of each image of a table, 1 at least.

        Args:
            rows: training rows of all organisations.
            classes: categories of the target, 1 where there is none.
        """
        return max(1, min(self.scores, int((rows / max(classes, 1) / self.rows_per_score) ** (2 / 3))))
