"""Attack: a row was a training row where synthetic rows lie denser than the law would have it."""

from collections.abc import Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from headwater.audit.membership.distances import DISTANCE_EDGES, closeness
from headwater.audit.membership.neighbourhood import NEIGHBOURS, Neighbourhood, Side
from headwater.audit.membership.scoring import MembershipAttack, Scores
from headwater.errors import InputError
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import About
from headwater.evidence.settings import AuditSettings

__all__ = ["DomiasAttack"]

F64 = NDArray[np.float64]


class DomiasAttack(MembershipAttack):
    """Scores a row by the density of synthetic rows around it over the density of real rows that were not trained on.

    Densities are those of the k nearest neighbours: their mean distance, to the power of a dimension that is the same
    in both and changes no order of scores. Where the k-th distance alone is taken, one copy among five hardly shows:
    copies of all rows give a TPR of .03 where the mean gives .08.

    Knowledge: the synthetic rows, all attributes of the row that is asked about, and a sample of the law as reference:
    the half of the audit holdout that the row is not in. The other half's rows are non-members and set the threshold;
    then the halves change places.
    """

    def __init__(self, candidate: Candidate, settings: AuditSettings, neighbours: int = 1) -> None:
        """Bind to a candidate.

        Args:
            candidate: synthetic rows.
            settings: declared groups, and how many rows are attacked.
            neighbours: k, 1 to 5.

        Raises:
            InputError: k is out of range, or a declared group is no column of few categories.
        """
        super().__init__(candidate, settings)
        if not 1 <= neighbours <= NEIGHBOURS:
            raise InputError(f"DOMIAS was asked for {neighbours} neighbours; take 1 to {NEIGHBOURS}")
        self.neighbours = neighbours
        self.name = f"membership.domias-{neighbours}"
        self.about = About(
            title=f"Membership by density, k = {neighbours} (DOMIAS)",
            question="Do synthetic rows lie denser around training rows than around others of the same kind?",
            knowledge="All attributes of the row, the synthetic rows, and a sample of the same law as reference: half "
            "of the audit holdout. The other half sets the threshold; then the halves change places.",
            statistic="Share of training rows found where 1 % of the rows that were never used are taken for such; .01 "
            "where nothing leaks.",
            misses="What a reference as small as half of the holdout cannot resolve; rows that are moved far.",
            source="van Breugel et al. 2023 (arXiv:2302.12580), equation 2",
        )

    @cached_property
    def edges(self) -> Mapping[str, F64]:
        """One opinion."""
        return {"": DISTANCE_EDGES}

    def scores(self, near: Neighbourhood, random: np.random.Generator) -> Mapping[str, Scores]:
        """Logarithm of the reference's distance over the synthetic rows' distance."""
        return {"": (self._ratio(near.members), self._ratio(near.others))}

    def _ratio(self, side: Side) -> F64:
        unit, k = self.candidate.spacing, self.neighbours
        synthetic, reference = side.synthetic[:, :k].mean(axis=1), side.reference[:, :k].mean(axis=1)
        return closeness(synthetic, unit) - closeness(reference, unit)
