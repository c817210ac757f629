"""The reading of partial echoes: one p-value over all subsets of columns, and what so many rows would have shown."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from headwater.audit.controlled import checked
from headwater.evidence.intervals import controlled
from headwater.evidence.measure import Measure

__all__ = ["PARTS", "partial_measure"]

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

PARTS = (1.0, 0.5, 0.25, 0.125)
"""Shares of the pool that each subset is asked of, by how often their rows stand alone."""

LEANING = 0.6
"""Of echoed rows, the share of training rows that a fit without copies may have."""

HIGHEST = 0.2
"""A share of partly copied training rows that must not be missed."""

_CERTAIN = 0.05
_POWER = 0.8416
_ALONE = 0.1
_NARROW = 2


def partial_measure(check: str, counts: I64, shape: tuple[int, ...], dropped: Sequence[int]) -> Measure:
    """Echoed training rows beyond echoed holdout rows, by the subset and part of the pool that show most.

    Marks are set without asking which side a row is of. Of a generator that knows no more of one side, each echoed row
    is of the training rows with the share that these have of the rows that can be echoed; of one that leans to them,
    with `LEANING` at most where both sides have as many. The p-value is the least binomial one at that rate, times the
    number of subsets, parts and kinds.

    | what is | becomes |
    | --- | --- |
    | rows are too few to find a share `HIGHEST` of partly copied rows, and none shows at 5 % | inconclusive |
    | no number of them would do: hardly a row is alone in what it has, or honest rows agree as well | not applicable |
    | else | measured |

    What would be missed is said of the subsets without at most two columns, of the better half of those by which rows
    stand alone.

    Args:
        check: its name.
        counts: shape (prod(shape) + 1,): echoed and lone rows of training and holdout, then rows of either side.
        shape: (kinds, subsets, parts, 4).
        dropped: columns that each subset leaves out.

    Raises:
        InputError: these are no counts of the check.

    Source: of a sum's tails under a rate that differs from row to row, Hoeffding 1963, section 6.
    """
    size = math.prod(shape) + 1
    pairs = tuple((at + side, at + 2 + side) for at in range(0, size - 1, 4) for side in (0, 1))
    pairs += tuple((at + 2 + side, size - 1) for at in range(0, size - 1, 4) for side in (0, 1))
    whole = np.array(checked(counts, size, check, pairs), np.int64)
    rows = int(whole[-1])
    cells = whole[:-1].reshape(shape)
    main, control, alone = cells[..., 0], cells[..., 1], cells[..., 2:].min(axis=-1)
    tests = main.size
    chances = _chances(main, control, cells[..., 2], cells[..., 3])
    best = np.unravel_index(int(chances.argmin()), chances.shape)
    p_value = min(float(chances[best]) * tests, 1.0)
    tally = tuple(int(cells[best][place]) for place in (0, 2, 1, 3))
    detectable, growth = _power(control, alone, rows, np.asarray(dropped) <= _NARROW, tests)
    details = {
        "training rows echoed": float(tally[0]),
        "holdout rows echoed": float(tally[2]),
        "training rows that stand alone": float(tally[1]),
        "holdout rows that stand alone": float(tally[3]),
        "columns left out": float(dropped[int(best[1])]),
        "share of the pool": PARTS[int(best[2])],
        "tests": float(tests),
    }
    measure = Measure(
        check=check,
        status="inconclusive",
        reason="hardly any real row is alone in what it has in most columns, or honest rows agree in it as well; "
        "no copy of it could be told",
        law="test",
        tally=tally,
        null=0.0,
        p_value=p_value,
        trials=rows,
        detectable=detectable if detectable <= 1 else None,
        details=details,
    )
    if detectable > HIGHEST and p_value > _CERTAIN:
        least = math.ceil(_least(np.zeros(1), tests)[0] / HIGHEST)
        needed = least if math.isinf(growth) else max(math.ceil(growth * rows), rows + 1)
        if rows >= least and math.isinf(growth):
            return measure.model_copy(update={"status": "not applicable"})
        reason = (
            f"{rows} training and as many holdout rows could miss that {HIGHEST:.0%} of training rows are copied in "
            f"part; about {needed} of each are needed"
        )
        return measure.model_copy(update={"reason": reason, "needed": needed})
    # An interval that holds of all tests together.
    value, low, high = controlled(tally, 1 - _CERTAIN / tests)
    return measure.model_copy(update={"status": "measured", "reason": "", "value": value, "low": low, "high": high})


def _chances(main: I64, control: I64, trained: I64, kept: I64) -> F64:
    """Of each pair of counts, the chance of so many echoed training rows at `LEANING`, by how many can be echoed."""
    from scipy.special import betainc

    # Rows that were parted by their values, as in a federation, stand alone more often in the larger part.
    odds = LEANING * trained + (1 - LEANING) * kept
    rate = np.where(odds > 0, LEANING * trained / np.where(odds > 0, odds, 1.0), LEANING)
    # All that stand alone are of the training rows: then so are all that are echoed.
    chance = np.where(rate < 1, betainc(np.maximum(main, 1), control + 1, np.minimum(rate, 1.0)), 1.0)
    return np.asarray(np.where(main > 0, chance, 1.0), np.float64)


def _power(control: I64, alone: I64, rows: int, narrow: NDArray[np.bool_], tests: int) -> tuple[float, float]:
    """The share of partly copied rows that is found with power .8, and how many times the rows find `HIGHEST`."""
    telling = narrow & (alone[:, :, 0] >= _ALONE * max(rows, 1)).any(axis=0)
    if not rows or not telling.any():
        return math.inf, math.inf
    beside, lone = control[:, telling].astype(np.float64), alone[:, telling].astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(lone > 0, _least(beside, tests) / lone, np.inf).min(axis=(0, 2))
        # (1 - l) x - (2 l - 1) c = k sqrt(l (1 - l) (2 c + x)), with x = HIGHEST * lone, and all counts times g.
        beyond = (1 - LEANING) * HIGHEST * lone - (2 * LEANING - 1) * beside
        spread = LEANING * (1 - LEANING) * (2 * beside + HIGHEST * lone)
        growth = np.where(beyond > 0, _sure(tests) ** 2 * spread / beyond**2, np.inf).min(axis=(0, 2))
    return float(np.median(found)), float(np.median(growth))


def _least(control: F64, tests: int) -> F64:
    """Copied rows, beside so many echoed by chance on either side, that are found with power .8: a quadratic's root."""
    short, lean = 1 - LEANING, 2 * LEANING - 1
    square = _sure(tests) ** 2 * LEANING * short
    middle = 2 * short * lean * control + square
    root = np.sqrt(middle**2 - 4 * short**2 * (lean**2 * control**2 - 2 * square * control))
    return np.asarray((middle + root) / (2 * short**2), np.float64)


def _sure(tests: int) -> float:
    from scipy.special import ndtri

    return float(ndtri(1 - _CERTAIN / tests)) + _POWER
