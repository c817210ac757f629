"""The ceilings of a table: what real rows score."""

import pathlib
from typing import Any

import quality
from generator.datasets import DATASETS
from generator.judging import ceilings

__all__ = ["measure"]


def measure(*, file: str, table: str, seed: int) -> dict[str, Any]:
    """Judge the real training rows of a table."""
    del seed
    train, test = quality.split(quality.read(pathlib.Path(file)))
    return {"rows": len(train), "columns": train.shape[1], **ceilings(train, test, DATASETS[table].target)}
