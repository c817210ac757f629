"""Codes with dependencies, their marginals, and small shapes of generators."""

from types import SimpleNamespace

import numpy as np

from headwater.encoding.marginals import Marginal, choose_subsets, count
from headwater.generator.spec import GeneratorSpec

SIZES = (3, 4, 2)
TERMS = SimpleNamespace(
    steps=400, batch=256, learning_rate=2e-3, warm_up=10, final_rate=0.02, gradient_clip=1.0, ema=0.98
)


def dependent_codes(rows: int = 3000) -> np.ndarray:
    """Column 1 follows column 0, column 2 says whether both are large: nothing a product of columns could make."""
    random = np.random.default_rng(5)
    first = random.choice(3, rows, p=[0.6, 0.3, 0.1])
    second = np.where(random.random(rows) < 0.9, first, 3)
    third = ((first + second >= 2) ^ (random.random(rows) < 0.05)).astype(int)
    return np.stack([first, second, third], axis=1).astype(np.int32)


def marginals_of(codes: np.ndarray, *extra: tuple[int, ...]) -> list[Marginal]:
    subsets = [*extra, *choose_subsets(SIZES, 2, 10_000)]
    return [Marginal(s, t.astype(float)) for s, t in zip(subsets, count(codes, SIZES, subsets), strict=True)]


def small(**changes: object) -> GeneratorSpec:
    shape: dict[str, object] = {"label": 2, "latent": 8, "width": 32, "blocks": 1, "critic_width": 16}
    return GeneratorSpec(SIZES, **(shape | changes))  # type: ignore[arg-type]
