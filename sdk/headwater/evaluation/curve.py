"""How much a model gains from more synthetic rows."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from headwater.errors import InputError
from headwater.evaluation.judged import Rows, RowsReader, auc, frame_of, trees

__all__ = ["SIZES", "CurvePoint", "as_details", "enough", "points_in", "usefulness_curve"]

SIZES = (500, 2000, 8000, 32_000, 128_000)
"""Numbers of rows that a curve has points at."""

_NEAR = 0.002
_POINT = re.compile(r"auc at (\d+) rows")


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One point.

    Attributes:
        rows: synthetic rows that were learned from.
        gbm: ROC AUC of LightGBM on the test rows.
    """

    rows: int
    gbm: float


def as_details(points: Sequence[CurvePoint]) -> dict[str, float]:
    """Points as a measure's details have them."""
    return {f"auc at {point.rows} rows": point.gbm for point in points}


def points_in(details: Mapping[str, float]) -> tuple[CurvePoint, ...]:
    """The points that `as_details` wrote, ascending; none among other details."""
    found = ((_POINT.fullmatch(name), value) for name, value in details.items())
    points = (CurvePoint(int(match[1]), value) for match, value in found if match)
    return tuple(sorted(points, key=lambda point: point.rows))


def usefulness_curve(
    reference: Rows, test: Rows, target: str, draw: Callable[[int], Rows], sizes: Sequence[int] = SIZES
) -> tuple[CurvePoint, ...]:
    """Fit the judge's trees on ever more synthetic rows; each number's rows hold those of the smaller ones.

    Args:
        reference: rows that fix how columns are read, not what is learned.
        test: rows that the models are tested on; not drawn by `draw`.
        target: the column to predict; its values are classes.
        draw: so many synthetic rows, called once.
        sizes: numbers of rows, each at least 1.

    Returns:
        One point a size, ascending; .5 where the rows drawn hold one class only.

    Raises:
        InputError: no size, the target is no column, or the test rows hold one class only.
    """
    if not sizes or min(sizes) < 1:
        raise InputError("a curve needs numbers of rows, each at least 1")
    reader = RowsReader(frame_of(reference), target)
    tested_on = reader.align(frame_of(test))
    tested_on = tested_on[tested_on[target].isin(reader.levels[target])]
    if set(tested_on[target]) != set(reader.levels[target]) or len(reader.levels[target]) < 2:
        raise InputError(
            f"the classes of {target!r} in the test rows are not the two or more of the rows that fix them; draw the "
            "curve on a table with enough rows of each class"
        )
    drawn = reader.align(frame_of(draw(max(sizes))))
    points = []
    for rows in sorted(set(sizes)):
        fitted_on = drawn.iloc[:rows]
        fitted_on = fitted_on[fitted_on[target].isin(reader.levels[target])]
        several = fitted_on[target].nunique() > 1
        area = auc(reader, trees(), fitted_on, tested_on, reader.tree_features) if several else 0.5
        points.append(CurvePoint(rows, area))
    return tuple(points)


def enough(points: Sequence[CurvePoint], near: float = _NEAR) -> int:
    """The smallest number of rows whose AUC is within `near` of the best point's.

    Raises:
        InputError: no point.
    """
    if not points:
        raise InputError("the curve has no point; measure at least one")
    best = max(point.gbm for point in points)
    return min(point.rows for point in points if point.gbm >= best - near)
