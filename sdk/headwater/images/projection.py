"""Pictures to scores on principal directions, and back."""

import base64
import binascii
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.images.pixels import PixelSums
from headwater.images.settings import MOST_SCORES
from headwater.schema.columns import ImageColumn

__all__ = ["REACH", "Projection"]

F64 = NDArray[np.float64]
U8 = NDArray[np.uint8]

REACH = 8.0
"""A score is within plus and minus this many deviations of its direction; what lies beyond is clipped."""

# A direction with less variance than this, in levels squared, is rounding.
_LEAST_VARIANCE = 1e-6
_ROUNDING = 1e-6


@dataclass(frozen=True, eq=False)
class Projection:
    """The directions along which the pictures of one column differ most, the strongest first.

    The first `scores` of them are what a picture is to a recipe. The others are known by their variance alone: a drawn
    picture gets chance along them, so that all pictures together have the summed second moments, but for what rounding
    and clipping to levels takes.

    Attributes:
        image: the column.
        scores: how many directions have a score.
        mean: float64, shape (pixels,).
        directions: float64, shape (pixels, kept), orthonormal; at least `scores` of them.
        deviations: float64, shape (kept,), above 0.
    """

    image: ImageColumn
    scores: int
    mean: F64
    directions: F64
    deviations: F64

    def __post_init__(self) -> None:
        """Check what may come from a peer.

        Raises:
            InputError: shapes do not belong together, a number is not finite, or mean, directions or deviations are
                none that pictures of these levels have.
        """
        kept = len(self.deviations)
        shapes = self.mean.shape == (self.image.pixels,) and self.directions.shape == (self.image.pixels, kept)
        if not shapes or not 1 <= self.scores <= min(kept, MOST_SCORES):
            raise InputError("a projection's parts are not of its image; they do not belong together")
        finite = all(np.isfinite(part).all() for part in (self.mean, self.directions, self.deviations))
        if not finite or self.deviations.min() <= 0:
            raise InputError("a projection holds numbers that are not finite, or no deviation; it must not be used")
        highest = self.image.levels - 1
        within = self.mean.min() >= -_ROUNDING and self.mean.max() <= highest + _ROUNDING
        # No direction is longer than the way from the black picture to the white one.
        if not within or self.deviations.max() > highest * math.sqrt(self.image.pixels):
            raise InputError(
                "a projection's mean or deviations are of no pictures of these levels; it must not be used"
            )
        if (
            np.abs(self.directions).max() > 2
            or np.abs(self.directions.T @ self.directions - np.eye(kept)).max() > _ROUNDING
        ):
            raise InputError("a projection's directions are not orthonormal; it must not be used")

    @classmethod
    def fit(cls, image: ImageColumn, sums: PixelSums, rows: int, scores: int) -> "Projection":
        """The directions that summed pixels fix; the same for every partition of the rows.

        Args:
            image: the column.
            sums: over `rows` rows.
            rows: above 0.
            scores: wished; fewer where the pictures differ along fewer directions.
        """
        mean = sums.sums / rows
        covariance = sums.products / rows - np.outer(mean, mean)
        variances, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
        order = np.argsort(-variances, kind="stable")
        kept = order[variances[order] > _LEAST_VARIANCE]
        if not len(kept):
            # All pictures are the same one; a score that says nothing keeps the form.
            kept = order[:1]
        directions = vectors[:, kept]
        # An eigenvector's sign is the library's whim; here its largest entry is above 0.
        largest = directions[np.argmax(np.abs(directions), axis=0), np.arange(len(kept))]
        directions = directions * np.where(largest < 0, -1.0, 1.0)
        deviations = np.sqrt(np.maximum(variances[kept], _LEAST_VARIANCE))
        return cls(image, min(scores, len(kept)), mean, directions, deviations)

    def to_scores(self, pictures: U8) -> F64:
        """Scores of pictures: float64, shape (rows, scores), within ±REACH.

        Args:
            pictures: uint8, shape (rows, pixels).
        """
        chosen = self.directions[:, : self.scores]
        scores = (pictures.astype(np.float64) - self.mean) @ chosen / self.deviations[: self.scores]
        return np.clip(scores, -REACH, REACH)

    def to_pictures(self, scores: F64, random: np.random.Generator) -> U8:
        """Pictures with these scores: uint8, shape (rows, pixels), levels of the image.

        Args:
            scores: shape (rows, scores).
            random: of the directions without a score.
        """
        others = random.normal(size=(len(scores), len(self.deviations) - self.scores))
        along = np.concatenate([scores, others], axis=1) * self.deviations
        levels = np.rint(self.mean + along @ self.directions.T)
        pictures: U8 = np.clip(levels, 0, self.image.levels - 1).astype(np.uint8)
        return pictures

    def to_document(self, *, all_directions: bool) -> dict[str, object]:
        """JSON values that `from_document` reads back.

        Args:
            all_directions: those without a score too. They are needed to draw pictures, not to score them: a task for
                organisations leaves them out.
        """
        kept = len(self.deviations) if all_directions else self.scores
        return {
            "scores": self.scores,
            "mean": _text(self.mean),
            "directions": _text(self.directions[:, :kept]),
            "deviations": _text(self.deviations[:kept]),
        }

    @classmethod
    def from_document(cls, image: ImageColumn, document: Mapping[str, Any]) -> "Projection":
        """Read a projection of this image.

        Raises:
            InputError: not a projection of this image.
        """
        try:
            mean, deviations = _numbers(document["mean"]), _numbers(document["deviations"])
            directions = _numbers(document["directions"]).reshape(image.pixels, -1)
            scores = document["scores"]
            if type(scores) is not int:
                raise TypeError("the number of scores is not whole")
        except (KeyError, TypeError, ValueError, binascii.Error) as error:
            raise InputError("a projection's document is not of this version's form") from error
        return cls(image, scores, mean, directions, deviations)


def _text(values: F64) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype="<f8").tobytes()).decode("ascii")


def _numbers(text: object) -> F64:
    if not isinstance(text, str):
        raise TypeError("an array of a projection is not text")
    return np.frombuffer(base64.b64decode(text, validate=True), dtype="<f8").astype(np.float64)
