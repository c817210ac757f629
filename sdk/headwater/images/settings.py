"""Numbers of pictures that a plan may set."""

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["MOST_SCORES", "ImageSettings"]

MOST_SCORES = 64
"""No plan may ask for more of one image."""


class ImageSettings(BaseModel):
    """How pictures become scores."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scores: int = Field(default=32, ge=1, le=MOST_SCORES, description="most scores of an image")
    rows_per_score: float = Field(
        default=1.6,
        gt=0,
        description="an image gets k scores as long as a class of the target has this many rows × k^1.5: what a "
        "Gaussian over more of them would tell of single rows",
    )

    def scores_for(self, rows: int, classes: int) -> int:
        """Scores of each image of a table, 1 at least.

        Args:
            rows: training rows of all organisations.
            classes: categories of the target, 1 where there is none.
        """
        return max(1, min(self.scores, int((rows / max(classes, 1) / self.rows_per_score) ** (2 / 3))))
