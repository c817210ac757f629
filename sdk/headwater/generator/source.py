"""Where rows come from: any generator, with a condition or without, by numbered blocks."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from headwater.encoding.encoding import Encoding
from headwater.errors import InputError
from headwater.generator.pictures import PictureSampler
from headwater.generator.sampler import MixtureSampler, NetworkSampler, Sampler
from headwater.mixture.conditioning import ConditionedMixture, Proposals, too_few_rows
from headwater.schema.condition import Condition
from headwater.schema.table import Table

if TYPE_CHECKING:
    from headwater.generator.conditional import ConditionedNetwork

__all__ = ["LEAST_SHARE_OF_ROWS", "MOST_PROPOSALS", "RowSource", "block_seed", "open_source"]

LEAST_SHARE_OF_ROWS = 1e-6
"""A rarer condition describes rows of which the generator knows nothing but its smoothing."""

MOST_PROPOSALS = 20_000_000
"""Most rows that are begun for one block where a condition can only be met by trying."""

_PILOT = 16_384
_BATCH = 8192


class RowSource(Protocol):
    """Rows of one generator under one condition, read by key.

    Attributes:
        method: "plain", "exact" (every row begun is taken), or "rejection".
        share: of the generator's rows that satisfy the condition; 1 without one.
        estimated: whether `share` was estimated from draws.
    """

    method: str
    share: float
    estimated: bool

    def tables(self, key: Sequence[int], rows: int, tally: Proposals) -> Iterator[Table]:
        """Yield so many rows, in parts, as they are ready.

        Args:
            key: equal keys give equal rows on one machine.
            rows: how many.
            tally: counts rows begun and taken.

        Raises:
            InputError: too few rows satisfy the condition.
        """


def block_seed(key: Sequence[int]) -> int:
    """A seed below 2^53 from several numbers, independent for different ones."""
    return int(np.random.SeedSequence(list(key)).generate_state(1, np.uint64)[0] >> np.uint64(11))


def open_source(
    sampler: Sampler,
    encoding: Encoding,
    condition: Condition,
    *,
    device: str = "auto",
    most_proposals: int = MOST_PROPOSALS,
    least_share: float = LEAST_SHARE_OF_ROWS,
) -> RowSource:
    """The best way to rows of this condition that this kind of generator has.

    A mixture is conditioned exactly, a network by keeping latents; any other kind by keeping rows.

    Args:
        sampler: of any kind.
        encoding: of the generator.
        condition: without columns, every row will do.
        device: for what runs on one.
        most_proposals: rows begun at most for one block.
        least_share: the smallest share of rows that a condition may stand for.

    Raises:
        InputError: the condition holds for (almost) no row; the line says for what share.
    """
    if isinstance(sampler, PictureSampler):
        # A condition is on columns by their place, and scores stand in other places than pictures.
        names = encoding.schema.names
        columns = {names.index(condition.schema.names[place]): allowed for place, allowed in condition.columns.items()}
        inner = open_source(
            sampler.inner,
            encoding,
            Condition(encoding.schema, dict(sorted(columns.items()))),
            device=device,
            most_proposals=most_proposals,
            least_share=least_share,
        )
        return _Pictured(sampler, inner)
    if not condition.columns:
        return _Plain(sampler, encoding, device)
    source: RowSource
    if isinstance(sampler, MixtureSampler):
        source = _Mixture(ConditionedMixture(sampler.mixture, encoding, condition), most_proposals)
    elif isinstance(sampler, NetworkSampler):
        # torch is loaded by what it runs, and by nothing else.
        from headwater.generator.conditional import ConditionedNetwork

        source = _Network(ConditionedNetwork(sampler.model, encoding, condition, device), most_proposals)
    else:
        source = _Kept(sampler, encoding, condition, device, most_proposals)
    if source.share < least_share:
        found = "an estimated " if source.estimated else ""
        raise InputError(
            f"the condition {condition} holds for {found}{source.share:.1e} of the generator's rows; "
            f"at least {least_share:.0e} is expected, widen it"
        )
    return source


class _Pictured:
    """Rows of scores, with pictures made of them."""

    def __init__(self, sampler: PictureSampler, scores: RowSource) -> None:
        self._sampler, self._scores = sampler, scores
        self.method, self.share, self.estimated = scores.method, scores.share, scores.estimated

    def tables(self, key: Sequence[int], rows: int, tally: Proposals) -> Iterator[Table]:
        # Scores and pixels are drawn from two streams of one key.
        pixels = np.random.default_rng(block_seed((*key, 2)))
        for table in self._scores.tables(key, rows, tally):
            yield self._sampler.lifting.lower(table, pixels)


class _Plain:
    """All rows."""

    method, share, estimated = "plain", 1.0, False

    def __init__(self, sampler: Sampler, encoding: Encoding, device: str) -> None:
        self._sampler, self._encoding, self._device = sampler, encoding, device

    def tables(self, key: Sequence[int], rows: int, tally: Proposals) -> Iterator[Table]:
        tally.begun += rows
        tally.taken += rows
        yield from self._sampler.tables(
            self._encoding, rows, block_seed(key), batch_size=max(1, rows), device=self._device
        )


class _Mixture:
    """Rows of a conditioned mixture."""

    def __init__(self, conditioned: ConditionedMixture, most: int) -> None:
        self._conditioned, self._most = conditioned, most
        self.share = conditioned.share
        self.estimated = conditioned.rejects
        self.method = "rejection" if conditioned.rejects else "exact"

    def tables(self, key: Sequence[int], rows: int, tally: Proposals) -> Iterator[Table]:
        yield from self._conditioned.tables(rows, np.random.default_rng(block_seed(key)), self._most, tally)


class _Network:
    """Rows of a network whose latents were kept."""

    method, estimated = "rejection", True

    def __init__(self, conditioned: "ConditionedNetwork", most: int) -> None:
        self._conditioned, self._most = conditioned, most
        self.share = conditioned.share

    def tables(self, key: Sequence[int], rows: int, tally: Proposals) -> Iterator[Table]:
        yield from self._conditioned.tables(rows, block_seed(key), self._most, tally)


class _Kept:
    """Rows of any generator that happen to satisfy the condition."""

    method, estimated = "rejection", True

    def __init__(self, sampler: Sampler, encoding: Encoding, condition: Condition, device: str, most: int) -> None:
        self._sampler, self._encoding, self._device = sampler, encoding, device
        self._condition, self._most = condition, most
        drawn = self._batch((0,), _PILOT)
        # Half a row where none was found: a share is estimated, not disproved, by a pilot.
        self.share = max(float(np.count_nonzero(condition.matches(drawn))), 0.5) / _PILOT

    def _batch(self, key: Sequence[int], rows: int) -> Table:
        tables = self._sampler.tables(self._encoding, rows, block_seed(key), batch_size=_BATCH, device=self._device)
        return Table.concat(list(tables))

    def tables(self, key: Sequence[int], rows: int, tally: Proposals) -> Iterator[Table]:
        done, begun = 0, 0
        for number in range(math.ceil(self._most / _BATCH)):
            if done >= rows:
                return
            drawn = self._batch((*key, number), _BATCH)
            kept = np.flatnonzero(self._condition.matches(drawn))
            begun += _BATCH
            tally.begun += _BATCH
            tally.taken += len(kept)
            if len(kept):
                yield drawn.take(kept[: rows - done])
            done += min(len(kept), rows - done)
        if done < rows:
            raise too_few_rows(begun, done, rows)
