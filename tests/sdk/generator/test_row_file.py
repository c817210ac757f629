"""Files of drawn rows: the same rows whatever the batches, read as texts, with nothing of other rows in them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from headwater.audit.artefacts import scan
from headwater.generator.row_file import write_rows
from headwater.generator.rows import Rows
from support.recipes import small_table


def test_codes_are_written_and_texts_are_read(tmp_path: Path) -> None:
    table = small_table(70_000)
    # A category that no row of the second row group has: its statistics are of its own rows.
    ward = table.columns["ward"].copy()
    ward[65_536:] = 0
    table = type(table)(table.schema, {**table.columns, "ward": ward}, table.rows)
    weights = np.linspace(0.5, 1.5, table.rows)

    def parts() -> Iterator[Rows]:
        for start in range(0, table.rows, 8192):
            yield Rows(table, {"weight": weights}).take(slice(start, start + 8192))

    told: list[int] = []
    folder = tmp_path / "balanced"
    folder.mkdir()
    rows, size = write_rows(parts(), folder / "data.parquet", told.append)
    assert (rows, size) == (70_000, (folder / "data.parquet").stat().st_size)
    assert told == [65_536, 70_000]
    written = pq.read_table(folder / "data.parquet")
    wanted = table.to_arrow()
    assert written.schema.types[:-1] == wanted.schema.types
    assert written.drop_columns("weight").equals(wanted)
    assert written["weight"].to_pylist() == weights.tolist()
    assert scan(tmp_path, table.schema) == ()
