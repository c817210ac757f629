"""Rows that other programs of this folder measure: growth, digits."""

import importlib
import pathlib
from typing import Any

__all__ = ["DIGITS", "GROWTH", "measure_digits", "measure_growth"]

_BENCH = pathlib.Path(__file__).parents[1]
GROWTH, DIGITS = _BENCH / "generator_growth.py", _BENCH / "digits.py"
"""The programs; a row is measured where its program is there."""


def measure_growth(*, rows: int, columns: int, seed: int) -> dict[str, Any]:
    """CPU seconds and memory of each step of a run on a table of so many rows and columns."""
    del seed
    figures: dict[str, Any] = importlib.import_module(GROWTH.stem).measure_growth(rows, columns)
    return figures


def measure_digits(*, seed: int) -> dict[str, Any]:
    """Accuracy of classifiers that saw synthetic digits alone."""
    figures: dict[str, Any] = importlib.import_module(DIGITS.stem).digits_row([seed])
    return figures
