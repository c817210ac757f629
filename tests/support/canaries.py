"""Generators that remember canaries as often as told, and one organisation's canaries to test them with."""

import numpy as np

from headwater.audit.canaries.planting import Planting, plant
from headwater.contribution.splits import row_positions
from headwater.evidence.planted import Planted
from headwater.schema.table import Table

__all__ = ["RUN", "planted_in", "remembering"]

RUN = "0f" * 16


def planted_in(rows: Table, count: int, seed: int = 0, *, public: bool = False) -> Planted:
    """Canaries of a secret that follows from the seed."""
    secret = seed.to_bytes(32, "big")
    planting = Planting(secret, RUN, count, public=public, most_copies=16, train_from=0.1)
    return plant(planting, rows, row_positions)


def remembering(fresh: Table, planted: Planted, share: float, random: np.random.Generator) -> Table:
    """Fresh rows of the law, and each planted copy with a probability."""
    copies = planted.training_rows
    return Table.concat([fresh, copies.take(random.random(copies.rows) < share)])
