"""Rows that are given for a review, held to those that took part in the run."""

import stat
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from headwater.errors import InputError, StorageError
from headwater.schema.table import Table
from headwater.schema.writing import write_csv
from headwater_client.connectors import open_source
from headwater_client.plan_rows import PlanRows, read_rows
from headwater_client.served_rows import keep_served, rows_of_run
from headwater_client.settings import Home
from support.private import private_plan
from support.recipes import small_plan, small_table

RUN = "0a" * 16


def rows(source: object) -> PlanRows:
    return read_rows(open_source(source), small_plan())


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """One that took part in a run with 300 rows."""
    made = Home(tmp_path / "home")
    made.folder.mkdir()
    keep_served(made, RUN, rows(small_table(300).to_arrow()))
    return made


def test_the_same_rows_are_taken_in_whatever_format_and_order(home: Home, tmp_path: Path) -> None:
    table = small_table(300)
    write_csv(table.to_arrow(), tmp_path / "rows.csv")
    shuffled = table.take(np.random.default_rng(1).permutation(300)).to_arrow()
    narrow = pa.schema([pa.field(f.name, pa.float32() if f.type == pa.float64() else f.type) for f in shuffled.schema])
    pyarrow.parquet.write_table(shuffled.cast(narrow, safe=False), tmp_path / "rows.parquet")
    for source in (tmp_path / "rows.csv", tmp_path / "rows.parquet", table.to_arrow()):
        reviewed = rows_of_run(home, RUN, rows(source))
        assert (reviewed.told, reviewed.rows.conformed.rows) == ("", 300)


def test_rows_of_another_organisation_are_refused_by_what_was_served_and_given(home: Home) -> None:
    with pytest.raises(InputError, match=r"other rows than took part in run 0a0a0a0a: it had 300 rows.* among the 280"):
        rows_of_run(home, RUN, rows(small_table(280, seed=7).to_arrow()))


def test_rows_that_were_added_are_left_out_and_said(home: Home) -> None:
    before, added = small_table(300), small_table(40, seed=7)
    # Copies of a row that took part are as new as any other: so many stay as there were.
    table = Table.concat([added, before, before.take(np.arange(5))])
    reviewed = rows_of_run(home, RUN, rows(table.to_arrow()))
    assert reviewed.told == (
        "Audited by 300 rows that took part in the run: 45 rows were added since the run and are left out."
    )
    kept = reviewed.rows.conformed
    assert kept.rows == 300
    for name in kept.schema.names:
        assert np.array_equal(np.sort(kept.columns[name]), np.sort(before.columns[name]), equal_nan=True)


def test_a_hundredth_may_be_gone_and_no_more(home: Home) -> None:
    table = small_table(300)
    assert (
        "3 rows of the run are gone since" in rows_of_run(home, RUN, rows(table.take(np.arange(297)).to_arrow())).told
    )
    with pytest.raises(InputError, match="296 of them are among the 296"):
        rows_of_run(home, RUN, rows(table.take(np.arange(296)).to_arrow()))


def test_a_home_that_kept_nothing_says_so(home: Home) -> None:
    assert "is not kept in this home" in rows_of_run(home, "0b" * 16, rows(small_table(10).to_arrow())).told


def test_whose_rows_are_whose_goes_with_them(home: Home) -> None:
    plan = private_plan(1.0, unit="entity", records=2)
    table = Table.concat([small_table(40, seed=7), small_table(300)])
    named = table.to_arrow().append_column("person", pa.array(np.arange(340)))
    reviewed = rows_of_run(home, RUN, read_rows(open_source(named, "person"), plan))
    assert reviewed.rows.entities is not None
    assert reviewed.rows.entities.to_pylist() == list(range(40, 340))


def test_what_is_kept_is_for_the_owner_and_holds_no_value(home: Home) -> None:
    (file,) = home.served.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    first = file.read_bytes()
    keep_served(home, RUN, rows(small_table(300).to_arrow()))
    # Another key each time: two files with equal rows have no hash in common.
    parts = [{data[at : at + 8] for at in range(32, len(data), 8)} for data in (first, file.read_bytes())]
    assert not parts[0] & parts[1]
    assert len(first) == 32 + 8 * 300
    file.write_bytes(first[:-3])
    with pytest.raises(StorageError, match="cut off"):
        rows_of_run(home, RUN, rows(small_table(300).to_arrow()))
