"""Generators whose faults are known, over a table whose law is known: what audits are tested by.

The law: sixteen modes of unequal weight place five correlated numbers, work and region follow them loosely, two kinds
of work are rare, an illness depends on the mode by half, one row in a hundred is an outlier, one origin in ten is a
minority, and approval follows the numbers closely.

Figures of release.md's table that the tables of 2,000 rows were made to come near, as they were found here (means of
three seeds; one seed varies by about .01, inference by .03):

| | safe | copier 100 % | 20 % | 5 % | shifted |
| --- | --- | --- | --- | --- | --- |
| DOMIAS (k 1) or nearest, TPR at 1 % FPR | .013 | .632 | .189 | .063 | .037 |
| linkability, two halves of every second column, beyond the holdout's | .001 | .621 | .183 | .055 | .016 |
| inference of `illness` by the nearest row, beyond the holdout's | .02 | .628 | .170 | .043 | .45 |

Coverage (k 5): ideal .967, modes dropped .895, collapsed .145. AUC of a model of `approved`: .966, .963, .857.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from headwater.evidence.settings import AuditSettings
from headwater.evidence.space import Space, nearest
from headwater.schema import BooleanColumn, CategoricalColumn, NumericColumn, Schema
from headwater.schema.table import Table

__all__ = [
    "GENERATORS",
    "MINORITY",
    "ROWS",
    "SCHEMA",
    "SETTINGS",
    "Generator",
    "biased",
    "collapsed",
    "fixture",
    "law",
    "memoriser",
    "modes_dropped",
    "outliers_copied",
    "partial_copier",
    "safe",
    "shifted",
]

Generator = Callable[[Table, np.random.Generator], Table]
"""From training rows and chance to as many synthetic rows."""

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

ROWS = 2000
MINORITY = "north"

_NUMBERS = ("age", "income", "score", "hours", "debt")
_WORK = ("office", "shop", "farm", "school", "clinic", "plant", "road", "sea", "lighthouse", "circus")
_WORK_WEIGHTS = (0.25, 0.2, 0.15, 0.12, 0.1, 0.09, 0.06, 0.026, 0.002, 0.002)
_ILLNESSES = ("none", "heart", "lung", "skin", "back", "eye")
_ORIGINS = ("south", "east", MINORITY)
_ORIGIN_WEIGHTS = (0.6, 0.3, 0.1)
_REGIONS = ("hill", "coast", "plain", "town")
_MODES = 16
_OUTLYING = 0.01

SCHEMA = Schema(
    name="reference",
    columns=(
        NumericColumn(name="age", lower=0, upper=120, decimals=2),
        NumericColumn(name="income", lower=0, upper=1_000_000, decimals=2),
        NumericColumn(name="score", lower=-30, upper=30, decimals=4),
        NumericColumn(name="hours", lower=0, upper=100, decimals=2),
        NumericColumn(name="debt", lower=-30, upper=30, decimals=4, missing=True),
        CategoricalColumn(name="work", categories=_WORK),
        CategoricalColumn(name="region", categories=_REGIONS),
        CategoricalColumn(name="illness", categories=_ILLNESSES, sensitive=True),
        CategoricalColumn(name="origin", categories=_ORIGINS, sensitive=True),
        BooleanColumn(name="approved", role="target"),
    ),
)
"""Ten columns: five numbers, four categorical ones, a label."""

SETTINGS = AuditSettings(groups=("origin",), secrets=("illness",), tasks=("approved",))
"""What an audit of these tables is told."""


def _constants() -> tuple[F64, F64, F64, F64]:
    """Weights, centres (modes, 5), loadings (modes, 5, 5) and illness by mode (modes, 6): the law's own, always."""
    random = np.random.default_rng(20_240_601)
    weights = 0.93 ** np.arange(_MODES)
    centres = random.normal(size=(_MODES, len(_NUMBERS))) * 2.2
    loadings = random.normal(size=(_MODES, len(_NUMBERS), len(_NUMBERS))) * 0.22 + np.eye(len(_NUMBERS)) * 0.5
    illness = random.dirichlet(np.full(len(_ILLNESSES), 0.6), size=_MODES)
    return weights / weights.sum(), centres, loadings, 0.5 * illness + 0.5 / len(_ILLNESSES)


_WEIGHTS, _CENTRES, _LOADINGS, _ILLNESS = _constants()


