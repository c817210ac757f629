"""Draw rows of codes from a generator, in batches."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.generator.half_precision import halved, has_half_precision
from headwater.generator.model import Model, pick_device
from headwater.generator.network import Generator

__all__ = ["sample_codes"]


def sample_codes(
    model: Model, rows: int, seed: int, batch_size: int = 8192, device: str = "auto", label: int | None = None
) -> Iterator[NDArray[np.int32]]:
    """Yield batches of drawn rows until there are `rows`.

    Codes are drawn from the softmaxes, never the most likely: a most likely row is nobody's and its table has no
    spread.

    Args:
        model: whose average weights are sampled.
        rows: how many in all.
        seed: equal seeds and batch sizes give equal rows on one machine's CPU.
        batch_size: rows a batch; memory is about batch × units × 12 bytes.
        device: "auto", "cpu" or "cuda".
        label: code of the label that every row shall have; None draws it with the row.

    Yields:
        int32, shape (at most batch_size, columns), codes in 0..size − 1 of each column.

    Raises:
        InputError: a label is asked of a generator that is not told one.
    """
    if label is not None and model.spec.condition == "none":
        raise InputError(
            "this generator draws the label with the row; train one with recipe.adversarial.condition=label"
        )
    place = pick_device(device)
    generator = model.build_generator(place, average=True).eval()
    if has_half_precision(place):
        halved(generator)
    combinations = [torch.from_numpy(head.combinations.astype(np.int64)).to(place) for head in generator.heads]
    random = torch.Generator().manual_seed(seed)
    done = 0
    while done < rows:
        batch = min(batch_size, rows - done)
        with torch.no_grad():
            codes = _draw(generator, combinations, batch, random, label)
        yield codes.cpu().numpy().astype(np.int32)
        done += batch


def _draw(
    generator: Generator,
    combinations: list[torch.Tensor],
    batch: int,
    random: torch.Generator,
    label: int | None,
) -> torch.Tensor:
    parts = list(torch.split(generator.logits(generator.noise(batch, random, label=label)), generator.units, dim=1))
    if label is not None:
        # The condition makes the rest of the row follow; the few rows that would miss the label itself are held to it.
        target = generator.spec.label or 0
        place = next(place for place, head in enumerate(generator.heads) if target in head.columns)
        made = combinations[place][:, generator.heads[place].columns.index(target)]
        parts[place] = parts[place].masked_fill(made != label, -torch.inf)
    uniform = torch.rand(batch, len(parts), generator=random).to(parts[0].device)
    codes = torch.empty(batch, len(generator.spec.sizes), dtype=torch.int64, device=parts[0].device)
    for number, (head, part) in enumerate(zip(generator.heads, parts, strict=True)):
        cumulative = part.softmax(dim=1).cumsum(dim=1)
        # The sum of a softmax may end a rounding below 1; the last unit takes what is left.
        unit = (cumulative < uniform[:, number, None]).sum(dim=1).clamp_(max=head.units - 1)
        codes[:, list(head.columns)] = combinations[number][unit]
    return codes
