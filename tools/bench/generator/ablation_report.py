"""The ablation as tables: each change beside the default and the spread of its seeds."""

import math
from collections.abc import Mapping
from typing import Any

from generator.ablation import BUDGET, LINES, TABLES, Variant, row_name, variants
from generator.datasets import DATASETS
from generator.figures import BETTER, Measured, mean_of, spread_of, values_of
from generator.report import three
from harness.tables import table

__all__ = ["describe_ablation"]

_SHOWN = {
    "gbm": "GBM AUC",
    "lr": "LR AUC",
    "tvd2": "TVD-2",
    "c2st": "C2ST AUC",
    "attack": "attack",
    "nearest": "nearest",
}


def describe_ablation(document: Mapping[str, Any]) -> str:
    """Tables as Markdown.

    Args:
        document: machine, rows.
    """
    measured: Measured = document["rows"]
    parts = [
        f"{document['machine']}. Each line is one change from the default, first seed, five organisations, IID; the "
        "default is the mean of its seeds, in brackets largest less smallest. A figure in bold differs from the "
        "default's mean by more than that. Judged on a fifth of the training rows that nobody trained on: the judge's "
        "test rows had no part in it."
    ]
    parts += [
        _one(measured, kind, name)
        for kind in LINES
        for name in TABLES
        if row_name(name, kind, variants(kind)[0]) in measured
    ]
    return "\n\n".join(parts)


def _one(measured: Measured, kind: str, name: str) -> str:
    default = row_name(name, kind, variants(kind)[0])
    lines = [("**default**", *(_default(measured, default, figure) for figure in _SHOWN), _seconds(measured, default))]
    for variant in LINES[kind]:
        row = row_name(name, kind, variant)
        if row in measured:
            cells = (_cell(measured, row, default, figure) for figure in _SHOWN)
            lines.append((_words(measured, row, variant), *cells, _seconds(measured, row)))
    budget = f" ({', '.join(BUDGET[kind])})" if BUDGET[kind] else ""
    head = (f"{DATASETS[name].title}, {kind}{budget}", *_SHOWN.values(), "CPU s")
    return table(head, lines)


def _words(measured: Measured, row: str, variant: Variant) -> str:
    failed = any("failed" in figures for figures in measured[row])
    return f"{variant.subject}: {variant.words}" + (" (FAILED)" if failed else "")


def _default(measured: Measured, row: str, figure: str) -> str:
    mean, spread = mean_of(measured, row, figure), spread_of(measured, row, figure)
    return three(mean) if spread is None or math.isnan(spread) else f"{three(mean)} ({three(spread)})"


def _cell(measured: Measured, row: str, default: str, figure: str) -> str:
    """The figure, in bold where it is further from the default than the default's seeds from each other."""
    (value, *_), mean = values_of(measured, row, figure), mean_of(measured, default, figure)
    spread = spread_of(measured, default, figure)
    told = three(value)
    if figure not in BETTER or mean is None or spread is None or not abs(value - mean) > spread:
        return told
    return f"**{told}**"


def _seconds(measured: Measured, row: str) -> str:
    value = mean_of(measured, row, "fit_seconds")
    return "–" if value is None or math.isnan(value) else f"{value:,.0f}"
