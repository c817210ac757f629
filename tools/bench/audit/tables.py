"""Training rows, holdout rows, a copier and a fresh sample, made from one real table."""

import pathlib
from dataclasses import dataclass
from typing import Literal

import numpy as np

from headwater.contribution.execution import sample_table
from headwater.errors import InputError
from headwater.evaluation.split import judge_split
from headwater.recipe.actions import Done
from headwater.recipe.machine import build_recipe
from headwater.recipe.task import seed_for
from headwater.schema import Schema
from headwater.schema.conform import conform
from headwater.schema.reading import read_arrow
from headwater.schema.table import Table
from headwater.schema.writing import write_csv
from headwater_server.simulation.driving import Cost, LocalEngine, Silent, drive
from headwater_server.simulation.inputs import read_inputs

__all__ = ["LAWS", "Law", "Made", "copier", "make"]

Law = Literal["mixture", "rows", "drawn"]
LAWS: tuple[Law, ...] = ("mixture", "rows", "drawn")
"""Where rows that nobody copied come from.

mixture: Headwater's own, fitted to the training rows by a simulation of five organisations; train and holdout are the
real table's. rows: real rows that are in neither part; train and fresh rows have half of the size each. drawn: train,
holdout and fresh rows are all drawn from one mixture, each anew, so that the fresh ones are of exactly the same law."""

_ORGANISATIONS = 5


@dataclass(frozen=True, eq=False)
class Made:
    """Tables of one schema.

    Attributes:
        train: what a generator may see.
        holdout: what it may not.
        copier: as many rows as train; a share of them are rows of train.
        fresh: as many rows, none of them taken from train.
    """

    train: Table
    holdout: Table
    copier: Table
    fresh: Table

    def write(self, folder: pathlib.Path) -> None:
        """Write train.csv, holdout.csv, copier.csv, fresh.csv and schema.toml."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("train", "holdout", "copier", "fresh"):
            write_csv(getattr(self, name), folder / f"{name}.csv")
        (folder / "schema.toml").write_text(self.train.schema.to_toml(), encoding="utf-8")


def copier(train: Table, fresh: Table, share: float, random: np.random.Generator) -> Table:
    """Fresh rows, a share of which gave their places to training rows, each taken at most once where there are enough.

    Args:
        train: rows to copy.
        fresh: rows that were made.
        share: of the fresh rows that are replaced, 0 to 1.
        random: picks rows and places.
    """
    count = round(share * fresh.rows)
    taken = random.choice(train.rows, count, replace=count > train.rows)
    kept = random.permutation(fresh.rows)[count:]
    both = Table.concat([train.take(taken), fresh.take(kept)])
    return both.take(random.permutation(both.rows))


def make(
    data: pathlib.Path, target: str | None, *, law: Law = "mixture", share: float = 0.05, rows: int = 0, seed: int = 0
) -> Made:
    """Make the tables.

    Args:
        data: the real table; its training rows are the judge's 80 %, its holdout the other 20 %.
        target: the column that models predict; None for none.
        law: where rows that nobody copied come from.
        share: of the copier's rows that are copies, 0 to 1.
        rows: of the synthetic tables; 0 for as many as train has.
        seed: of all chance.

    Raises:
        InputError: the table cannot be read; more rows than there are under the law "rows".
    """
    inputs = read_inputs(data, target, _ORGANISATIONS, "iid", recipe="mixture", seed=seed)
    random = np.random.default_rng(seed)
    if law == "rows":
        train, holdout, fresh = _real(data, inputs.plan.schema_, rows, random)
    else:
        done = drive(build_recipe(inputs.plan), LocalEngine(inputs.parts, inputs.plan), Silent(), Cost())
        train, holdout = _split(data, inputs.plan.schema_)
        if law == "drawn":
            train, holdout = (
                _drawn(done, part.rows, seed, name) for part, name in ((train, "train"), (holdout, "holdout"))
            )
        fresh = _drawn(done, rows or train.rows, seed, "fresh")
    return Made(train, holdout, copier(train, fresh, share, random), fresh)


def _split(data: pathlib.Path, schema: Schema) -> tuple[Table, Table]:
    table, _ = conform(read_arrow(data), schema)
    train, holdout = judge_split(table.rows)
    return table.take(train), table.take(holdout)


def _real(data: pathlib.Path, schema: Schema, rows: int, random: np.random.Generator) -> tuple[Table, Table, Table]:
    """Training rows in two halves, one of which plays the sample."""
    train, holdout = _split(data, schema)
    order = random.permutation(train.rows)
    half = train.rows // 2
    if rows > half:
        raise InputError(f"{rows} fresh rows are asked for and {half} are in neither part; take another law or fewer")
    return train.take(order[:half]), holdout, train.take(order[half : half + (rows or half)])


def _drawn(done: Done, rows: int, seed: int, what: str) -> Table:
    return sample_table(done.model, done.encoding, rows, seed_for(seed, f"audit {what}"))
