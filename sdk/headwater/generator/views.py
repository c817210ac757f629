"""Groups of rows from neighbouring latents, for every kind of generator that has a latent."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from headwater.encoding.encoding import Encoding
from headwater.errors import InputError
from headwater.generator.pictures import PictureSampler
from headwater.generator.rows import BLOCK_ROWS, Rows
from headwater.generator.sampler import MixtureSampler, NetworkSampler, Sampler
from headwater.generator.source import block_seed
from headwater.mixture.conditioning import Proposals
from headwater.mixture.views import MixtureViews, correlation
from headwater.schema.table import Table

__all__ = ["MOST_VIEWS", "ViewedRows"]

MOST_VIEWS = 64


class _Views(Protocol):
    def tables(self, groups: int, views: int, view_std: float, key: Sequence[int]) -> list[Table]: ...


class ViewedRows:
    """Blocks of groups: a group's rows stand together, the anchor first."""

    def __init__(self, sampler: Sampler, encoding: Encoding, views: int, view_std: float, device: str = "auto") -> None:
        """Take a generator.

        Raises:
            InputError: a kind without a latent, or views or standard deviation out of range.
        """
        correlation(view_std)
        if not 2 <= views <= MOST_VIEWS:
            raise InputError(f"{views} views of a row were asked for; ask for 2 to {MOST_VIEWS}")
        self._views, self._view_std = views, view_std
        self._source = _views_of(sampler, encoding, device)
        self._groups = BLOCK_ROWS // views

    @property
    def block_rows(self) -> int:
        """Rows of a block: whole groups."""
        return self._groups * self._views

    def block(self, seed: int, number: int, tally: Proposals) -> Iterator[Rows]:
        """A block's rows with "group_id" (int64, over the whole sequence) and "view_id" (int8, 0 is the anchor)."""
        tables = self._source.tables(self._groups, self._views, self._view_std, (seed, number))
        tally.begun += self.block_rows
        tally.taken += self.block_rows
        order = np.arange(self.block_rows).reshape(self._views, self._groups).T.reshape(-1)
        groups = number * self._groups + np.repeat(np.arange(self._groups, dtype=np.int64), self._views)
        identity = np.tile(np.arange(self._views, dtype=np.int8), self._groups)
        yield Rows(Table.concat(tables).take(order), {"group_id": groups, "view_id": identity})


class _PicturedViews:
    """Views of scores, with pictures made of them: what scores leave open is the same in all views of a group."""

    def __init__(self, sampler: PictureSampler, scores: _Views) -> None:
        self._sampler, self._scores = sampler, scores

    def tables(self, groups: int, views: int, view_std: float, key: Sequence[int]) -> list[Table]:
        made = self._scores.tables(groups, views, view_std, key)
        seed = block_seed((*key, 2))
        return [self._sampler.lifting.lower(table, np.random.default_rng(seed)) for table in made]


def _views_of(sampler: Sampler, encoding: Encoding, device: str) -> _Views:
    if isinstance(sampler, PictureSampler):
        return _PicturedViews(sampler, _views_of(sampler.inner, encoding, device))
    if isinstance(sampler, MixtureSampler):
        return MixtureViews(sampler.mixture, encoding)
    if isinstance(sampler, NetworkSampler):
        # torch is loaded by what it runs, and by nothing else.
        from headwater.generator.network_views import NetworkViews

        return NetworkViews(sampler.model, encoding, device)
    raise InputError(f"a generator of kind {sampler.kind} has no views; sample a mixture or a network")
