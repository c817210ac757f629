"""How likely a row is under a network: over many points of its latent space, and at the best of them."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from headwater.generator.model import Model
from headwater.generator.network import Generator
from headwater.generator.spec import Head

__all__ = ["POINTS", "latent_opinions"]

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]

POINTS = 2048
"""Points of the latent space that are tried for every row."""

# A code that a softmax rules out, or a combination that it does not know: as unlikely as float32 can say, about e^-30.
_LEAST = 1e-13
_ROWS = 512


def latent_opinions(model: Model, codes: I32, seed: int, points: int = POINTS) -> Mapping[str, F64]:
    """Log-likelihood of rows under a network, its noise z tried at many points.

    Given z, a network's heads are independent: log p(row | z) is a sum over heads. "density" is the logarithm of its
    mean over z, "inversion" its largest.

    Args:
        model: whose released average is asked.
        codes: int32, shape (rows, columns): rows as codes of the run's encoding.
        seed: of the points; the same for all who ask.
        points: how many.

    Returns:
        Scores of shape (rows,), in nats.

    Source: Hilprecht, Härterich and Bernau 2019, section 4, for the sum over draws; Chen et al. 2020
    (arXiv:1909.03935), section 4.4, for the best latent point.
    """
    generator = model.build_generator(torch.device("cpu"), average=True).eval()
    known = _log_probabilities(generator, seed, points)
    units = _units(generator.heads, codes)
    density, inversion = np.empty(len(codes)), np.empty(len(codes))
    for start in range(0, len(codes), _ROWS):
        part = units[start : start + _ROWS]
        total = known[part[:, 0]]
        for head in range(1, part.shape[1]):
            total += known[part[:, head]]
        best = total.max(axis=1)
        inversion[start : start + len(part)] = best
        spread = np.exp(total - best[:, None]).mean(axis=1, dtype=np.float64)
        density[start : start + len(part)] = best + np.log(spread)
    return {"density": density, "inversion": inversion}


def _log_probabilities(generator: Generator, seed: int, points: int) -> F32:
    """Shape (units + 1, points); the last is what no unit stands for."""
    random = torch.Generator().manual_seed(seed)
    with torch.inference_mode():
        found = generator.unit_probabilities(generator.noise(points, random)).clamp_min(_LEAST).log()
    unknown = np.full((1, points), np.log(_LEAST), np.float32)
    return np.concatenate([found.numpy().T.astype(np.float32), unknown])


def _units(heads: tuple[Head, ...], codes: I32) -> I64:
    """Which unit of each head a row is, among all heads' units side by side; -1 where it is none."""
    units = np.full((len(codes), len(heads)), -1, np.int64)
    start = 0
    for place, head in enumerate(heads):
        mine = codes[:, list(head.columns)].astype(np.int64)
        wide = np.maximum(head.combinations.max(axis=0, initial=0), mine.max(axis=0, initial=0)).astype(np.int64) + 1
        # One number for a combination: the columns' codes as digits.
        weights = np.concatenate([np.cumprod(wide[::-1])[-2::-1], [1]])
        listed, asked = head.combinations.astype(np.int64) @ weights, mine @ weights
        order = np.argsort(listed)
        found = order[np.searchsorted(listed[order], asked).clip(max=len(listed) - 1)]
        units[:, place] = np.where(listed[found] == asked, start + found, -1)
        start += head.units
    return units
