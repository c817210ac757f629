"""The numbers that the catalogue must reach, and what was measured of them."""

import statistics
from collections.abc import Callable, Sequence

from catalogue.shards import memory_growth
from generator.figures import Measured, values_of
from generator.numbers import Number
from harness.verdicts import Target, Verdict

__all__ = ["NUMBERS", "cell", "median_of", "ratio_of_medians", "there", "verdicts"]


def verdicts(measured: Measured) -> list[Verdict]:
    """Every number beside what was measured of it."""
    return [Verdict(number.target, number.read(measured)) for number in NUMBERS]


def median_of(measured: Measured, row: str, figure: str) -> float | None:
    """Over takes; None where the row was left out."""
    values = values_of(measured, row, figure)
    return statistics.median(values) if values else None


def there(measured: Measured, row: str) -> bool:
    """Tell whether any take of a row came to something."""
    return any("failed" not in take for take in measured.get(row, ()))


def cell(measured: Measured, row: str, figure: str, scale: float = 1.0, digits: int = 0) -> str:
    """The median of takes, and their span in brackets; "–" where the row was left out."""
    values = [value * scale for value in values_of(measured, row, figure)]
    middle = median_of(measured, row, figure)
    if middle is None:
        return "–"
    return f"{middle * scale:,.{digits}f} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"


def ratio_of_medians(measured: Measured, row: str, above: str, below: str) -> float | None:
    """Of two figures of one row; None where it was left out."""
    top, bottom = median_of(measured, row, above), median_of(measured, row, below)
    return None if top is None or bottom is None else top / bottom


def _rate(row: str) -> Callable[[Measured], float | None]:
    return lambda measured: median_of(measured, row, "rate")


def _throughput(measured: Measured) -> float | None:
    """Beside the faster of nginx's two."""
    found = [ratio_of_medians(measured, "file", f"{peer}_seconds", "ours_seconds") for peer in ("nginx", "tuned")]
    ratios = [ratio for ratio in found if ratio is not None]
    return min(ratios) if ratios else None


def _sampling(row: str, words: str) -> Number:
    target = Target(f"rows to Parquet, {words}: rows a CPU second, of CTGAN's `sample`", 4.0, at_least=True)
    return Number(target, lambda measured: ratio_of_medians(measured, row, "cpu_rate", "peer_cpu_rate"))


NUMBERS: Sequence[Number] = (
    _sampling("sampling-mixture", "mixture"),
    _sampling("sampling-hybrid", "refined hybrid"),
    Number(Target("very many rows: memory at ten times the rows, worst engine", 1.25), memory_growth),
    Number(Target("list of datasets: requests per second", 200, at_least=True), _rate("page-index")),
    Number(Target("page of a dataset: requests per second", 200, at_least=True), _rate("page-dataset")),
    Number(Target("file of 1 GiB: throughput beside nginx's", 0.7, at_least=True), _throughput),
    Number(
        Target("SDK's verified download: seconds beside curl's", 1.3),
        lambda measured: ratio_of_medians(measured, "sdk", "ours_seconds", "curl_seconds"),
    ),
)
"""As the table shows them, one line each."""
