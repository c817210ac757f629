"""Partial copies: synthetic rows that keep most columns of a training row and have others in place of the rest."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from headwater.audit.cells import cell_hashes, edges_of
from headwater.audit.column_subsets import column_subsets
from headwater.audit.partial_echoes import PARTS, partial_measure
from headwater.audit.reach import pooled
from headwater.audit.row_hashes import value_hashes
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import About, AuditRows
from headwater.evidence.measure import Measure
from headwater.evidence.settings import AuditSettings
from headwater.schema.table import Table

__all__ = ["PartialCopies"]

I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]
Mask = NDArray[np.bool_]
Subsets = tuple[tuple[int, ...], ...]

_MOST_ROWS = 20_000
_CHUNK = 1 << 17
_BITS = 18


class PartialCopies:
    """The attacker knows most of a record and looks whether a synthetic row agrees in all of it.

    By some 400 public subsets of the columns (`headwater.audit.column_subsets`), and once by values, once by the cells
    of `headwater.audit.cells`: a real row can be echoed where no other row of a pool of as many training as holdout
    rows agrees with it in the subset, and is echoed where a synthetic row does. Rows of common values are echoed by
    honest tables too and drown the others, so each subset is asked four times: of all rows, and of the half, quarter
    and eighth of the pool that stand alone by most subsets. None of this asks which side a row is of.

    A fitted generator leans a little to its training rows, in combinations that it models; copies do more. So an
    alarm takes more than three echoes of training rows for two of holdout rows, beyond chance
    (`headwater.audit.partial_echoes`).

    Cost: for each subset and either kind a sort of the pool and one look-up of each synthetic row, both of whole
    numbers; the memory of a hundred thousand rows.

    Source: subsets of attributes as an attacker's knowledge, Sweeney 2002, k-anonymity, section 2; the comparison with
    holdout rows, Platzer and Reutterer 2021 (arXiv:2104.00635), section 3.2.
    """

    name = "copies.partial"
    federated = True
    about = About(
        title="Copies of a part of a row",
        question="Do synthetic rows keep most of a training row and hide it behind a few other values?",
        knowledge="Any large part of the columns of the person in question, and the synthetic table.",
        statistic="R = (t - c) / (1 - c) by the subset of columns that shows most: t is the share of training rows, "
        "alone in what they have in it, of which a synthetic row has the same, c that of holdout rows; 0 where "
        "training rows are met no more than others.",
        misses="Copies of less than half of the columns, of rows that have a twin by what was kept, or with every "
        "number moved; leanings of a fit below three training rows for two others.",
        source="After Platzer and Reutterer 2021 and Sweeney 2002, k-Anonymity: A Model for Protecting Privacy",
    )

    def __init__(self, candidate: Candidate, settings: AuditSettings) -> None:
        """Bind to a candidate and public settings."""
        self._candidate = candidate
        self._settings = settings
        self._edges = edges_of(candidate.table)
        schema = candidate.table.schema
        secrets = settings.secrets or tuple(column.name for column in schema.columns if column.sensitive)
        self.subsets = column_subsets(candidate.table, secrets, settings.seed)
        # Where no column is a number, values and cells are the same.
        self._kinds: tuple[Callable[[Table], U64], ...] = (value_hashes, self._by_cell)[: 2 if self._edges else 1]
        self._shape = (len(self._kinds), len(self.subsets), len(PARTS), 4)
        self.size = int(np.prod(self._shape)) + 1

    def _by_cell(self, table: Table) -> U64:
        return cell_hashes(table, self._edges)

    def count(self, rows: AuditRows, random: np.random.Generator) -> I64:
        """By kind, subset and part: echoed rows of training and holdout, rows that can be; last, rows of a side."""
        pool, trained = pooled(rows, min(self._settings.targets, _MOST_ROWS), random)
        counts = np.zeros(self._shape, np.int64)
        for kind, hashes in enumerate(self._kinds if pool.rows else ()):
            alone, met = _echoes(hashes, pool, self._candidate.table, self.subsets)
            often = alone.sum(axis=0)
            for at, part in enumerate(PARTS):
                # By a threshold, ties and all: an order among equals would ask for the side.
                sparse = often >= np.quantile(often, 1 - part)
                sides = (sparse & trained, sparse & ~trained)
                for place, (marks, side) in enumerate((marks, side) for marks in (met, alone) for side in sides):
                    counts[kind, :, at, place] = marks[:, side].sum(axis=1)
        return np.append(counts.reshape(-1), int(trained.sum()))

    def read(self, counts: I64) -> tuple[Measure, ...]:
        """One measure: the excess by the subset that shows most, and the p-value of all together.

        Raises:
            InputError: these are no counts of this check.
        """
        names = self._candidate.table.schema.names
        return (partial_measure(self.name, counts, self._shape, [len(names) - len(each) for each in self.subsets]),)


def _echoes(hashes: Callable[[Table], U64], pool: Table, table: Table, subsets: Subsets) -> tuple[Mask, Mask]:
    """By subset, which rows of the pool stand alone, and which of these a synthetic row agrees with."""
    alone, met = np.zeros((len(subsets), pool.rows), np.bool_), np.zeros((len(subsets), pool.rows), np.bool_)
    lonely: list[tuple[U64, I64]] = []
    for at, keys in enumerate(_keys(hashes(pool), subsets)):
        order = np.argsort(keys)
        found = keys[order]
        new = np.concatenate([[True], found[1:] != found[:-1], [True]])
        single = new[1:] & new[:-1]
        lonely.append((found[single], order[single]))
        alone[at, order[single]] = True
    for start in range(0, table.rows, _CHUNK):
        part = table.take(np.arange(start, min(start + _CHUNK, table.rows)))
        for at, keys in enumerate(_keys(hashes(part), subsets)):
            values, places = lonely[at]
            if not len(values):
                continue
            # Most synthetic rows meet nobody: a look at some bits of the hash tells without a search.
            shift = np.uint64(64 - _BITS)
            wanted = np.zeros(1 << _BITS, np.bool_)
            # Places as int64: numpy would turn other indices into that, at twice the cost.
            wanted[(values >> shift).view(np.int64)] = True
            keys = keys[wanted.take((keys >> shift).view(np.int64))]
            near = np.minimum(np.searchsorted(values, keys), len(values) - 1)
            met[at, places[near[values[near] == keys]]] = True
    return alone, met


def _keys(hashes: U64, subsets: Subsets) -> Iterator[U64]:
    """One number a row for each subset, from the hashes of all columns."""
    columns = [np.ascontiguousarray(column) for column in hashes.T]
    whole = hashes.sum(axis=1, dtype=np.uint64)
    for subset in subsets:
        rest = [place for place in range(len(columns)) if place not in subset]
        key: U64 = (whole if len(rest) < len(subset) else columns[subset[0]]).copy()
        if len(rest) < len(subset):
            for place in rest:
                key -= columns[place]
        else:
            for place in subset[1:]:
                key += columns[place]
        yield key
