"""A small table that stands in for MAGIC in tests of benchmarks."""

import pathlib

import numpy as np

__all__ = ["MAGIC", "write_magic"]

MAGIC = "magic.csv"


def write_magic(folder: pathlib.Path, rows: int = 400, seed: int = 0) -> pathlib.Path:
    """A small stand-in for the table: a label that two of three numbers tell of."""
    random = np.random.default_rng(seed)
    label = random.random(rows) < 0.6
    values = random.normal(size=(rows, 3)) + np.outer(label, [1.0, -1.0, 0.0])
    lines = [
        ",".join([*(f"{value:.4f}" for value in line), "gh"[int(held)]])
        for line, held in zip(values, label, strict=True)
    ]
    file = folder / MAGIC
    file.write_text("\n".join(["a,b,c,class", *lines]) + "\n", encoding="utf-8")
    return file
