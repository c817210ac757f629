"""Figures of a benchmark of generators as a full run would leave them, for tests of what is made of them."""

from collections.abc import Mapping
from typing import Any

from generator.rows import GROWN, full_rows

__all__ = ["GOOD", "full"]

GOOD: Mapping[str, Any] = {
    "gbm": 0.95,
    "lr": 0.95,
    "tvd1": 0.001,
    "tvd2": 0.01,
    "c2st": 0.51,
    "attack": 0.51,
    "attack_validation": 0.51,
    "nearest": 0.51,
    "fit_seconds": 10.0,
    "accuracy": 0.95,
    "rows_per_second": 1e6,
    "fit_wall_seconds": 0.01,
    "transform_wall_seconds": 0.01,
    "peak_bytes": 1e9,
    "rows": 71_518,
    "columns": 32,
    "rounds": 4,
    "taken": 3,
    "released": "base",
    "critic_of_base": 0.52,
    "critic_of_best": 0.51,
    "bytes_up": 1e6,
    "step_seconds": 0.01,
    "batch": 256,
    "table_bytes": 1e6,
    **dict.fromkeys(("histograms", "fit", "encode", "decode", "marginals", "expectation", "sample"), 0.5),
}
CTGAN = {**GOOD, "rows_per_second": 5e4, "fit_wall_seconds": 12.0, "transform_wall_seconds": 3.0, "batch": 500}


def full() -> dict[str, list[dict[str, Any]]]:
    """Rows of a full run in which every number is reached."""
    figures = {row.name: [dict(GOOD) for _ in row.seeds] for row in full_rows()}
    figures["adult-one-of-fifty"] = [{"real": dict(GOOD), "own": dict(GOOD)} for _ in range(3)]
    figures |= {f"growth-{rows}x{columns}": [dict(GOOD)] for rows, columns in GROWN}
    return figures | {"ctgan": [dict(CTGAN)], "digits": [dict(GOOD)]}
