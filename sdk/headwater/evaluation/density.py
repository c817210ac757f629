"""Where synthetic rows lie among real ones, by nearest neighbours: precision, recall, density, coverage."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.evaluation.figures import inconclusive, normal, rate
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import About, AuditRows
from headwater.evidence.measure import Measure
from headwater.evidence.settings import AuditSettings
from headwater.evidence.space import Points, nearest

__all__ = ["Density", "K", "balls_around", "neighbourhoods"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

K = 5
"""Neighbours that make a ball, as in the paper of density and coverage."""

_MOST_ROWS = 4000
_LEAST_ROWS = 50
_BALLS = 256
_FIELDS = 4 + _BALLS
_CHUNK = 1 << 22


@dataclass(frozen=True, slots=True)
class Neighbourhoods:
    """Of as many rows of either side.

    Attributes:
        precise: others that lie in a real row's ball.
        recalled: real rows that lie in another's ball.
        covered: real rows whose ball holds another row.
        balls: int64, shape (rows,): real rows' balls that hold each of the others.
    """

    precise: int
    recalled: int
    covered: int
    balls: I64


class Density:
    """Precision and recall by k-nearest-neighbour balls, density and coverage, of at most 4,000 rows a side.

    Balls are around rows of both sides in one place, so this is measured by one party on its own rows.
    """

    federated: ClassVar[bool] = False

    def __init__(self, candidate: Candidate, settings: AuditSettings) -> None:
        """Bind."""
        self._candidate = candidate

    @property
    def name(self) -> str:
        """Dotted name."""
        return "density"

    @property
    def about(self) -> About:
        """What it is."""
        return About(
            title="Places of rows",
            question="Do synthetic rows lie where real ones lie, and everywhere where they do?",
            knowledge="Reads training and holdout rows and as many synthetic ones, in one place.",
            statistic="Shares of rows within the ball to another row's fifth neighbour: synthetic ones in real balls "
            "(precision), real ones in synthetic balls (recall), real balls with a synthetic row (coverage); density "
            "is the mean number of real balls around a synthetic row, of five. The null value is what as many holdout "
            "rows have.",
            misses="Copies, which look best of all; columns that add little to distances between rows.",
            source="Kynkäänniemi et al. 2019 (arXiv:1904.06991); Naeem et al. 2020 (arXiv:2002.09797).",
        )

    @property
    def size(self) -> int:
        """Rows, three successes and a histogram of balls, for synthetic rows and for holdout rows."""
        return 2 * _FIELDS

    def count(self, rows: AuditRows, random: np.random.Generator) -> I64:
        """What was found of synthetic rows, then of holdout rows; zeros for too few; see `Check`."""
        synthetic = self._candidate.table
        each = min(rows.train.rows, rows.holdout.rows, synthetic.rows, _MOST_ROWS)
        if each <= K:
            return np.zeros(self.size, np.int64)
        space = self._candidate.space
        real = space.points(rows.train.take(random.permutation(rows.train.rows)[:each]))
        radii = balls_around(real)
        counts = []
        for table in (synthetic, rows.holdout):
            others = space.points(table.take(random.permutation(table.rows)[:each]))
            found = neighbourhoods(real, radii, others)
            histogram = np.bincount(np.minimum(found.balls, _BALLS - 1), minlength=_BALLS)
            counts.append(np.concatenate([[each, found.precise, found.recalled, found.covered], histogram]))
        return np.concatenate(counts).astype(np.int64)

    def read(self, counts: I64) -> tuple[Measure, ...]:
        """Four measures; see `Check`."""
        if counts.shape != (self.size,) or (counts < 0).any():
            raise InputError(f"densities are {self.size} counts from 0 on; give what `count` gave for this candidate")
        mine, floor = counts[:_FIELDS], counts[_FIELDS:]
        rows = int(mine[0])
        if rows < _LEAST_ROWS:
            reason = f"{rows} rows of a side; {_LEAST_ROWS} training, holdout and synthetic rows each are needed"
            return tuple(
                inconclusive(f"density.{what}", "", reason, better="higher", trials=rows, needed=_LEAST_ROWS)
                for what in ("precision", "recall", "density", "coverage")
            )
        shares = {
            what: rate(
                f"density.{what}",
                "",
                (int(mine[place]), rows),
                null=(int(floor[place]), int(floor[0])),
                better="higher",
            )
            for place, what in ((1, "precision"), (2, "recall"), (3, "coverage"))
        }
        (value, error), (null, null_error) = _density(mine[4:]), _density(floor[4:])
        density = normal(
            "density.density", "", value, error, null=null, better="higher", trials=rows, null_error=null_error
        )
        return shares["precision"], shares["recall"], density, shares["coverage"]


def balls_around(points: Points, neighbours: int = K) -> F64:
    """Radius to the k-th nearest of the points themselves, float64, shape (points,); more than k points."""
    # A hair wider: a ball holds the row that it was drawn to, and its copies, whatever rounding does to a distance.
    return nearest(points, points, neighbours, same=True)[0][:, -1] * (1 + 1e-5) + 1e-6


def neighbourhoods(real: Points, radii: F64, others: Points) -> Neighbourhoods:
    """What two sets of points are to each other.

    Args:
        real: shape (rows, dimensions).
        radii: of the balls around them, shape (rows,).
        others: shape (others, dimensions), more than five.
    """
    their_squares = np.square(others).sum(axis=1)
    our_squares = np.square(real).sum(axis=1)
    limits, their_limits = (radii**2).astype(np.float32), (balls_around(others) ** 2).astype(np.float32)
    balls = np.zeros(len(others), np.int64)
    covered = recalled = 0
    tall = max(1, _CHUNK // len(others))
    for start in range(0, len(real), tall):
        part = slice(start, start + tall)
        squared = our_squares[part, None] + their_squares - 2 * (real[part] @ others.T)
        inside = squared <= limits[part, None]
        balls += inside.sum(axis=0)
        covered += int(inside.any(axis=1).sum())
        recalled += int((squared <= their_limits).any(axis=1).sum())
    return Neighbourhoods(int((balls > 0).sum()), recalled, covered, balls)


def _density(histogram: I64) -> tuple[float, float]:
    """Mean number of balls over K, with its standard error."""
    rows = int(histogram.sum())
    values = np.arange(_BALLS) / K
    mean = float((histogram * values).sum()) / rows
    spread = float((histogram * (values - mean) ** 2).sum()) / rows
    return mean, float(np.sqrt(spread / rows))
