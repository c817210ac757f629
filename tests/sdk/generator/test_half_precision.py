"""Rows drawn with products in bfloat16 have the distribution that float32 gives, within stated bounds."""

import numpy as np
import torch

from headwater.encoding.marginals import Marginal, count
from headwater.generator.fit import initial_model
from headwater.generator.half_precision import halved
from headwater.generator.spec import GeneratorSpec

SIZES = (30, 6, 2)


def test_shares_are_those_of_float32_on_average_and_row_by_row() -> None:
    random = np.random.default_rng(0)
    # A rare code in each column: one in a thousand rows.
    codes = np.stack([np.minimum(random.geometric(0.2, 20_000) - 1, size - 1) for size in SIZES], axis=1)
    codes[::1000] = np.asarray(SIZES) - 1
    codes = codes.astype(np.int32)
    marginals = [
        Marginal((place,), count(codes, SIZES, [(place,)])[0].astype(np.float64)) for place in range(len(SIZES))
    ]
    model = initial_model(GeneratorSpec(SIZES), marginals, seed=1)
    device = torch.device("cpu")
    plain = model.build_generator(device, average=True).eval()
    fast = halved(model.build_generator(device, average=True).eval())
    with torch.no_grad():
        z = plain.noise(4096, torch.Generator().manual_seed(0))
        wide, narrow = plain.unit_probabilities(z), fast.unit_probabilities(z)
    assert narrow.dtype == torch.float32
    assert (narrow - wide).abs().max() > 0
    # A generator at its start has large output weights. The shares of a table move by less than a thousandth, and by
    # less than half a per cent of themselves, rare codes too.
    moved = (narrow.mean(dim=0) - wide.mean(dim=0)).abs()
    assert moved.max() < 1e-3
    assert (moved / wide.mean(dim=0)).max() < 5e-3
    # A row's own shares move by at most two per cent in total, over its three columns.
    assert (narrow - wide).abs().sum(dim=1).max() / 2 < 0.02
