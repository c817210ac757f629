"""A finished generator for those who want rows: by number, without end, under conditions, balanced, in views."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from headwater.encoding.encoding import Encoding
from headwater.errors import InputError
from headwater.generator.balancing import BalancedRows, Shares
from headwater.generator.bundle import Bundle
from headwater.generator.pictures import schema_of_rows
from headwater.generator.rows import BLOCK_ROWS, Rows, read_blocks
from headwater.generator.sampler import Sampler
from headwater.generator.source import LEAST_SHARE_OF_ROWS, MOST_PROPOSALS, RowSource, open_source
from headwater.generator.views import ViewedRows
from headwater.mixture.conditioning import Proposals
from headwater.schema.condition import Condition, Where
from headwater.schema.schema import Schema

__all__ = ["RowReader", "RowRequest", "TableGenerator", "load_generator"]

_BATCH = 8192


@dataclass(frozen=True)
class RowRequest:
    """Which rows are wanted.

    Attributes:
        where: a condition that every row shall satisfy; None for any row.
        balanced: columns whose values shall have equal or given shares; adds "weight".
        views: rows of a group from neighbouring latents; 1 for single rows; adds "group_id" and "view_id".
        view_std: how far a view lies from its group's anchor.
        most_proposals: rows begun at most for a block of 8,192 where conditions are met by trying.
    """

    where: Condition | None = None
    balanced: Shares = field(default_factory=dict)
    views: int = 1
    view_std: float = 0.2
    most_proposals: int = MOST_PROPOSALS


class RowReader:
    """The endless sequence of rows of one request.

    Row i is fixed by generator, request, seed and i, on one machine; the sequence is drawn in blocks with seeds of
    their own, so reading from a position costs at most one block more than the rows.

    Attributes:
        method: "plain", "exact", "rejection", "balanced" or "views".
        share: of the generator's rows that satisfy the condition; 1 without one.
        estimated: whether `share`, or a balance's weights, were estimated from draws.
        left_out: share of rows in classes too rare for the balance.
        tally: rows begun and taken so far.
    """

    def __init__(self, sampler: Sampler, encoding: Encoding, request: RowRequest, device: str = "auto") -> None:
        """Prepare to draw.

        Raises:
            InputError: the condition holds for (almost) no row, or the request does not fit the generator.
        """
        self._sampler, self._encoding, self._device = sampler, encoding, device
        self._request = request
        self.tally = Proposals()
        self.left_out = 0.0
        self.share, self.estimated = 1.0, False
        schema = schema_of_rows(sampler, encoding)
        where = request.where or Condition(schema, {})
        self._block_rows = BLOCK_ROWS
        self._balanced: BalancedRows | None = None
        self._views: ViewedRows | None = None
        self._source: RowSource | None = None
        if request.views != 1:
            if where.columns or request.balanced:
                raise InputError("views are drawn of any row; leave out views, or condition and balance")
            self._views = ViewedRows(sampler, encoding, request.views, request.view_std, device)
            self._block_rows, self.method = self._views.block_rows, "views"
        elif request.balanced:
            self._balanced = BalancedRows(schema, request.balanced, where, self._open)
            self.method, self.left_out = "balanced", self._balanced.left_out
            self.estimated = self._balanced.estimated
        else:
            self._source = self._open(where, LEAST_SHARE_OF_ROWS)
            self.method, self.share = self._source.method, self._source.share
            self.estimated = self._source.estimated

    @property
    def block_rows(self) -> int:
        """Rows that are drawn together: a position that is a multiple of it is read without drawing any in vain."""
        return self._block_rows

    def rows(self, seed: int, *, start: int = 0, batch_size: int = _BATCH) -> Iterator[Rows]:
        """Yield rows from position `start` on, without end, `batch_size` at a time.

        Raises:
            InputError: too few rows satisfy the condition for the proposals allowed.
        """
        yield from read_blocks(lambda number: self._block(seed, number), self._block_rows, batch_size, start)

    def first(self, rows: int, seed: int, *, start: int = 0, batch_size: int = _BATCH) -> Iterator[Rows]:
        """Yield so many rows from position `start` on.

        Raises:
            InputError: fewer than one row is asked for.
        """
        if rows < 1:
            raise InputError(f"{rows} rows are asked for; ask for one at least")
        done = 0
        for part in self.rows(seed, start=start, batch_size=min(rows, batch_size)):
            kept = part if done + part.table.rows <= rows else part.take(slice(0, rows - done))
            yield kept
            done += kept.table.rows
            if done == rows:
                return

    def _open(self, condition: Condition, least_share: float) -> RowSource:
        return open_source(
            self._sampler,
            self._encoding,
            condition,
            device=self._device,
            most_proposals=self._request.most_proposals,
            least_share=least_share,
        )

    def _block(self, seed: int, number: int) -> Iterator[Rows]:
        if self._views is not None:
            yield from self._views.block(seed, number, self.tally)
        elif self._balanced is not None:
            yield from self._balanced.block(seed, number, self.tally)
        elif self._source is not None:
            for table in self._source.tables((seed, number), BLOCK_ROWS, self.tally):
                yield Rows(table)


class TableGenerator:
    """A generator and its encoding, as one thing to draw rows from.

    Example:
        ```python
        from headwater.generator import Between, load_generator

        generator = load_generator("run/generator")
        women = generator.sample(10_000, where={"sex": "Female", "age": Between(30, 40)}, seed=7)
        for batch in generator.stream(4096, seed=7, start=1_000_000):
            ...
        ```
    """

    def __init__(self, sampler: Sampler, encoding: Encoding, *, device: str = "auto") -> None:
        """Take a generator of any kind.

        Args:
            sampler: as a bundle holds it.
            encoding: of the same bundle.
            device: "auto", "cpu" or "cuda", for what runs on one.
        """
        self._sampler, self._encoding, self._device = sampler, encoding, device

    @property
    def schema(self) -> Schema:
        """Of the rows."""
        return schema_of_rows(self._sampler, self._encoding)

    @property
    def kind(self) -> str:
        """What the generator is: "mixture", "network", …"""
        return self._sampler.kind

    def reader(self, request: RowRequest) -> RowReader:
        """The rows of a request, with what is known of their cost.

        Raises:
            InputError: as `RowReader`.
        """
        return RowReader(self._sampler, self._encoding, request, self._device)

    def share(self, where: Where) -> float:
        """Share of the generator's rows that satisfy a condition, 0 to 1; estimated where it is not known exactly.

        Raises:
            InputError: no such column or value.
        """
        condition = Condition.parse(self.schema, where)
        return open_source(self._sampler, self._encoding, condition, device=self._device, least_share=0.0).share

    def sample(
        self,
        rows: int,
        *,
        where: Where | None = None,
        balanced: str | Sequence[str] | Shares | None = None,
        views: int = 1,
        view_std: float = 0.2,
        seed: int = 0,
        start: int = 0,
    ) -> pa.Table:
        """Draw rows.

        Args:
            rows: how many; with views, rows and not groups.
            where: by column, what every row shall have, as `Condition.parse` reads it.
            balanced: a column, several, or a mapping of columns to the shares of their values (None: equal ones). Adds
                a column `weight`; weighted means are those of the generator's own mix.
            views: rows of a group from neighbouring latents. Adds `group_id` and `view_id`.
            view_std: distance of views; .2 to .3 is where contrastive learning profits most (Jahanian et al. 2022).
            seed: equal seeds give equal rows on one machine.
            start: position in the sequence of this seed to begin at.

        Returns:
            The schema's columns, then the added ones (with `synthetic_` before their name where the schema has it).

        Raises:
            InputError: a condition that (almost) no row satisfies, an unknown column or value, numbers out of range.
        """
        reader = self.reader(self._request(where, balanced, views, view_std))
        return pa.concat_tables([part.to_arrow() for part in reader.first(rows, seed, start=start)])

    def stream(
        self,
        batch_size: int = _BATCH,
        *,
        where: Where | None = None,
        balanced: str | Sequence[str] | Shares | None = None,
        views: int = 1,
        view_std: float = 0.2,
        seed: int = 0,
        start: int = 0,
    ) -> Iterator[pa.Table]:
        """Yield batches without end, in bounded memory.

        Row i of a seed is the same however far and in whichever batches one reads; `start` resumes.

        Args:
            batch_size: rows of a batch.
            where: as in `sample`, and so the others.
            balanced: likewise.
            views: likewise.
            view_std: likewise.
            seed: likewise.
            start: position of the first row.

        Raises:
            InputError: as `sample`.
        """
        reader = self.reader(self._request(where, balanced, views, view_std))
        return (part.to_arrow() for part in reader.rows(seed, start=start, batch_size=batch_size))

    def _request(
        self, where: Where | None, balanced: str | Sequence[str] | Shares | None, views: int, view_std: float
    ) -> RowRequest:
        if balanced is None:
            shares: Shares = {}
        elif isinstance(balanced, str):
            shares = {balanced: None}
        elif isinstance(balanced, Sequence):
            shares = dict.fromkeys(balanced)
        else:
            shares = balanced
        return RowRequest(Condition.parse(self.schema, where), shares, views, view_std)


def load_generator(folder: str | Path, digest: str | None = None, *, device: str = "auto") -> TableGenerator:
    """Read a bundle's folder.

    Args:
        folder: as `Bundle.save` wrote it.
        digest: what the bundle must be; None takes any.
        device: "auto", "cpu" or "cuda".

    Raises:
        InputError: not a bundle, or another one than expected.
    """
    bundle = Bundle.load(Path(folder), digest)
    return TableGenerator(bundle.sampler, bundle.encoding, device=device)
