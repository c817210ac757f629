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

_CHUNK = 1024
# Sums of exponentials of less than this are far from float32's ends.
_LARGE = 60.0


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
        InputError: a label is asked of a generator that is not told one, or there is no such label.
    """
    if label is not None and model.spec.condition == "none":
        raise InputError(
            "this generator draws the label with the row; train one with recipe.adversarial.condition=label"
        )
    classes = 0 if model.spec.label is None else model.spec.sizes[model.spec.label]
    if label is not None and not 0 <= label < classes:
        raise InputError(f"there is no label {label}, the generator knows {classes}; ask for one of these")
    place = pick_device(device)
    generator = model.build_generator(place, average=True).eval()
    if has_half_precision(place):
        halved(generator)
    random = torch.Generator().manual_seed(seed)
    done = 0
    while done < rows:
        batch = min(batch_size, rows - done)
        with torch.inference_mode():
            codes = _draw(generator, batch, random, label)
        yield codes.cpu().numpy().astype(np.int32)
        done += batch


def _draw(generator: Generator, batch: int, random: torch.Generator, label: int | None) -> torch.Tensor:
    noise = generator.noise(batch, random, label=label)
    uniform = torch.rand(batch, len(generator.heads), generator=random).to(noise.device)
    forbidden = None if label is None else _forbidden(generator, label)
    # A few rows at a time stay inside a processor's cache; an accelerator wants them all at once.
    size = _CHUNK if noise.device.type == "cpu" else max(batch, 1)
    parts = zip(torch.split(noise, size), torch.split(uniform, size), strict=True)
    return torch.cat([_codes(generator, *part, forbidden) for part in parts])


def _forbidden(generator: Generator, label: int) -> torch.Tensor:
    """Units with another label: the few rows that would miss the one that they are told of are held to it."""
    target = generator.spec.label or 0
    place = next(place for place, head in enumerate(generator.heads) if target in head.columns)
    head = generator.heads[place]
    start = sum(generator.units[:place])
    forbidden = torch.zeros(sum(generator.units), dtype=torch.bool)
    forbidden[start : start + head.units] = torch.from_numpy(head.combinations[:, head.columns.index(target)] != label)
    return forbidden.to(generator.exit.weight.device)


def _codes(
    generator: Generator, noise: torch.Tensor, uniform: torch.Tensor, forbidden: torch.Tensor | None
) -> torch.Tensor:
    logits = generator.logits(noise)
    low, high = logits.aminmax()
    if forbidden is not None:
        logits = logits.masked_fill(forbidden, -torch.inf)
    # Softmaxes keep exponentials in range; where they are, one pass over all heads does without.
    plain = max(-float(low), float(high)) < _LARGE
    weights = logits.exp() if plain else generator.softmax(logits)
    zero = logits.new_zeros(())
    drawn, start = [], 0
    for part, (units, heads) in generator.runs(weights):
        ends = part.reshape(len(part), heads, units).cumsum(dim=2)
        whole = ends[:, :, -1:]
        # Rounding must not put a point at the end itself: the last units may be those that are forbidden.
        points = torch.minimum(uniform[:, start : start + heads, None] * whole, whole.nextafter(zero))
        drawn.append((ends <= points).sum(dim=2))
        start += heads
    return generator.drawn_codes(torch.cat(drawn, dim=1))
