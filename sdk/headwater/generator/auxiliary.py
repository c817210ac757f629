"""What a generator can learn from one organisation's rows beside the critic's verdict."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from headwater.generator.conditions import Wish
from headwater.generator.network import Generator

__all__ = ["RowMoments", "condition_loss", "information_loss"]

_SMOOTHING = 1e-3
_LEAST_SHARE = 1e-6
# Matrices of all pairs of codes, one a class: a wider table is looked at through as many columns as fit.
_MOST_CODES = 1024
_MOST_CLASSES = 8
# All codes of a large table side by side would take gigabytes.
_ROWS_AT_ONCE = 8192
# A super-column's own softmax holds what its columns have together; it counts twice for each pair of them.
_GROUP_WEIGHT = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    target: Tensor
    weight: Tensor

    def loss(self, moments: Tensor) -> Tensor:
        return (self.weight * (moments - self.target).abs()).sum()


class RowMoments:
    """Shares of single codes, of pairs and of pairs by class in an organisation's own rows, exactly.

    The loss is the weighted L1 distance of a batch's mean products from them, as a fit to summed marginals has it.
    Nothing of it leaves the organisation but through the trained weights.

    Args:
        generator: whose heads and columns these are.
        rows: int64 codes, shape (rows, columns).
        random: which columns' pairs are looked at, where there are too many codes for all.
    """

    def __init__(self, generator: Generator, rows: Tensor, random: torch.Generator) -> None:
        spec = generator.spec
        self._generator = generator
        sizes, columns = torch.tensor(spec.sizes), len(spec.sizes)
        column_of = torch.repeat_interleave(torch.arange(columns), sizes).to(rows.device)
        chosen = _columns_to_pair(spec.sizes, spec.label, random)
        self._paired = torch.isin(column_of, torch.tensor(chosen, device=rows.device)).nonzero().squeeze(1)
        self._all_paired = len(self._paired) == len(column_of)
        # The label's classes, where pairs are looked at by class.
        classes = 0 if spec.label is None or spec.sizes[spec.label] > _MOST_CLASSES else spec.sizes[spec.label]
        counts, joint = _counted(rows, spec.offsets, self._paired, spec.label if classes else None, max(1, classes))
        ones = counts[:, None] / len(rows)
        self._ones = _Block(ones, columns * _weights(ones, column_of, torch.zeros_like(column_of[:1])))
        head_of = torch.empty(columns, dtype=torch.int64)
        for number, head in enumerate(generator.heads):
            head_of[list(head.columns)] = number
        places = column_of[self._paired]
        heads = head_of.to(rows.device)[places]
        apart = (heads[:, None] != heads[None, :]).float()
        pairs = joint.sum(dim=0) / len(rows)
        self._pairs = _Block(pairs, _weights(pairs, places, places) * apart / 2)
        self._classes = self._by_class(joint / len(rows), places, heads, apart) if classes else []
        self._groups = self._of_groups(rows)
        with_label = [] if spec.label is None else [*generator.heads[int(head_of[spec.label])].columns]
        unlabelled = [column for column in chosen if column not in with_label] if self._classes else []
        blocks = columns * columns + _pairs_apart(head_of[chosen]) + _pairs_apart(head_of[unlabelled])
        self._blocks = blocks + sum(_group_weight(len(generator.heads[number].columns)) for number, _ in self._groups)

    def loss(self, probabilities: Tensor, random: torch.Generator) -> Tensor:
        """Distance of a batch from the rows, averaged over columns, pairs and groups; 0 is exact.

        Args:
            probabilities: shape (batch, units).
            random: which class's pairs are looked at in this step.
        """
        codes, batch = self._generator.codes(probabilities), len(probabilities)
        total = self._ones.loss(codes.mean(dim=0)[:, None])
        kept = codes if self._all_paired else codes.index_select(1, self._paired)
        total = total + self._pairs.loss(kept.T @ kept / batch)
        if self._classes:
            # One class a step, as many times as heavy as there are classes: the same loss on average, for less.
            place, block = self._classes[int(torch.randint(len(self._classes), (1,), generator=random))]
            total = total + len(self._classes) * block.loss((kept * codes[:, place, None]).T @ kept / batch)
        if self._groups:
            means = torch.split(probabilities.mean(dim=0), self._generator.units)
            for number, block in self._groups:
                total = total + block.loss(means[number][:, None])
        return total / self._blocks

    def _by_class(self, joint: Tensor, places: Tensor, heads: Tensor, apart: Tensor) -> list[tuple[int, _Block]]:
        spec = self._generator.spec
        label = spec.label or 0
        start = int(spec.offsets[label])
        # A block's weighted shares sum to 1 over all classes; the label's own head is in no triple.
        raw = (joint + _SMOOTHING).rsqrt()
        scale = _block_sums((raw * joint).sum(dim=0), places, places)
        label_head = next(n for n, head in enumerate(self._generator.heads) if label in head.columns)
        outside = (heads != label_head).float()
        weight = raw / scale * apart * outside[:, None] * outside[None, :] / 2
        return [(start + number, _Block(joint[number], weight[number])) for number in range(len(joint))]

    def _of_groups(self, rows: Tensor) -> list[tuple[int, _Block]]:
        found = []
        for number, head in enumerate(self._generator.heads):
            if len(head.columns) < 2:
                continue
            sizes = [self._generator.spec.sizes[column] for column in head.columns]
            flat = np.ravel_multi_index(tuple(rows[:, list(head.columns)].T.cpu().numpy()), sizes)
            # Combinations stand in lexicographic order, so their flat numbers ascend.
            units = np.ravel_multi_index(tuple(head.combinations.T), sizes)
            places = np.searchsorted(units, flat).clip(max=len(units) - 1)
            places = places[units[places] == flat]
            counts = np.bincount(places, minlength=len(units)).astype(np.float32)
            shares = torch.from_numpy(counts / max(1.0, float(counts.sum()))).to(rows.device)[:, None]
            nothing = torch.zeros(len(units), dtype=torch.int64, device=rows.device)
            weight = _group_weight(len(head.columns)) * _weights(shares, nothing, nothing[:1])
            found.append((number, _Block(shares, weight)))
        return found


def condition_loss(codes: Tensor, wish: Wish) -> Tensor:
    """Cross-entropy of making the wished codes, from probabilities of codes, shape (batch, codes).

    Source: Xu et al. 2019 (arXiv:1907.00503), section 4.3.
    """
    out: Tensor = -codes.gather(1, wish.places).clamp_min(_LEAST_SHARE).log().sum(dim=1).mean()
    return out


def information_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Distance of means and of standard deviations of the critic's features, each of shape (batch, width).

    Source: feature matching, Salimans et al. 2016 (arXiv:1606.03498); information loss, Park et al. 2018
        (arXiv:1806.03384), section 4.2.
    """
    means = torch.linalg.vector_norm(real.mean(dim=0) - fake.mean(dim=0))
    spreads = torch.linalg.vector_norm(real.std(dim=0) - fake.std(dim=0))
    out: Tensor = means + spreads
    return out


