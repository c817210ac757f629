"""The numbers that audits must reach, and what was measured of them."""

from collections.abc import Callable, Sequence

from audit.rows import name_of
from generator.figures import Measured, mean_of, values_of
from generator.numbers import Number
from harness.verdicts import Target, Verdict

__all__ = ["NUMBERS", "verdicts"]

_COPIER = name_of("mixture", "copier")
_MILLION = "adult-audit-1000000"
_GIB = 2**30


def verdicts(measured: Measured) -> list[Verdict]:
    """Every number beside what was measured of it."""
    return [Verdict(number.target, number.read(measured)) for number in NUMBERS]


def _worst(row: str, figure: str, per: float = 1.0) -> Callable[[Measured], float | None]:
    def read(measured: Measured) -> float | None:
        values = values_of(measured, row, figure)
        return max(values) / per if values else None

    return read


def _mean(row: str, figure: str) -> Callable[[Measured], float | None]:
    return lambda measured: mean_of(measured, row, figure)


NUMBERS: Sequence[Number] = (
    Number(Target("Adult, 26,048 × 15: CPU seconds of a whole audit, worst seed", 120), _worst(_COPIER, "cpu_seconds")),
    Number(Target("the self-test's part of them, worst seed", 25), _worst(_COPIER, "checks.controls")),
    Number(Target("10^6 synthetic rows: CPU seconds", 900), _worst(_MILLION, "cpu_seconds")),
    Number(Target("10^6 synthetic rows: peak memory, GiB", 4), _worst(_MILLION, "peak", _GIB)),
    Number(Target("5 % copier: share of seeds that fail", 0.9, at_least=True), _mean(_COPIER, "failed_it")),
    Number(
        Target("5 % copier: share of seeds in which copying is named", 0.9, at_least=True), _mean(_COPIER, "copying")
    ),
    Number(
        Target("honest sample of the same law, all rows drawn anew: share of seeds that pass", 0.9, at_least=True),
        _mean(name_of("drawn", "fresh"), "passed_it"),
    ),
    Number(
        Target(
            "honest sample of the same law, real rows of neither part: share of seeds that pass", 0.9, at_least=True
        ),
        _mean(name_of("rows", "fresh"), "passed_it"),
    ),
)
"""As the table shows them, one line each."""
