"""Rows in chosen shares of some columns' values, with the weights that undo the choice."""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from headwater.errors import InputError
from headwater.generator.rows import BLOCK_ROWS, Rows
from headwater.generator.source import LEAST_SHARE_OF_ROWS, RowSource, block_seed
from headwater.mixture.conditioning import Proposals
from headwater.schema.columns import BooleanColumn, CategoricalColumn
from headwater.schema.condition import Allowed, Condition, Value
from headwater.schema.schema import Schema
from headwater.schema.table import Table

__all__ = ["Balance", "BalancedRows", "Shares", "read_shares"]

Shares = Mapping[str, Mapping[Value, float] | None]
"""A column's name to the share of each of its values, or None for equal shares."""

_MOST_CLASSES = 256
# Where shares are equal, a class this rare is left out: its weight would say that it hardly exists.
_LEAST_CLASS = 1e-5
_SUM = 1e-6


@dataclass(frozen=True, slots=True)
class Balance:
    """One class of rows and the share that it shall have.

    Attributes:
        condition: that makes the class.
        share: of the rows drawn; None for an equal part.
    """

    condition: Condition
    share: float | None


class BalancedRows:
    """Blocks in which every class has its share.

    Attributes:
        left_out: share of the generator's rows that no class of the balance holds.
        estimated: whether weights stand on estimated shares.
    """

    def __init__(
        self, schema: Schema, shares: Shares, where: Condition, opened: Callable[[Condition, float], RowSource]
    ) -> None:
        """Open one source a class.

        Args:
            schema: of the rows.
            shares: by column; several columns are balanced by their combinations.
            where: a condition on all rows.
            opened: a source for a condition, refused below a least share of all rows.

        Raises:
            InputError: a column is not of categories, shares are no shares, or a class that was named has no rows.
        """
        base = opened(where, LEAST_SHARE_OF_ROWS).share
        sources, wanted, held = [], [], []
        for each in _classes(schema, shares):
            joined = where.joined(each.condition)
            source = opened(joined, 0.0)
            share = source.share / base
            if share < _LEAST_CLASS:
                if each.share:
                    raise InputError(
                        f"rows of {each.condition} are {share:.1e} of those that are asked for, and shall be "
                        f"{each.share:.2f} of the sample; leave that class out"
                    )
                continue
            if each.share is None or each.share > 0:
                sources.append(source)
                wanted.append(1.0 if each.share is None else each.share)
                held.append(share)
        if not sources:
            raise InputError("no class of the balance holds rows; widen the condition or balance by another column")
        self._sources = sources
        self._wanted = np.asarray(wanted) / sum(wanted)
        self._held = np.asarray(held)
        self.left_out = max(0.0, 1.0 - float(self._held.sum()))
        self.estimated = any(source.estimated for source in sources)
        # Weights average 1 over what is drawn: they restore the mix of the classes that are there.
        self._weights = self._held / self._held.sum() / self._wanted

    @property
    def classes(self) -> int:
        """How many classes are drawn."""
        return len(self._sources)

    def block(self, seed: int, number: int, tally: Proposals) -> Iterator[Rows]:
        """A block's rows, all at once: shares hold up to one row, and the order is by chance."""
        random = np.random.default_rng(block_seed((seed, number, 0)))
        # One offset for all: each class has its share of rows rounded up or down, on average exactly.
        ends = np.floor(np.cumsum(self._wanted) * BLOCK_ROWS + random.random())
        ends[-1] = BLOCK_ROWS
        counts = np.diff(np.minimum(ends, BLOCK_ROWS), prepend=0.0).astype(np.int64)
        tables, weights = [], []
        for place, (source, count) in enumerate(zip(self._sources, counts.tolist(), strict=True)):
            tables += list(source.tables((seed, number, 1, place), count, tally)) if count else []
            weights.append(np.full(count, self._weights[place]))
        rows = Rows(Table.concat(tables), {"weight": np.concatenate(weights)})
        yield rows.take(random.permutation(BLOCK_ROWS))


def _classes(schema: Schema, shares: Shares) -> list[Balance]:
    parts: list[list[tuple[int, Allowed, float | None]]] = []
    for name, given in shares.items():
        if name not in schema.names:
            raise InputError(f"the schema has no column {name!r} to balance by; name one of its columns")
        place = schema.names.index(name)
        column = schema.columns[place]
        if not isinstance(column, CategoricalColumn | BooleanColumn):
            raise InputError(f"column {name!r} is {column.kind}; balance by a categorical or boolean column")
        if given is None:
            allowed = [(Allowed(codes=frozenset({code})), None) for code in range(len(column.categories))]
            parts.append([(place, *each) for each in [*allowed, *([(Allowed(missing=True), None)] * column.missing)]])
            continue
        numbers = list(given.values())
        if not numbers or min(numbers) < 0 or not math.isclose(sum(numbers), 1.0, abs_tol=_SUM):
            raise InputError(f"the shares of {name!r} must be at least 0 and sum to 1")
        parts.append(
            [(place, Condition.parse(schema, {name: value}).columns[place], part) for value, part in given.items()]
        )
    if math.prod(len(part) for part in parts) > _MOST_CLASSES or not parts:
        raise InputError(f"a balance has 1 to {_MOST_CLASSES} classes; balance by fewer columns, or give shares")
    return [_joined(schema, combination) for combination in itertools.product(*parts)]


def _joined(schema: Schema, parts: Sequence[tuple[int, Allowed, float | None]]) -> Balance:
    condition = Condition(schema, {place: allowed for place, allowed, _ in sorted(parts, key=lambda part: part[0])})
    given = [share for _, _, share in parts if share is not None]
    # A column without shares beside one with them has equal ones: the same factor for each class.
    return Balance(condition, math.prod(given) if given else None)


def read_shares(schema: Schema, texts: Sequence[str]) -> Shares:
    """Shares as a person writes them in one line each: `income`, or `income=>50K:0.4|<=50K:0.6`.

    Raises:
        InputError: a column stands twice, or a text is of another form; names and values are not looked at.
    """
    shares: dict[str, dict[Value, float] | None] = {}
    for text in texts:
        name, given, values = (text, "", "") if text in schema.names else text.partition("=")
        if name in shares:
            raise InputError(f"column {name!r} is balanced twice; name it once")
        if not given:
            shares[name] = None
            continue
        part: dict[Value, float] = {}
        for each in values.split("|"):
            value, _, share = each.rpartition(":")
            try:
                part[value or None] = float(share)
            except ValueError as error:
                raise InputError(f"{each!r} is no value with a share; write COLUMN=VALUE:SHARE|VALUE:SHARE") from error
        shares[name] = part
    return shares
