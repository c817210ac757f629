"""Batches of an organisation's own rows, and the wishes that go with them."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from headwater.generator.conditions import Wish
from headwater.generator.network import Generator

__all__ = ["Batch", "RowSource"]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Drawn rows.

    Attributes:
        one_hot: all columns' codes side by side, shape (batch, codes).
        wish: what would make rows like these, None for a generator without a condition.
    """

    one_hot: Tensor
    wish: Wish | None


class RowSource:
    """Draws rows of one organisation with replacement.

    A conditional generator is asked for rows like those drawn, so real and generated rows have the same labels: what
    an organisation has more of than others does not pull the generator's own shares away.

    Args:
        generator: whose conditions and columns these are.
        rows: int64 codes, shape (rows, columns).
        frequency: "share" draws rows as they are; "log" draws a column, then a code by the logarithm of its count,
            then a row that has it, if the generator has a condition on columns.

    Source: training by sampling, Xu et al. 2019 (arXiv:1907.00503), section 4.3.
    """

    def __init__(self, generator: Generator, rows: Tensor, frequency: Literal["share", "log"]) -> None:
        self._generator, self._rows = generator, rows
        spec = generator.spec
        self._offsets = torch.from_numpy(spec.offsets[:-1]).to(rows.device)
        self._codes = int(spec.offsets[-1])
        self._by_code = frequency == "log" and spec.condition == "column" and len(spec.sizes) > 1
        if self._by_code:
            others = [column for column in range(len(spec.sizes)) if column != spec.label]
            self._others = torch.tensor(others, device=rows.device)
            counts = torch.zeros(self._codes, device=rows.device)
            counts.index_add_(0, (rows + self._offsets).reshape(-1), torch.ones(rows.numel(), device=rows.device))
            self._order = rows.argsort(dim=0, stable=True)
            ends = torch.split(counts, list(spec.sizes))
            self._counts = counts
            self._starts = torch.cat([part.cumsum(0) - part for part in ends])
            weights = [torch.log1p(part) for part in ends]
            self._weights = torch.nn.utils.rnn.pad_sequence(weights, batch_first=True)

    def real(self, batch: int, random: torch.Generator) -> Batch:
        """Rows for the critic, with what would make them."""
        if self._by_code:
            return self._by_logarithm(batch, random)
        rows = self._drawn(batch, random)
        conditions = self._generator.conditions
        return Batch(self._written(rows), None if conditions is None else conditions.of_rows(rows, random))

    def wishes(self, batch: int, random: torch.Generator) -> Wish | None:
        """What would make rows of the organisation, as often as it has them."""
        conditions = self._generator.conditions
        return None if conditions is None else conditions.of_rows(self._drawn(batch, random), random)

    def _drawn(self, batch: int, random: torch.Generator) -> Tensor:
        return self._rows[torch.randint(len(self._rows), (batch,), generator=random).to(self._rows.device)]

    def _by_logarithm(self, batch: int, random: torch.Generator) -> Batch:
        device, chance = self._rows.device, torch.rand(batch, 2, generator=random)
        column = self._others[torch.randint(len(self._others), (batch,), generator=random).to(device)]
        ladder = self._weights[column].cumsum(dim=1)
        code = torch.searchsorted(ladder, chance[:, :1].to(device) * ladder[:, -1:]).squeeze(1)
        code = torch.minimum(code, self._last(ladder))
        place = code + self._offsets[column]
        within = (chance[:, 1].to(device) * self._counts[place]).floor()
        rows = self._rows[self._order[(self._starts[place] + within).long(), column]]
        conditions = self._generator.conditions
        wish = None if conditions is None else conditions.of_codes(rows, place)
        return Batch(self._written(rows), wish)

    @staticmethod
    def _last(ladder: Tensor) -> Tensor:
        """The last code that any row has: a draw at the very top must not fall behind it."""
        return (ladder < ladder[:, -1:]).sum(dim=1)

    def _written(self, rows: Tensor) -> Tensor:
        blank = torch.zeros(len(rows), self._codes, device=rows.device)
        return blank.scatter_(1, rows + self._offsets, 1.0)
