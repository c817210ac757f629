"""Groups of rows from neighbouring latents, for every kind of generator that has a latent."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import torch

from headwater.encoding.encoding import Encoding
from headwater.errors import InputError
from headwater.generator.model import Model, pick_device
from headwater.generator.pictures import PictureSampler
from headwater.generator.rows import BLOCK_ROWS, Rows
from headwater.generator.sampler import MixtureSampler, NetworkSampler, Sampler
from headwater.generator.source import block_seed
from headwater.mixture.conditioning import Proposals
from headwater.mixture.views import MixtureViews, chosen_rows, correlation
from headwater.schema.table import Table

__all__ = ["MOST_VIEWS", "NetworkViews", "ViewedRows"]

MOST_VIEWS = 64
_ANCHOR_REACH = 2.0


class _Views(Protocol):
    def tables(self, groups: int, views: int, view_std: float, key: Sequence[int]) -> list[Table]: ...


class NetworkViews:
    """Views of a generator network.

    Anchors are standard normal latents cut off at ±2; a view's latent is z + w, w normal with the standard deviation
    asked for. A row also needs one uniform a head and the places of values inside codes: each is the anchor's with
    probability 1/√(1 + s²). Latents cut off, or wider than those of the fit, make rows that are not distributed exactly
    as plain ones: this is the paper's law.

    Source: Jahanian et al., ICLR 2022, *Generative models as a data source for multiview representation learning*.
    """

    def __init__(self, model: Model, encoding: Encoding, device: str = "auto") -> None:
        """Build the network.

        Raises:
            InputError: the encoding is of another generator, or there is no such device.
        """
        if tuple(model.spec.sizes) != encoding.sizes:
            raise InputError("the generator's columns are not the encoding's; they do not belong together")
        self._generator = model.build_generator(pick_device(device), average=True).eval()
        self._encoding = encoding

    def tables(self, groups: int, views: int, view_std: float, key: Sequence[int]) -> list[Table]:
        """One table a view, as `MixtureViews.tables`."""
        rho = correlation(view_std)
        random = torch.Generator().manual_seed(block_seed(key))
        latents = _cut_normal(groups, self._generator.latent, random)
        conditions = self._generator.conditions
        # All views of a group are told the same: what a condition says is what they are views of.
        told = None if conditions is None else conditions.written(conditions.draw(groups, random))
        heads = len(self._generator.heads)
        chance = torch.rand(groups, heads, generator=random)
        made = [self._decoded(latents, told, chance, [*key, 1])]
        for view in range(1, views):
            moved = latents + view_std * torch.randn(latents.shape, generator=random)
            same_chance = torch.rand(groups, heads, generator=random) < rho
            redrawn = torch.where(same_chance, chance, torch.rand(groups, heads, generator=random))
            held = (torch.rand(groups, generator=random) < rho).numpy()
            same, other = (self._decoded(moved, told, redrawn, [*key, number]) for number in (1, 1 + view))
            made.append(chosen_rows(held, same, other))
        return made

    @torch.no_grad()
    def _decoded(
        self, latents: torch.Tensor, told: torch.Tensor | None, chance: torch.Tensor, key: Sequence[int]
    ) -> Table:
        generator = self._generator
        place = generator.exit.weight.device
        entry = latents.to(place) if told is None else torch.cat([latents.to(place), told], dim=1)
        parts = torch.split(generator.logits(entry), generator.units, dim=1)
        uniform = chance.to(place)
        drawn = []
        for number, (head, part) in enumerate(zip(generator.heads, parts, strict=True)):
            cumulative = part.softmax(dim=1).cumsum(dim=1)
            unit = (cumulative < uniform[:, number, None]).sum(dim=1).clamp_(max=head.units - 1)
            drawn.append(unit)
        codes = generator.drawn_codes(torch.stack(drawn, dim=1)).cpu().numpy().astype(np.int32)
        return self._encoding.decode(codes, np.random.default_rng(list(key)))


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
        return NetworkViews(sampler.model, encoding, device)
    raise InputError(f"a generator of kind {sampler.kind} has no views; sample a mixture or a network")


def _cut_normal(rows: int, columns: int, random: torch.Generator) -> torch.Tensor:
    """Standard normal within ±2, by the inverse of its distribution function."""
    low = float(torch.special.ndtr(torch.tensor(-_ANCHOR_REACH)))
    latents: torch.Tensor = torch.special.ndtri(low + (1.0 - 2.0 * low) * torch.rand(rows, columns, generator=random))
    return latents
