"""The demo's saboteur: a coordinator that hands out copied rows as if its generator had sampled them.

`python -m headwater_server.demo.memoriser ROWS serve --home HOME`. Only the demo starts it. It replaces one thing, the
sampler that the candidate is drawn from; the run, the organisations' attacks, the gate and every command are those of
an honest consortium, and know nothing of it.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet

from headwater.contribution import candidate
from headwater.encoding.encoding import Encoding
from headwater.schema.conform import load_table
from headwater.schema.table import Table
from headwater_server.cli import main

__all__ = ["Copies"]


@dataclass(frozen=True)
class Copies:
    """In place of a sampler: real rows, drawn with replacement.

    Attributes:
        rows: Parquet file of real rows.
    """

    rows: Path

    def tables(self, encoding: Encoding, rows: int, seed: int, **given: Any) -> Iterator[Table]:
        """As many rows as are asked for, each a copy of a real one."""
        schema = encoding.schema
        real = load_table(pyarrow.parquet.read_table(self.rows), schema)
        chosen = np.random.default_rng(seed).integers(0, real.rows, rows)
        yield Table(schema, {name: values[chosen] for name, values in real.columns.items()}, rows)


if __name__ == "__main__":
    copies = Copies(Path(sys.argv.pop(1)))
    vars(candidate)["read_sampler"] = lambda model: copies
    main()
