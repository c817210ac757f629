"""What a request for rows would cost, found by drawing a little of it."""

import io
import time
from dataclasses import dataclass

import pyarrow.parquet

from headwater.encoding.encoding import Encoding
from headwater.errors import InputError
from headwater.evaluation.agreement import LabelAgreement
from headwater.generator.rows import BLOCK_ROWS
from headwater.generator.sampler import Sampler
from headwater.generator.table_generator import RowReader, RowRequest
from headwater.schema.columns import BooleanColumn, CategoricalColumn

__all__ = ["VIEW_STEPS", "Trial", "try_out", "view_agreement"]

VIEW_STEPS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2)
"""Standard deviations of views that are tried."""

_LEARNED_FROM = 16_000
_PAIRS = 4000


@dataclass(frozen=True, slots=True)
class Trial:
    """What a few rows say of all.

    Attributes:
        acceptance: share of rows begun that were taken.
        seconds: to draw all rows, on this machine.
        size_bytes: of all rows as Parquet, roughly.
    """

    acceptance: float
    seconds: float
    size_bytes: int


def try_out(reader: RowReader, rows: int, seed: int) -> Trial:
    """Draw the first block of rows and, for a longer request, the second: the first prepares what all others use.

    Args:
        reader: of the request.
        rows: that the request is for.
        seed: of the request.

    Raises:
        InputError: too few rows satisfy the condition.
    """
    blocks = reader.first(min(rows, 2 * BLOCK_ROWS), seed, batch_size=BLOCK_ROWS)
    started = time.perf_counter()
    table = next(blocks).to_arrow()
    first = time.perf_counter() - started
    started = time.perf_counter()
    rest = sum(block.to_arrow().num_rows for block in blocks)
    seconds = first
    if rest:
        seconds += (time.perf_counter() - started) / rest * (rows - table.num_rows)
    written = io.BytesIO()
    pyarrow.parquet.write_table(table, written, compression="zstd")
    return Trial(reader.tally.acceptance, seconds, len(written.getvalue()) * rows // table.num_rows)


def view_agreement(sampler: Sampler, encoding: Encoding, seed: int) -> dict[float, float]:
    """Share of pairs of views that a classifier gives one label, by standard deviation.

    LightGBM learns the target from 16,000 rows of the generator, then labels 4,000 pairs each.

    Raises:
        InputError: the schema has no target of categories.
    """
    target = encoding.schema.target
    if not isinstance(target, CategoricalColumn | BooleanColumn):
        raise InputError("the schema has no target of categories; a classifier has nothing to agree on")
    plain = RowReader(sampler, encoding, RowRequest())
    learned = next(iter(plain.first(_LEARNED_FROM, seed + 1, batch_size=_LEARNED_FROM)))
    judge = LabelAgreement(learned.table, target.name)
    found = {}
    for view_std in VIEW_STEPS:
        reader = RowReader(sampler, encoding, RowRequest(views=2, view_std=view_std))
        rows = next(iter(reader.first(2 * _PAIRS, seed, batch_size=2 * _PAIRS)))
        found[view_std] = judge.of(rows.take(slice(0, None, 2)).table, rows.take(slice(1, None, 2)).table)
    return found
