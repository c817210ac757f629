"""Rows as a refiner and a critic see them: class, units and scores side by side in one vector."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from headwater.errors import InputError
from headwater.mixture.form import Form, RowFeatures

__all__ = ["Features"]

I32 = NDArray[np.int32]

# A form of few bytes can name as many units as it has cells, and one that is as wide.
_MOST_PADDED = 1 << 22


class Features:
    """The way from a form's rows to vectors, and back."""

    def __init__(self, form: Form) -> None:
        """Work out where everything stands.

        Raises:
            InputError: the form's units side by side, each as wide as the widest, are more than memory is kept for.
        """
        self.form = form
        self.classes = form.classes
        self.cells = form.cells
        self.scores = len(form.scores)
        sizes = form.unit_sizes
        if len(sizes) * max(sizes, default=1) > _MOST_PADDED:
            raise InputError(
                "the mixture has too many units beside one of too many codes to be refined; lower "
                "recipe.encoding.category_limit, or choose the recipe mixture"
            )
        # Units side by side, each as wide as the widest: one softmax serves all. What is no cell points to one beyond.
        padded = np.full((len(sizes), max(sizes, default=1)), form.cells, np.int64)
        for place, (offset, size) in enumerate(zip(form.offsets[:-1], sizes, strict=True)):
            padded[place, :size] = np.arange(offset, offset + size)
        self.padded = torch.from_numpy(padded)
        self._offsets = torch.from_numpy(form.offsets[:-1].copy())

    @property
    def width(self) -> int:
        """Values of a row."""
        return self.classes + self.cells + self.scores

    def tensor(self, rows: RowFeatures) -> Tensor:
        """Vectors of rows: float32, shape (rows, width); a unit of -1 is all zeros."""
        out = torch.zeros(len(rows.classes), self.width)
        out.scatter_(1, torch.from_numpy(rows.classes.astype(np.int64))[:, None], 1.0)
        units = torch.from_numpy(rows.units.astype(np.int64))
        if units.shape[1]:
            places = units.clamp(min=0) + self._offsets + self.classes
            out.scatter_(1, places, (units >= 0).float())
        out[:, self.classes + self.cells :] = torch.from_numpy(rows.scores).float()
        return out

    def rows(self, vectors: Tensor, classes: I32) -> RowFeatures:
        """Rows of vectors whose units are one-hot."""
        cells = torch.cat(
            [vectors[:, self.classes : self.classes + self.cells], torch.full((len(vectors), 1), -1.0)], 1
        )
        codes = cells[:, self.padded].argmax(dim=2) if self.cells else torch.zeros(len(vectors), 0)
        scores = vectors[:, self.classes + self.cells :].double().numpy()
        return RowFeatures(classes, codes.numpy().astype(np.int32), scores)
