"""Attack: a classifier that tells synthetic from real rows takes training rows for synthetic ones."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headwater.audit.membership.neighbourhood import Neighbourhood
from headwater.audit.membership.scoring import BINS, MembershipAttack, Scores
from headwater.evidence.check import About
from headwater.schema import BooleanColumn, CategoricalColumn, ImageColumn, Schema
from headwater.schema.table import Table

__all__ = ["ClassifierAttack"]

F64 = NDArray[np.float64]

# Log-odds of trees; past these a row is as surely one or the other as trees can say.
_EDGES: F64 = np.linspace(-10.0, 10.0, BINS - 1)
_LEAST_REFERENCE = 20
# Synthetic rows for each real one: copies are only learned where they are among them.
_SYNTHETIC = 4
_MOST_TRAINED = 20_000
# Categories past this count are taken as an order: trees that split them as sets would take most of the time.
_MOST_CATEGORIES = 64


class ClassifierAttack(MembershipAttack):
    """Scores a row by the log-odds of being synthetic that gradient-boosted trees give it.

    Knowledge: the synthetic rows, all attributes of the row that is asked about, and a sample of the law to train
    against: the half of the audit holdout that the row is not in. The other half's rows are non-members and set the
    threshold; then the halves change places.
    """

    name = "membership.classifier"
    about = About(
        title="Membership by a classifier",
        question="Does a model that tells synthetic from real rows take training rows for synthetic ones?",
        knowledge="All attributes of the row, the synthetic rows, and a sample of the same law to train against: half "
        "of the audit holdout. The other half sets the threshold; then the halves change places.",
        statistic="Share of training rows found where 1 % of the rows that were never used are taken for such; .01 "
        "where nothing leaks.",
        misses="Copies of few rows among many: trees learn regions, not rows.",
        source="Hayes et al. 2019 (arXiv:1705.07663), section 4.2, with trees and a reference; Houssiau et al. 2022 "
        "(arXiv:2211.06550)",
    )

    @cached_property
    def edges(self) -> Mapping[str, F64]:
        """One opinion."""
        return {"": _EDGES}

    def scores(self, near: Neighbourhood, random: np.random.Generator) -> Mapping[str, Scores]:
        """Log-odds by the model that was trained against the other half."""
        sides = (near.members, near.others)
        found = tuple(np.full(side.table.rows, np.nan) for side in sides)
        if min(reference.rows for reference in near.reference) < _LEAST_REFERENCE:
            return {"": (found[0], found[1])}
        for half, reference in enumerate(near.reference):
            model = self._trained(reference, random)
            for side, scores in zip(sides, found, strict=True):
                mine = np.flatnonzero(side.halves == half)
                if len(mine):
                    scores[mine] = model.predict(_features(side.table.take(mine)), raw_score=True, num_threads=1)
        return {"": (found[0], found[1])}

    def _trained(self, reference: Table, random: np.random.Generator) -> Any:
        """Trees that tell the candidate's rows from the reference."""
        import lightgbm

        synthetic = self.candidate.table
        taken = min(synthetic.rows, max(_SYNTHETIC * reference.rows, 2000), _MOST_TRAINED)
        drawn = synthetic.take(np.sort(random.permutation(synthetic.rows)[:taken]))
        real = reference.take(np.sort(random.permutation(reference.rows)[:_MOST_TRAINED]))
        features = np.concatenate([_features(drawn), _features(real)])
        truth = np.repeat([1.0, 0.0], [drawn.rows, real.rows])
        parameters = {
            "objective": "binary",
            "num_leaves": 31,
            "min_data_in_leaf": 5,
            "learning_rate": 0.1,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1,
            "seed": int(random.integers(2**31)),
            "verbose": -1,
        }
        categorical = _categorical(synthetic.schema)
        data = lightgbm.Dataset(features, truth, categorical_feature=categorical, params={"verbose": -1})
        return lightgbm.train(parameters, data, num_boost_round=100)


def _features(table: Table) -> F64:
    """Columns as numbers, shape (rows, columns and pixels); missing is NaN."""
    parts = []
    for column in table.schema.columns:
        values = np.asarray(table.columns[column.name], np.float64)
        if isinstance(column, CategoricalColumn | BooleanColumn):
            values = np.where(values < 0, np.nan, values)
        parts.append(values.reshape(table.rows, -1))
    return np.concatenate(parts, axis=1)


def _categorical(schema: Schema) -> list[int]:
    """Places of the features that are categories without an order."""
    places, found = 0, []
    for column in schema.columns:
        if isinstance(column, CategoricalColumn) and len(column.categories) <= _MOST_CATEGORIES:
            found.append(places)
        places += column.pixels if isinstance(column, ImageColumn) else 1
    return found
