"""Rows for a critic's private step: places of their codes, and scores, without writing one-hot vectors out."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from headwater.generator.refiner.features import Features
from headwater.mixture.form import RowFeatures

__all__ = ["CodedRows"]


@dataclass(frozen=True, slots=True, eq=False)
class CodedRows:
    """Rows whose vectors are ones at a few places, zeros elsewhere, and scores behind.

    Attributes:
        codes: how many places there are.
        places: int64, shape (rows, ones); `codes` itself stands for a one that is not there.
        scores: float32, shape (rows, scores).
    """

    codes: int
    places: Tensor
    scores: Tensor

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.places)

    def __getitem__(self, chosen: slice | Tensor) -> "CodedRows":
        """Some of the rows."""
        return CodedRows(self.codes, self.places[chosen], self.scores[chosen])

    @classmethod
    def of(cls, rows: RowFeatures, features: Features) -> "CodedRows":
        """A form's rows; a unit of -1 has no place."""
        codes = features.classes + features.cells
        starts = features.classes + features.form.offsets[:-1]
        units = np.where(rows.units >= 0, rows.units + starts, codes)
        places = np.concatenate([rows.classes[:, None], units], axis=1).astype(np.int64)
        return cls(codes, torch.from_numpy(places), torch.from_numpy(rows.scores).float())

    def finite(self) -> "CodedRows":
        """Those whose scores are all finite."""
        # Zero times what is not finite is NaN, and sums of zeros are zero in every order.
        usable = (self.scores * 0).sum(dim=1) == 0
        return self if bool(usable.all()) else self[usable]

    def vectors(self) -> Tensor:
        """As a network without this knowledge sees them: float32, shape (rows, codes + scores)."""
        out = torch.zeros(len(self), self.codes + 1)
        out.scatter_(1, self.places, 1.0)
        return torch.cat([out[:, :-1], self.scores], dim=1)
