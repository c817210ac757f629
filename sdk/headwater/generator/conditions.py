"""What a conditional generator is told of the row that it shall make: its label, and one more code."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from headwater.encoding.marginals import Marginal, marginalise
from headwater.generator.spec import GeneratorSpec

__all__ = ["Conditions", "Wish", "shares_by_class"]


@dataclass(frozen=True, slots=True, eq=False)
class Wish:
    """One condition a row.

    Attributes:
        places: int64, shape (batch, 1 or 2): where the wished codes stand among all columns' codes, the label first.
    """

    places: Tensor


def shares_by_class(sizes: Sequence[int], label: int, marginals: Sequence[Marginal]) -> NDArray[np.float32]:
    """Shares of every column's codes by class of the label; where a pair was not counted, those of all rows.

    Args:
        sizes: number of codes of each column.
        label: index of the target column.
        marginals: with every column in one at least.

    Returns:
        float32, shape (classes, codes). The label's own columns hold the classes' shares, whatever the class.
    """
    tables = {marginal.columns: marginal for marginal in marginals}
    parts = []
    for column in range(len(sizes)):
        pair = (min(column, label), max(column, label))
        if column != label and pair in tables:
            table = tables[pair].counts.reshape([sizes[each] for each in pair])
            counts = table if pair[0] == label else table.T
        else:
            holder = next(marginal for marginal in marginals if column in marginal.columns)
            alone = marginalise(holder, sizes, (column,)).counts
            counts = np.tile(alone, (sizes[label], 1))
        # A class that nobody has is never wished for; its shares only must be numbers.
        parts.append((counts + 1e-9) / (counts + 1e-9).sum(axis=1, keepdims=True))
    return np.concatenate(parts, axis=1).astype(np.float32)


class Conditions:
    """Draws wishes from shares or from rows, and writes them beside the noise.

    Args:
        spec: with a condition and its shares.
        device: where wishes are made.
    """

    def __init__(self, spec: GeneratorSpec, device: torch.device) -> None:
        self._offsets = torch.from_numpy(spec.offsets[:-1]).to(device)
        self._label = spec.label if spec.label is not None else 0
        self._width = spec.condition_width
        # Where the label alone goes in, its codes are counted from its own first.
        self._first = int(spec.offsets[self._label]) if spec.condition == "label" else 0
        self._with_column = spec.condition == "column" and len(spec.sizes) > 1
        self._others = torch.tensor([c for c in range(len(spec.sizes)) if c != spec.label], device=device)
        shares = torch.from_numpy(np.asarray(spec.shares, np.float32)).to(device)
        start, end = (int(place) for place in spec.offsets[self._label : self._label + 2])
        self.label_shares = shares[0, start:end]
        column_of = torch.repeat_interleave(torch.arange(len(spec.sizes)), torch.tensor(spec.sizes)).to(device)
        # Cumulative within a column, plus the column's number: ascending over all codes, so one search finds a code.
        total = torch.cat([torch.zeros(len(shares), 1, device=device), shares.cumsum(dim=1)], dim=1)
        within = total[:, 1:] - total[:, self._offsets[column_of]]
        self._ladder = within.clamp(0, 1) + column_of

    def draw(self, batch: int, random: torch.Generator, label: int | None = None) -> Wish:
        """Wishes with the shares of all rows, or with one label; their chance is drawn on the CPU."""
        device = self._ladder.device
        chance = torch.rand(batch, 3, generator=random).to(device)
        if label is None:
            steps = self.label_shares.cumsum(dim=0)
            classes = torch.searchsorted(steps, chance[:, 0] * steps[-1]).clamp_(max=len(steps) - 1)
        else:
            classes = torch.full((batch,), label, device=device)
        places = [classes + self._offsets[self._label]]
        if self._with_column:
            column = self._others[(chance[:, 1] * len(self._others)).long().clamp_(max=len(self._others) - 1)]
            ladder = self._ladder[classes]
            found = torch.searchsorted(ladder, (column + chance[:, 2])[:, None]).squeeze(1)
            last = self._last(column)
            places.append(torch.minimum(found, last))
        return Wish(torch.stack(places, dim=1))

    def of_rows(self, rows: Tensor, random: torch.Generator) -> Wish:
        """What would make these rows of codes, shape (batch, columns): each one's label, and one of its codes."""
        labels = rows[:, self._label] + self._offsets[self._label]
        if not self._with_column:
            return Wish(labels[:, None])
        column = self._others[torch.randint(len(self._others), (len(rows),), generator=random).to(rows.device)]
        return self.of_codes(rows, rows.gather(1, column[:, None]).squeeze(1) + self._offsets[column])

    def of_codes(self, rows: Tensor, places: Tensor) -> Wish:
        """Each row's label and the one of its codes that stands at `places` among all codes, shape (batch,)."""
        return Wish(torch.stack([rows[:, self._label] + self._offsets[self._label], places], dim=1))

    def written(self, wish: Wish) -> Tensor:
        """Shape (batch, condition width): 1 where a wished code stands."""
        places = wish.places - self._first
        blank = torch.zeros(len(places), self._width, device=places.device)
        return blank.scatter_(1, places, 1.0)

    def _last(self, column: Tensor) -> Tensor:
        ends = torch.cat([self._offsets[1:], torch.tensor([self._ladder.shape[1]], device=column.device)])
        return ends[column] - 1
