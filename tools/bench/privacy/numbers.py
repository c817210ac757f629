"""The numbers that private releases must reach, and what was measured of them."""

import math
from collections.abc import Sequence

from generator.figures import Measured, mean_of, ratio_of, values_of
from generator.numbers import Number, reach
from harness.verdicts import Target, Verdict
from headwater.audit.membership.ceiling import membership_ceiling
from privacy.rows import DELTA, EPSILONS, MEMBERS, ours

__all__ = ["ATTACKED_AT", "NUMBERS", "scaled_error", "verdicts"]

ATTACKED_AT = 0.01
"""False-positive rate at which the attack is read."""


def verdicts(measured: Measured) -> list[Verdict]:
    """Every number beside what was measured of it."""
    return [Verdict(number.target, number.read(measured)) for number in NUMBERS]


def scaled_error(measured: Measured, members: int, mode: str = "joint") -> float | None:
    """Error of a noisy sum without what honest survivors alone add: over √(n / (T − c)); None where left out."""
    row = f"noise-{mode}-{members}"
    error, honest = mean_of(measured, row, "error"), mean_of(measured, row, "honest")
    return None if error is None or honest is None else error / math.sqrt(members / honest)


def _flatness(measured: Measured) -> float | None:
    """By how much the largest scaled error of the shared noise passes the smallest."""
    errors = [error for members in MEMBERS if (error := scaled_error(measured, members)) is not None]
    return max(errors) / min(errors) - 1 if len(errors) > 1 else None


def _attack(epsilon: float) -> Number:
    row = ours("adult", epsilon, ()).name

    def read(measured: Measured) -> float | None:
        values = values_of(measured, row, "attack_tpr")
        return None if not values or any(map(math.isnan, values)) else max(values)

    words = f"Adult, ε = {epsilon:g}: true positives of an attack at 1 % false ones, worst seed (DP's ceiling)"
    return Number(Target(words, membership_ceiling(epsilon, DELTA, ATTACKED_AT)), read)


def _spent(epsilon: float) -> Number:
    row = ours("adult", epsilon, ()).name
    return Number(
        Target(f"Adult, ε = {epsilon:g}: ε by the accountant", epsilon),
        lambda measured: mean_of(measured, row, "spent"),
    )


def _step(words: str, bound: float, other: str) -> Number:
    row = "critic-step"
    return Number(Target(words, bound), lambda measured: ratio_of(measured, row, "private_seconds", row, other))


_REACHED = {
    0.3: {"gbm": 0.87},
    1.0: {"gbm": 0.902, "lr": 0.894, "tvd2": 0.034, "contingency": 0.970},
    3.0: {"gbm": 0.907, "lr": 0.898, "tvd2": 0.030},
    8.0: {"gbm": 0.912, "lr": 0.901},
}


def _adult(epsilon: float) -> list[Number]:
    return [
        *reach(f"Adult, ε = {epsilon:g}", ours("adult", epsilon, ()).name, **_REACHED[epsilon], fit_seconds=60),
        _spent(epsilon),
        _attack(epsilon),
    ]


NUMBERS: Sequence[Number] = (
    *(number for epsilon in EPSILONS for number in _adult(epsilon)),
    Number(
        Target("error over √(n / (T − c)), from 3 to 50 organisations: largest over smallest, less 1", 0.05), _flatness
    ),
    _step("a private critic step, times one without noise", 1.5, "plain_seconds"),
    _step("a private critic step, times Opacus's ghost clipping", 0.8, "opacus_seconds"),
)
"""As the tables show them, one line each."""
