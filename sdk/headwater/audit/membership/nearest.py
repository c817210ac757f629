"""Attack: a row that lies near a synthetic one was a training row."""

from collections.abc import Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from headwater.audit.membership.distances import DISTANCE_EDGES, closeness
from headwater.audit.membership.neighbourhood import Neighbourhood
from headwater.audit.membership.scoring import MembershipAttack, Scores
from headwater.evidence.check import About

__all__ = ["NearestAttack"]

F64 = NDArray[np.float64]


class NearestAttack(MembershipAttack):
    """Scores a row by how near its nearest synthetic row lies.

    Knowledge: the synthetic rows, all attributes of the row that is asked about, and as many rows that were not trained
    on as fix a threshold of 1 % false positives: the holdout.
    """

    name = "membership.nearest"
    about = About(
        title="Membership by the nearest synthetic row",
        question="Does a row's distance to the nearest synthetic row tell that it was a training row?",
        knowledge="All attributes of the row, the synthetic rows, and other rows of the same law to set a threshold "
        "by: the audit holdout.",
        statistic="Share of training rows found where 1 % of the rows that were never used are taken for such; .01 "
        "where nothing leaks.",
        misses="Rows that are moved before they are published; regions where real rows lie close together anyway.",
        source="Hilprecht, Härterich and Bernau 2019; Carlini et al. 2022 (arXiv:2112.03570), section III",
    )

    @cached_property
    def edges(self) -> Mapping[str, F64]:
        """One opinion."""
        return {"": DISTANCE_EDGES}

    def scores(self, near: Neighbourhood, random: np.random.Generator) -> Mapping[str, Scores]:
        """Minus the logarithm of the distance, in units of what synthetic rows keep from each other."""
        unit = self.candidate.spacing
        return {"": (closeness(near.members.synthetic[:, 0], unit), closeness(near.others.synthetic[:, 0], unit))}