def _counted(
    rows: Tensor, offsets: np.ndarray, paired: Tensor, label: int | None, classes: int
) -> tuple[Tensor, Tensor]:
    """How many rows have each code, and each pair of the paired codes by class, a block of rows at a time.

    Counts are whole, so they are the same however the rows are cut.
    """
    counts = torch.zeros(int(offsets[-1]), device=rows.device)
    joint = torch.zeros(classes, len(paired), len(paired), device=rows.device)
    for part in torch.split(rows, _ROWS_AT_ONCE):
        one_hot = _one_hot(part, offsets)
        counts += one_hot.sum(dim=0)
        kept = one_hot.index_select(1, paired)
        for number in range(classes):
            of_class = kept if label is None else kept[part[:, label] == number]
            joint[number] += of_class.T @ of_class
    return counts, joint


def _one_hot(rows: Tensor, offsets: np.ndarray) -> Tensor:
    starts = torch.from_numpy(offsets[:-1]).to(rows.device)
    return torch.zeros(len(rows), int(offsets[-1]), device=rows.device).scatter_(1, rows + starts, 1.0)


def _columns_to_pair(sizes: tuple[int, ...], label: int | None, random: torch.Generator) -> list[int]:
    order = torch.randperm(len(sizes), generator=random).tolist()
    first = [] if label is None else [label]
    chosen, left = [], _MOST_CODES
    for column in [*first, *(column for column in order if column != label)]:
        if sizes[column] <= left:
            chosen.append(column)
            left -= sizes[column]
    return sorted(chosen)


def _pairs_apart(heads: Tensor) -> int:
    return int((heads[:, None] != heads[None, :]).sum()) // 2


def _group_weight(columns: int) -> float:
    return _GROUP_WEIGHT * columns * (columns - 1) / 2


def _weights(shares: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Rare cells weigh more, (share + .001)^-1/2, scaled so that a block's weighted shares sum to 1."""
    raw = (shares + _SMOOTHING).rsqrt()
    return raw / _block_sums(raw * shares, rows, columns)


def _block_sums(values: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """For each cell the sum over its block: `rows` and `columns` say which block a row or column belongs to."""
    row_of, column_of = _indicator(rows), _indicator(columns)
    sums = (row_of.T @ values @ column_of).clamp_min(1e-12)
    return row_of @ sums @ column_of.T


def _indicator(blocks: Tensor) -> Tensor:
    _, number = torch.unique(blocks, return_inverse=True)
    return torch.nn.functional.one_hot(number).float()
