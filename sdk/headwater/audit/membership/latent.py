"""Attack with the generator's weights: a row that the generator finds likely was a training row."""

from collections.abc import Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from headwater.audit.membership.latent_search import latent_opinions
from headwater.audit.membership.neighbourhood import Neighbourhood
from headwater.audit.membership.opinions import opinions
from headwater.audit.membership.scoring import BINS, MembershipAttack, Scores
from headwater.encoding.encoding import Encoding
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import About
from headwater.evidence.measure import Measure
from headwater.evidence.settings import AuditSettings
from headwater.generator.sampler import NetworkSampler, Sampler
from headwater.schema.finite import finite_rows
from headwater.schema.table import Table

__all__ = ["LatentAttack"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

# Candidate rows that lay the grid: nine tenths of them in coarse bins, the likeliest in ever finer ones.
_GRID_ROWS = 4000
_COARSE = 128


class LatentAttack(MembershipAttack):
    """Scores a row by what the released generator itself says of it.

    A mixture is asked for its log-density; a refined one for its critic's opinion and for both together too; a network
    for the likelihood of the row over many points of its latent space, and at the best of them. The strongest question
    counts, for each subject its own: a choice among two or three that lifts the mean of the null, with 2,000 rows of
    either side from .010 to .013 at most.

    Knowledge: the generator's weights and encoding, all attributes of the row that is asked about, and as many rows
    that were not trained on as fix a threshold of 1 % false positives: the holdout.
    """

    name = "membership.latent"
    about = About(
        title="Membership by the released generator",
        question="Does the generator itself find its training rows likelier than others of the same kind?",
        knowledge="The generator's weights, all attributes of the row, and other rows of the same law to set a "
        "threshold by: the audit holdout.",
        statistic="Share of training rows found where 1 % of the rows that were never used are taken for such, by the "
        "strongest of the questions that this kind of generator answers; about .01 where nothing leaks.",
        misses="What gradients through the weights could add; generators of pictures.",
        source="Hilprecht, Härterich and Bernau 2019; Chen et al. 2020 (arXiv:1909.03935), section 4.4",
    )

    def __init__(self, candidate: Candidate, settings: AuditSettings, sampler: Sampler, encoding: Encoding) -> None:
        """Bind to a candidate and to the generator that is released with it.

        Args:
            candidate: synthetic rows.
            settings: declared groups, how many rows are attacked, and the seed of latent points.
            sampler: the generator, with what its release holds.
            encoding: of the run.

        Raises:
            InputError: a declared group is no column of few categories.
        """
        super().__init__(candidate, settings)
        self._sampler = sampler
        self._encoding = encoding

    @cached_property
    def edges(self) -> Mapping[str, F64]:
        """One opinion for each question; the candidate's own rows lay each grid."""
        table = self.candidate.table
        places = np.unique(np.linspace(0, table.rows - 1, min(_GRID_ROWS, table.rows)).astype(np.int64))
        return {name: _grid(scores) for name, scores in self._asked(table.take(places)).items()}

    def scores(self, near: Neighbourhood, random: np.random.Generator) -> Mapping[str, Scores]:
        """What the generator says of both sides."""
        members, others = self._asked(near.members.table), self._asked(near.others.table)
        return {name: (members[name], others[name]) for name in self.edges}

    def read(self, counts: I64) -> tuple[Measure, ...]:
        """As `MembershipAttack.read`; one measure that does not apply where the generator answers no question."""
        if len(self.edges):
            return super().read(counts)
        reason = f"the released generator ({self._sampler.kind}) gives rows no likelihood; other attacks stand for it"
        return (Measure(check=self.name, status="not applicable", reason=reason),)

    def _asked(self, table: Table) -> Mapping[str, F64]:
        """Scores by question, NaN for rows that the generator cannot read."""
        finite = finite_rows(table)
        rows = table.take(np.flatnonzero(finite))
        if isinstance(self._sampler, NetworkSampler):
            found = latent_opinions(self._sampler.model, self._encoding.encode(rows), self.settings.seed)
        else:
            found = opinions(self._sampler, self._encoding, rows)
        spread = {}
        for name, values in found.items():
            spread[name] = np.full(table.rows, np.nan)
            spread[name][finite] = values
        return spread


def _grid(scores: F64) -> F64:
    """Edges of the bins: quantiles of the candidate's own scores, and two beyond them."""
    known = scores[~np.isnan(scores)]
    if not len(known):
        return np.linspace(0.0, 1.0, BINS - 1)
    fine = 1 - np.geomspace(0.1, 1 / _GRID_ROWS, BINS - 3 - _COARSE)
    edges = np.quantile(known, np.concatenate([np.linspace(0, 0.9, _COARSE, endpoint=False), fine]))
    reach = max(float(known.max() - np.median(known)), 1e-9)
    return np.concatenate([edges, known.max() + np.array([0.0, reach])])
