"""Groups of rows from neighbouring latents of a generator network."""

from collections.abc import Sequence

import numpy as np
import torch

from headwater.encoding.encoding import Encoding
from headwater.errors import InputError
from headwater.generator.model import Model, pick_device
from headwater.generator.source import block_seed
from headwater.mixture.views import chosen_rows, correlation
from headwater.schema.table import Table

__all__ = ["NetworkViews"]

_ANCHOR_REACH = 2.0


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


def _cut_normal(rows: int, columns: int, random: torch.Generator) -> torch.Tensor:
    """Standard normal within ±2, by the inverse of its distribution function."""
    low = float(torch.special.ndtr(torch.tensor(-_ANCHOR_REACH)))
    latents: torch.Tensor = torch.special.ndtri(low + (1.0 - 2.0 * low) * torch.rand(rows, columns, generator=random))
    return latents