def law(rows: int, random: np.random.Generator, weights: F64 = _WEIGHTS) -> Table:
    """Rows of the law, independent of each other.

    Args:
        rows: how many.
        random: where chance comes from.
        weights: of the modes, summing to 1; the law's own unless told otherwise.
    """
    mode = random.choice(_MODES, size=rows, p=weights)
    noise = random.normal(size=(rows, len(_NUMBERS)))
    outlying = random.random(rows) < _OUTLYING
    noise[outlying] *= 4
    hidden = _CENTRES[mode] + np.einsum("rij,rj->ri", _LOADINGS[mode], noise)
    # Approval: a threshold of two numbers and the mode's parity, known but for a little noise.
    tendency = 1.2 * hidden[:, 0] + 0.7 * hidden[:, 2] + 0.5 * (mode % 2) + 0.8 * random.normal(size=rows) - 0.3
    work = random.choice(len(_WORK), size=rows, p=np.array(_WORK_WEIGHTS))
    debt = np.where(random.random(rows) < 0.05, np.nan, hidden[:, 4])
    columns: dict[str, NDArray[np.generic]] = {
        "age": np.round(np.clip(50 + 9 * hidden[:, 0], 0, 120), 2),
        "income": np.round(np.clip(30_000 * np.exp(0.25 * hidden[:, 1]), 0, 1_000_000), 2),
        "score": np.round(np.clip(hidden[:, 2], -30, 30), 4),
        "hours": np.round(np.clip(40 + 6 * hidden[:, 3], 0, 100), 2),
        "debt": np.round(np.clip(debt, -30, 30), 4),
        "work": np.where(random.random(rows) < 0.6, mode // 2, work).astype(np.int32),
        "region": ((mode + random.choice(3, size=rows, p=[0.85, 0.1, 0.05])) % len(_REGIONS)).astype(np.int32),
        "illness": _chosen(_ILLNESS[mode], random),
        "origin": random.choice(len(_ORIGINS), size=rows, p=np.array(_ORIGIN_WEIGHTS)).astype(np.int32),
        "approved": (tendency > 0).astype(np.int32),
    }
    return Table(SCHEMA, columns, rows)


def fixture(seed: int, train: int = ROWS, holdout: int = ROWS) -> tuple[Table, Table, np.random.Generator]:
    """Training rows, holdout rows, and the chance that a generator then draws by."""
    random = np.random.default_rng(seed)
    return law(train, random), law(holdout, random), random


def safe(train: Table, random: np.random.Generator) -> Table:
    """A fresh sample of the law: it never saw a training row."""
    return law(train.rows, random)


def memoriser(share: float) -> Generator:
    """Each row is with this probability a copy of a training row, drawn with replacement; else of the law."""

    def generate(train: Table, random: np.random.Generator) -> Table:
        copied = random.random(train.rows) < share
        sources = train.take(random.integers(0, train.rows, size=train.rows))
        return _mixed(sources, law(train.rows, random), copied)

    return generate


def outliers_copied(count: int = 10) -> Generator:
    """Of the law, but for one copy each of so many training rows that lie furthest from their fifth neighbour."""

    def generate(train: Table, random: np.random.Generator) -> Table:
        points = Space.of(train).points(train)
        far = nearest(points, points, 5, same=True)[0][:, -1]
        worst = np.argsort(-far, kind="stable")[:count]
        return Table.concat([train.take(worst), law(train.rows - count, random)])

    return generate


def partial_copier(share: float, redrawn: tuple[str, ...] = ("income", "illness")) -> Generator:
    """Each row is with this probability a training row, in some columns of which it has what another row has."""

    def generate(train: Table, random: np.random.Generator) -> Table:
        fresh = law(train.rows, random)
        sources = train.take(random.permutation(train.rows))
        columns = {**sources.columns, **{name: fresh.columns[name] for name in redrawn}}
        return _mixed(Table(SCHEMA, columns, train.rows), law(train.rows, random), random.random(train.rows) < share)

    return generate


def shifted(train: Table, random: np.random.Generator) -> Table:
    """Training rows, every number moved by half of its standard deviation, up or down by the column."""
    columns = dict(train.columns)
    numbers = [column for column in SCHEMA.columns if isinstance(column, NumericColumn)]
    for place, column in enumerate(numbers):
        values: F64 = train.columns[column.name]
        moved = values + (-1) ** place * 0.5 * np.nanstd(values)
        columns[column.name] = np.round(np.clip(moved, column.lower, column.upper), column.decimals or 0)
    order = random.permutation(train.rows)
    return Table(SCHEMA, columns, train.rows).take(order)


def biased(train: Table, random: np.random.Generator) -> Table:
    """Of the law, with a third of the minority's rows left, and two thirds of its approvals refused."""
    drawn = law(2 * train.rows, random)
    of_it = drawn.columns["origin"] == _ORIGINS.index(MINORITY)
    kept = drawn.take(np.flatnonzero(~of_it | (random.random(drawn.rows) < 1 / 3))[: train.rows])
    of_it = kept.columns["origin"] == _ORIGINS.index(MINORITY)
    refused = of_it & (random.random(kept.rows) < 2 / 3)
    approved = np.where(refused, 0, kept.columns["approved"]).astype(np.int32)
    return Table(SCHEMA, {**kept.columns, "approved": approved}, kept.rows)


def collapsed(train: Table, random: np.random.Generator, points: int = 60) -> Table:
    """Sixty rows of the law, over and over."""
    return law(points, random).take(random.integers(0, points, size=train.rows))


def modes_dropped(share: float = 0.12) -> Generator:
    """Of the law without its last modes, which hold about this share of its rows."""
    behind = np.cumsum(_WEIGHTS[::-1])[::-1]
    weights = np.where(behind <= share * 1.05, 0.0, _WEIGHTS)

    def generate(train: Table, random: np.random.Generator) -> Table:
        return law(train.rows, random, weights / weights.sum())

    return generate


def _chosen(weights: F64, random: np.random.Generator) -> NDArray[np.int32]:
    """One category a row by the row's weights, shape (rows, categories)."""
    below = np.cumsum(weights, axis=1)
    chosen = (random.random(len(weights))[:, None] > below[:, :-1]).sum(axis=1)
    return np.asarray(chosen, np.int32)


def _mixed(left: Table, right: Table, from_left: NDArray[np.bool_]) -> Table:
    """Row by row of one table or the other."""
    columns = {name: np.where(from_left, left.columns[name], right.columns[name]) for name in SCHEMA.names}
    return Table(SCHEMA, columns, left.rows)


GENERATORS: Mapping[str, Generator] = {
    "safe": safe,
    "memoriser": memoriser(1.0),
    "memoriser-20": memoriser(0.2),
    "memoriser-5": memoriser(0.05),
    "partial-10": partial_copier(0.1),
    "outliers": outliers_copied(10),
    "shifted": shifted,
    "biased": biased,
    "collapsed": collapsed,
    "modes": modes_dropped(0.12),
}
"""By short name."""
