"""Draw rows of a network that satisfy a condition, as rejection would leave them."""

from collections.abc import Iterator

import numpy as np
import torch

from headwater.encoding.allowed import AllowedCodes
from headwater.encoding.encoding import Encoding
from headwater.errors import InputError
from headwater.generator.model import Model, pick_device
from headwater.mixture.conditioning import Proposals, too_few_rows
from headwater.schema.condition import Condition
from headwater.schema.table import Table

__all__ = ["ConditionedNetwork"]

_BATCH = 8192
_PILOT_BATCHES = 2


class ConditionedNetwork:
    """A generator network given a condition on some columns.

    Given its latent, a row's heads are independent, so the chance that the row satisfies the condition is a product of
    one number a head. A latent is kept with just this chance; then the heads' masked softmaxes are drawn from.

    Guarantee: every row satisfies the condition; other columns are distributed as in rows of the network that happen to
    satisfy it.
    """

    def __init__(self, model: Model, encoding: Encoding, condition: Condition, device: str = "auto") -> None:
        """Build the network and its masks; `share` is estimated from 16,384 latents.

        Raises:
            InputError: the encoding is of another generator, or there is no such device.
        """
        if tuple(model.spec.sizes) != encoding.sizes:
            raise InputError("the generator's columns are not the encoding's; they do not belong together")
        place = pick_device(device)
        self._encoding = encoding
        self._generator = model.build_generator(place, average=True).eval()
        self._coded = {column: AllowedCodes(encoding, column, allowed) for column, allowed in condition.columns.items()}
        self._masks = {
            number: torch.from_numpy(
                np.prod(
                    [
                        self._coded[column].codes[head.combinations[:, part]]
                        for part, column in enumerate(head.columns)
                        if column in self._coded
                    ],
                    axis=0,
                ).astype(np.float32)
            ).to(place)
            for number, head in enumerate(self._generator.heads)
            if set(head.columns) & set(self._coded)
        }
        random = torch.Generator().manual_seed(0)
        chances = [self._propose(random)[1].double().mean() for _ in range(_PILOT_BATCHES)]
        self.share = float(torch.stack(chances).mean())

    def tables(self, rows: int, seed: int, most: int, tally: Proposals) -> Iterator[Table]:
        """Yield rows until there are `rows`.

        Args:
            rows: how many.
            seed: of latents, units and values.
            most: latents to draw at most.
            tally: counts latents drawn and kept.

        Raises:
            InputError: `most` latents were drawn and too few kept.
        """
        random, values = torch.Generator().manual_seed(seed), np.random.default_rng([seed, 1])
        done, begun = 0, 0
        while done < rows:
            if begun >= most:
                raise too_few_rows(begun, done, rows)
            parts, chance = self._propose(random)
            # Drawn on the CPU, as all noise, so that every device keeps the same latents.
            kept = torch.rand(len(chance), generator=random).to(chance.device) < chance
            begun, tally.begun = begun + len(chance), tally.begun + len(chance)
            tally.taken += int(kept.sum())
            codes = self._draw([part[kept] for part in parts], random)[: rows - done]
            if len(codes):
                yield self._decode(codes, values)
            done += len(codes)

    @torch.no_grad()
    def _propose(self, random: torch.Generator) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Masked unit probabilities of a batch, head by head, and each latent's chance."""
        logits = self._generator.logits(self._generator.noise(_BATCH, random))
        parts = [part.softmax(dim=1) for part in torch.split(logits, self._generator.units, dim=1)]
        chance = torch.ones(_BATCH, device=logits.device)
        for number, mask in self._masks.items():
            parts[number] = parts[number] * mask
            chance = chance * parts[number].sum(dim=1)
        return parts, chance

    def _draw(self, parts: list[torch.Tensor], random: torch.Generator) -> np.ndarray:
        kept = len(parts[0])
        uniform = torch.rand(kept, len(parts), generator=random).to(parts[0].device)
        drawn = []
        for number, (head, part) in enumerate(zip(self._generator.heads, parts, strict=True)):
            ends = part.cumsum(dim=1)
            wanted = uniform[:, number, None] * ends[:, -1:]
            unit = (ends <= wanted).sum(dim=1)
            if number in self._masks:
                # A draw rounded up to the end would take the last unit, which may be masked.
                last = int(torch.nonzero(self._masks[number])[-1])
                unit = unit.clamp_(max=last)
            drawn.append(unit.clamp_(max=head.units - 1))
        codes = self._generator.drawn_codes(torch.stack(drawn, dim=1))
        return codes.cpu().numpy().astype(np.int32)

    def _decode(self, codes: np.ndarray, values: np.random.Generator) -> Table:
        table = self._encoding.decode(codes, values)
        columns = dict(table.columns)
        for column, coded in self._coded.items():
            if coded.splits:
                columns[self._encoding.schema.names[column]] = coded.decode(codes[:, column], values)
        return Table(table.schema, columns, table.rows)
