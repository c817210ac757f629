"""Rows that an organisation planted into its own training rows, to find out afterwards what a release remembers."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.schema.table import Table

__all__ = ["Planted"]


@dataclass(frozen=True, eq=False)
class Planted:
    """The canaries of one organisation in one run, those that a coin left out among them.

    Attributes:
        rows: one row a canary, as it was planted if it was.
        included: bool, shape (canaries,): whether its coin planted it.
        rungs: int64, shape (canaries,): its rung of the dose ladder, 1, 4 or 16.
        copies: int64, shape (canaries,): how many equal rows are planted of it when it is included: its rung, and no
            more than a budget counts of one person.

    Raises:
        InputError: the four are not of one length, or a canary has no copy.
    """

    rows: Table = field(repr=False)
    included: NDArray[np.bool_] = field(repr=False)
    rungs: NDArray[np.int64] = field(repr=False)
    copies: NDArray[np.int64] = field(repr=False)

    def __post_init__(self) -> None:
        """Check that all are of one length."""
        lengths = {len(self.included), len(self.rungs), len(self.copies)}
        if lengths != {self.rows.rows} or (self.copies < 1).any():
            raise InputError("canaries need a coin, a rung and at least one copy for each row; plant them anew")

    @property
    def training_rows(self) -> Table:
        """What is appended to the organisation's rows: each included canary as often as it has copies."""
        return self.rows.take(np.repeat(np.arange(self.rows.rows), np.where(self.included, self.copies, 0)))
