"""The reading of echoes: real rows that the synthetic table comes too near to, of training against of holdout."""

import math
from collections.abc import Mapping

from headwater.evidence.intervals import binomial_at_least, controlled
from headwater.evidence.measure import Measure

__all__ = ["detectable_echoes", "echo_measure", "needed_rows"]

# (z at 95 % + z at 80 %) squared, and the least mean of a Poisson law that is 5 or more with chance .8.
_SQUARE = 6.183
_LEAST = 6.72


def echo_measure(
    check: str,
    subject: str,
    levels: Mapping[str, tuple[int, int]],
    lonely: tuple[int, int],
    rows: int,
    *,
    highest: float,
    scarce: str,
) -> Measure:
    """Echoed training rows beyond echoed holdout rows, as a measure.

    As many training rows as holdout rows are laid in one pool, and what counts as an echo is said of the pool's rows
    without asking which side they are of. A generator that knows no more of one side than of the other then leaves the
    sides of the echoed rows to chance: each is of the training rows with the share that these have of the rows that
    stand alone, and given how many are echoed, how many of them are of the training rows follows the hypergeometric
    law, in whose tails the binomial law has more. The share is not 1/2 where rows were parted by their values, as in a
    federation: equal rows are then on one side, and the smaller part repeats itself more. The same holds of sums over
    organisations, whose tables may differ in size and in how they repeat themselves.

    | what is | becomes |
    | --- | --- |
    | too few rows stand alone, of rows enough | not applicable: an echo could not be told from a repetition |
    | a share `highest` of echoes would be missed, and none shows at 5 % | inconclusive, with the rows a side it needs |
    | else | measured: R of rows that stand alone, and the least p-value of the levels, times their number |

    Args:
        check: its name.
        subject: what it is about.
        levels: echoed training rows and echoed holdout rows by how near an echo is; the last is the widest.
        lonely: rows of either side that can be echoed at all.
        rows: rows of either side in the pool.
        highest: a share of echoed rows that must not be missed.
        scarce: why few rows stand alone, for people.

    Source: of the bound in the tails, Hoeffding 1963, section 6.
    """
    share = lonely[0] / sum(lonely) if sum(lonely) else 0.5
    p_values = {
        level: binomial_at_least(main, main + control, share) if main + control else 1.0
        for level, (main, control) in levels.items()
    }
    level = min(p_values, key=lambda each: p_values[each])
    p_value = min(len(levels) * p_values[level], 1.0)
    main, control = levels[level]
    details = {f"{side} echoed, {each}": float(count) for each, pair in levels.items() for side, count in _sides(pair)}
    details |= {"training rows that stand alone": float(lonely[0]), "holdout rows that stand alone": float(lonely[1])}
    tally = (main, lonely[0], control, lonely[1])
    detectable = detectable_echoes(list(levels.values())[-1][1], lonely[0])
    measure = Measure(
        check=check,
        subject=subject,
        status="inconclusive",
        reason=scarce,
        law="test",
        tally=tally,
        null=0.0,
        p_value=p_value,
        trials=rows,
        detectable=None if math.isinf(detectable) else detectable,
        details=details,
    )
    wide = list(levels.values())[-1][1]
    if detectable > highest and p_value > 0.05:
        needed = needed_rows(wide, min(lonely), rows, highest)
        if rows >= _rows_for_rare(highest) and sum(lonely) < 0.1 * 2 * rows:
            return measure.model_copy(update={"status": "not applicable"})
        reason = (
            f"{rows} training and as many holdout rows could miss that {highest:.0%} of training rows are echoed; "
            f"about {needed} of each are needed"
        )
        return measure.model_copy(update={"reason": reason, "needed": needed})
    value, low, high = controlled(tally)
    found = {"status": "measured", "reason": "", "value": value, "low": low, "high": high}
    return measure.model_copy(update=found)


def detectable_echoes(control: int, lonely: int) -> float:
    """The least share of lonely training rows whose echo is found with power .8 at 5 %, beside so many by chance."""
    if not lonely:
        return math.inf
    beyond = (_SQUARE + math.sqrt(_SQUARE**2 + 8 * _SQUARE * control)) / 2
    return max(beyond, _LEAST) / lonely


def needed_rows(control: int, lonely: int, rows: int, highest: float) -> int:
    """Rows of either side by which such a share is found, if they stand alone and are echoed as often as these."""
    alone = max(lonely, 1) / max(rows, 1)
    by_chance = control / max(rows, 1)
    looked_for = highest * alone
    return math.ceil(max(_SQUARE * (2 * by_chance + looked_for) / looked_for**2, _LEAST / looked_for))


def _rows_for_rare(highest: float) -> float:
    """Rows of either side by which it is no accident that few of them stand alone."""
    return 2 * _LEAST / highest


def _sides(pair: tuple[int, int]) -> tuple[tuple[str, int], tuple[str, int]]:
    return ("training rows", pair[0]), ("holdout rows", pair[1])
