"""Rare echoes: what one real row alone holds, a value or combinations of values, and the synthetic table repeats."""

import itertools

import numpy as np
from numpy.typing import NDArray

from headwater.audit.cells import cells, edges_of
from headwater.audit.controlled import checked
from headwater.audit.echoes import echo_measure
from headwater.audit.reach import pooled
from headwater.audit.row_hashes import code_hashes, value_hashes
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import About, AuditRows
from headwater.evidence.measure import Measure
from headwater.evidence.settings import AuditSettings
from headwater.schema.table import Table

__all__ = ["RareEchoes"]

I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]
Mask = NDArray[np.bool_]

_SURPRISING = 0.3
_PAIRS = 150
_TRIPLES = 150
_COMBINATIONS = 8
_SCARCE = "hardly any real row alone holds what would surprise in the synthetic table; nothing rare can be echoed"


class RareEchoes:
    """The attacker looks for what only one person has: a rare value, a rare combination.

    Two measures, each of real rows in a pool of as many training as holdout rows:

    | subject | a row can be echoed where | it is echoed where |
    | --- | --- | --- |
    | values | it alone holds a value of some column | the synthetic table has one of these values |
    | combinations | it alone holds 8 or more combinations of 2 or 3 columns | the synthetic table has all of these |

    Numbers are compared exactly for values, and by sixteenths of the candidate's for combinations. Columns whose lone
    values come back in more than 30 % of cases on both sides say nothing and are left out. Of pairs and of triples of
    columns at most 150 each are looked at, by the settings' seed.

    Cost: sorting the pool, and finding the synthetic rows in it, once for each of up to 300 sets of columns.

    Source: the idea of telling memory by rare secrets, Carlini et al. 2019 (arXiv:1802.08232), section 4.
    """

    name = "copies.rare"
    federated = True
    size = 9
    about = About(
        title="Echoes of what is rare",
        question="Does the synthetic table repeat values or combinations that only one training row holds?",
        knowledge="The real rows; nobody attacks here, echoes are counted.",
        statistic="R = (t - c) / (1 - c): t is the share of training rows with something rare of which the synthetic "
        "table repeats it, c that of holdout rows; 0 where training rows are echoed no more than others.",
        misses="What two or more rows hold; combinations of four columns and more.",
        source="After Carlini et al. 2019, The Secret Sharer, with holdout rows for canaries",
    )

    def __init__(self, candidate: Candidate, settings: AuditSettings) -> None:
        """Bind to a candidate and public settings."""
        self._candidate = candidate
        self._settings = settings

    def count(self, rows: AuditRows, random: np.random.Generator) -> I64:
        """By subject, echoed rows and rows that can be, of training and holdout; then rows of a side: shape (9,)."""
        pool, trained = pooled(rows, self._settings.targets, random)
        marks = [*self._values(pool, trained), *self._combinations(pool)]
        counts = [int((mark & side).sum()) for mark in marks for side in (trained, ~trained)]
        return np.array([*counts, int(trained.sum())], np.int64)

    def read(self, counts: I64) -> tuple[Measure, ...]:
        """Two measures: of values, of combinations.

        Raises:
            InputError: these are no counts of this check.
        """
        pairs = ((0, 2), (1, 3), (2, 8), (3, 8), (4, 6), (5, 7), (6, 8), (7, 8))
        whole = checked(counts, self.size, self.name, pairs)
        return tuple(
            echo_measure(
                self.name,
                subject,
                {"": (whole[at], whole[at + 1])},
                (whole[at + 2], whole[at + 3]),
                whole[8],
                highest=0.2,
                scarce=_SCARCE,
            )
            for subject, at in (("values", 0), ("combinations", 4))
        )

    def _values(self, pool: Table, trained: Mask) -> tuple[Mask, Mask]:
        real, synthetic = value_hashes(pool), value_hashes(self._candidate.table)
        echoed, rare = np.zeros(pool.rows, np.bool_), np.zeros(pool.rows, np.bool_)
        for mine, theirs in zip(real.T, synthetic.T, strict=True):
            alone, met = _lone(mine, theirs)
            # The lesser of both sides' rates: a rule that asks the sides the same keeps chance even between them.
            rates = [(met & side).sum() / max(int((alone & side).sum()), 1) for side in (trained, ~trained)]
            if min(rates) <= _SURPRISING:
                echoed |= met
                rare |= alone
        return echoed, rare

    def _combinations(self, pool: Table) -> tuple[Mask, Mask]:
        edges = edges_of(self._candidate.table)
        real, synthetic = code_hashes(cells(pool, edges)), code_hashes(cells(self._candidate.table, edges))
        held, met = np.zeros(pool.rows, np.int64), np.zeros(pool.rows, np.int64)
        for chosen in _sets(real.shape[1], self._settings.seed):
            alone, echoed = _lone(
                real[:, chosen].sum(axis=1, dtype=np.uint64), synthetic[:, chosen].sum(axis=1, dtype=np.uint64)
            )
            held += alone
            met += echoed
        rare = held >= _COMBINATIONS
        return rare & (met == held), rare


def _lone(real: U64, synthetic: U64) -> tuple[Mask, Mask]:
    """Which real rows hold their value alone, and which of these values the synthetic rows have."""
    values, first, times = np.unique(real, return_index=True, return_counts=True)
    alone, met = np.zeros(len(real), np.bool_), np.zeros(len(real), np.bool_)
    lone, where = values[times == 1], first[times == 1]
    alone[where] = True
    if len(lone):
        at = np.minimum(np.searchsorted(lone, synthetic), len(lone) - 1)
        met[where[np.unique(at[lone[at] == synthetic])]] = True
    return alone, met


def _sets(columns: int, seed: int) -> list[list[int]]:
    """Pairs and triples of columns that are looked at, the same everywhere."""
    random = np.random.default_rng(seed)
    sets: list[list[int]] = []
    for size, most in ((2, _PAIRS), (3, _TRIPLES)):
        # Of very many columns, sets are drawn among the first hundred of a shuffle: all triples would not fit memory.
        among = sorted(random.permutation(columns)[:100].tolist())
        every = list(itertools.combinations(among, size))
        if len(every) > most:
            every = [every[place] for place in sorted(random.choice(len(every), size=most, replace=False).tolist())]
        sets += [list(each) for each in every]
    return sets
