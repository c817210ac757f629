"""Canaries, derived from an organisation's secret: what each looks like, whether it is planted, and how often."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headwater.audit.canaries.identifiers import Parents, public_identifiers
from headwater.audit.canaries.secret_space import SecretSpace
from headwater.audit.canaries.streams import Streams
from headwater.errors import InputError
from headwater.evidence.planted import Planted
from headwater.schema import Schema
from headwater.schema.table import Table

__all__ = ["LADDER", "RUNGS", "Planting", "plant", "share_of"]

F64 = NDArray[np.float64]

RUNGS = (1, 4, 16)
"""The dose ladder: how often an included canary is planted."""

LADDER = (1, 1, 1, 4, 1, 1, 1, 1, 1, 1, 1, 16, 1, 1, 1, 1)
"""Rungs of sixteen canaries in a row. Most are planted once: only these speak of one record, which the one-run audit
needs in numbers, and a row planted sixteen times costs the release as much as sixteen of them."""

_ATTEMPTS = 400


@dataclass(frozen=True, slots=True)
class Planting:
    """What canaries follow from, beside the rows.

    Attributes:
        secret: 32 bytes of entropy, committed to before training.
        run_id: of the run.
        count: canaries of this organisation.
        public: derive quasi-identifiers from the schema instead of own rows: required under a privacy budget.
        most_copies: rows that a budget counts of one person; a canary is a person of its own.
        train_from: rows whose place is not below it train.
    """

    secret: bytes = field(repr=False)
    run_id: str
    count: int
    public: bool
    most_copies: int
    train_from: float


def share_of(canaries: int, members: int) -> int:
    """Canaries of each organisation, where a plan names those of all.

    Args:
        canaries: of the plan.
        members: organisations in the charter, at least 1.

    Returns:
        The same for all, rounded up: so it says nothing about an organisation's size.
    """
    return -(-canaries // members)


def plant(planting: Planting, rows: Table, place_of: Callable[[Table], F64]) -> Planted:
    """Derive an organisation's canaries.

    A canary is a quasi-identifier with a secret beside it, drawn uniformly from the public set R. Without a budget the
    quasi-identifier is mixed from the organisation's training rows (`Parents`), so that the canary is as ordinary as
    they are. Under a budget it is drawn from the schema: one made of rows would change with them, and a person who
    comes or goes would then change several records, where the budget counts one.

    A canary is drawn anew until it falls among the rows that train, is no own row, and no other canary. All but the
    first hold of the schema alone; under a budget own rows are not compared with, for the same reason.

    Args:
        planting: secret, run and numbers.
        rows: the organisation's training rows, conformed to the schema; may be none.
        place_of: where rows stand in the organisation's split, as float64 in [0, 1), fixed by their values alone.

    Returns:
        The canaries, excluded ones among them.

    Raises:
        InputError: the schema has no place for canaries, or for so many different ones.

    Guarantee: equal arguments give equal canaries; the order of rows does not matter. Coins are fair and independent
        for whoever has not the secret. With `public`, no value of `rows` is used.
    """
    space = SecretSpace.of(rows.schema)
    streams = Streams(planting.secret, planting.run_id)
    parents = None
    if not planting.public and rows.rows:
        parents = Parents.of(rows, place_of(rows), planting.train_from)
    taken = np.zeros(0) if parents is None else parents.places
    found: list[Table] = []
    owners: list[NDArray[np.int64]] = []
    waiting = np.arange(planting.count)
    for attempt in range(_ATTEMPTS):
        if not len(waiting):
            break
        drawn = _draw(streams, space, rows.schema, parents, planting.count, attempt)
        places = place_of(drawn)
        fits = (places >= planting.train_from) & ~np.isin(places, taken)
        # Of equal ones within an attempt, the first that waits for one.
        candidates = waiting[fits[waiting]]
        candidates = candidates[np.unique(places[candidates], return_index=True)[1]]
        found.append(drawn.take(candidates))
        owners.append(candidates)
        taken = np.concatenate([taken, places[candidates]])
        waiting = np.setdiff1d(waiting, candidates)
    if len(waiting):
        raise InputError(
            f"the schema has no room for {planting.count:,} different canaries; plan fewer: set canaries lower"
        )
    table = Table.concat(found).take(np.argsort(np.concatenate(owners))) if found else rows.take(np.arange(0))
    rungs = np.resize(np.array(LADDER, np.int64), planting.count)
    copies = np.minimum(rungs, planting.most_copies)
    return Planted(table, streams.coins("inclusion", planting.count), rungs, copies)


def _draw(
    streams: Streams, space: SecretSpace, schema: Schema, parents: Parents | None, count: int, attempt: int
) -> Table:
    """One try at every canary."""
    members = (streams.uniform("secret", count, attempt) * space.size).astype(np.int64)
    columns: dict[str, NDArray[Any]] = space.combination(members)
    if parents is None:
        columns |= public_identifiers(schema, space.identifying, streams, count, attempt)
    else:
        columns |= parents.identifiers(space.identifying, streams, count, attempt)
    return Table(schema, columns, count)
