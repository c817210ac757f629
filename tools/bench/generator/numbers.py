"""The numbers that generators must reach, and what was measured of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from generator.datasets import DATASETS
from generator.figures import Measured, mean_of, ratio_of
from harness.verdicts import Target, Verdict

__all__ = ["NUMBERS", "Number", "reach", "verdicts"]

_GB = 1e9


@dataclass(frozen=True)
class Number:
    """A number to reach, and how it is read from the rows.

    Attributes:
        target: its name and bound.
        read: what was measured; None where a row of it was left out.
    """

    target: Target
    read: Callable[[Measured], float | None]


def verdicts(measured: Measured) -> list[Verdict]:
    """Every number beside what was measured of it."""
    return [Verdict(number.target, number.read(measured)) for number in NUMBERS]


_WORDS = {
    "gbm": "GBM AUC",
    "lr": "LR AUC",
    "tvd1": "TVD-1",
    "tvd2": "TVD-2",
    "contingency": "contingency similarity",
    "c2st": "C2ST AUC",
    "attack": "likelihood attack AUC",
    "fit_seconds": "CPU seconds of all parties",
    "accuracy": "TSTR accuracy",
}
_AT_LEAST = {"gbm", "lr", "accuracy", "contingency"}


def reach(where: str, row: str, **bounds: float) -> list[Number]:
    """Numbers that means over seeds of a row's figures must reach.

    Args:
        where: what the row is of.
        row: its name.
        bounds: one for each figure.
    """

    def number(figure: str, bound: float) -> Number:
        target = Target(f"{where}: {_WORDS[figure]}", bound, figure in _AT_LEAST)
        return Number(target, lambda measured: mean_of(measured, row, figure))

    return [number(figure, bound) for figure, bound in bounds.items()]


def _of(where: str, row: str, of: str, other: str, bound: float) -> list[Number]:
    """Both AUCs of a row as a share of another row's."""

    def number(figure: str) -> Number:
        target = Target(f"{where}: {_WORDS[figure]}, of {of}", bound, at_least=True)
        return Number(target, lambda measured: ratio_of(measured, row, figure, other))

    return [number("gbm"), number("lr")]


def _adult() -> list[Number]:
    numbers = reach(
        "Adult, mixture, IID",
        "adult-mixture-iid",
        gbm=0.925,
        lr=0.906,
        tvd1=0.006,
        tvd2=0.021,
        c2st=0.60,
        fit_seconds=15,
        attack=0.56,
    )
    numbers += reach(
        "Adult, hybrid, IID",
        "adult-hybrid-iid",
        gbm=0.926,
        lr=0.907,
        tvd2=0.020,
        c2st=0.57,
        fit_seconds=240,
        attack=0.56,
    )
    numbers += reach("Adult, adversarial, IID", "adult-adversarial-iid", gbm=0.89, tvd2=0.05)
    for how, words in (("label", "label Dirichlet(.5)"), ("natural", "natural")):
        where, row = f"Adult, hybrid, {words}", f"adult-hybrid-{how}"
        numbers += _of(where, row, "the IID row's", "adult-hybrid-iid", 0.995)
        numbers += reach(where, row, tvd2=0.028)
    return numbers


def _others() -> list[Number]:
    numbers: list[Number] = []
    for name in ("credit", "diabetes130"):
        for how, words in (("iid", "IID"), ("natural", "natural")):
            where, row = f"{DATASETS[name].title}, hybrid, {words}", f"{name}-hybrid-{how}"
            numbers += _of(where, row, "real rows'", f"{name}-real", 0.98)
            numbers += reach(where, row, tvd2=0.05, attack=0.56)
            if name == "credit":
                numbers += reach(where, row, c2st=0.75)
    numbers += reach("magic, hybrid, IID", "magic-hybrid-iid", gbm=0.933, tvd2=0.083, c2st=0.60, attack=0.56)
    for kind in ("mixture", "hybrid"):
        where = f"Adult, {kind}, 50 organisations of 520 rows"
        numbers += _of(where, f"adult-{kind}-fifty", "five organisations'", f"adult-{kind}-iid", 0.99)
    return numbers + reach("digits, label-skewed", "digits", accuracy=0.93)


def _costs() -> list[Number]:
    def sampling(kind: str) -> Number:
        target = Target(f"rows sampled a second, {kind}, of CTGAN's", 4.0, at_least=True)
        return Number(target, lambda measured: ratio_of(measured, f"sampling-{kind}", "rows_per_second", "ctgan"))

    def encoder(measured: Measured) -> float | None:
        ours = [mean_of(measured, "encoder", f"{part}_wall_seconds") for part in ("fit", "transform")]
        theirs = [mean_of(measured, "ctgan", f"{part}_wall_seconds") for part in ("fit", "transform")]
        if None in ours or None in theirs:
            return None
        return sum(filter(None, theirs)) / sum(filter(None, ours))

    def memory(measured: Measured) -> float | None:
        peak = mean_of(measured, "diabetes130-memory", "peak_bytes")
        return None if peak is None else peak / _GB

    return [
        *(sampling(kind) for kind in ("mixture", "hybrid", "refined")),
        Number(Target("encoder's fit and transform, times faster than CTGAN's", 50.0, at_least=True), encoder),
        Number(Target("peak memory of a fit on 71,518 × 32, GB", 1.5), memory),
    ]


NUMBERS: Sequence[Number] = (*_adult(), *_others(), *_costs())
"""As the tables show them, one line each."""
