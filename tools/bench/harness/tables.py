"""Tables of figures as Markdown."""

import math
from collections.abc import Sequence

from harness.verdicts import Verdict

__all__ = ["amount", "figure", "mebibytes", "seconds", "table", "values", "verdict_table"]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first column is a name, the others are figures."""
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def seconds(value: float) -> str:
    """CPU seconds, in milliseconds below one."""
    if math.isnan(value):
        return "–"
    return f"{value:.2f} s" if value >= 1 else f"{value * 1e3:.1f} ms"


def mebibytes(value: float) -> str:
    """Bytes as MiB."""
    return "–" if math.isnan(value) else f"{value / 2**20:,.0f} MiB"


def figure(value: float) -> str:
    """A figure with two decimals."""
    return "–" if math.isnan(value) else f"{value:.2f}"


def values(count: int) -> str:
    """A round number as a power of ten, as the tables name vectors."""
    power = round(math.log10(count))
    return f"10^{power}" if 10**power == count else f"{count:,}"


def amount(value: float) -> str:
    """A figure with three digits that say something."""
    if math.isnan(value):
        return "–"
    if value and not 1e-3 <= abs(value) < 1e5:
        return f"{value:.1e}"
    return f"{value:.3g}"


def verdict_table(verdicts: Sequence[Verdict]) -> str:
    """Each target beside what was measured."""
    rows = []
    for verdict in verdicts:
        sign = "≥" if verdict.target.at_least else "≤"
        bound = amount(verdict.target.bound)
        rows.append((verdict.target.name, f"{sign} {bound}", _beside(verdict, bound), verdict.word))
    return table(("number to reach", "target", "measured", "verdict"), rows)


def _beside(verdict: Verdict, bound: str) -> str:
    """What was measured, with as many more digits as tell a number that is missed from the one to reach."""
    if verdict.measured is None:
        return "–"
    written = amount(verdict.measured)
    if verdict.word != "MISSED" or written != bound:
        return written
    longer = (f"{verdict.measured:.{digits}g}" for digits in range(4, 17))
    return next((text for text in longer if float(text) != verdict.target.bound), written)
