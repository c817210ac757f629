"""Opening databases: migrations, versions, failures, and two processes' worth of writers."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from headwater.errors import HeadwaterError, InputError, OutOfOrder, StorageError
from headwater_server.storage import RunState, SqlStorage
from headwater_server.storage.tables import metadata
from support.consortium import ConsortiumInMemory

RUN = "0f" * 16


def url(folder: Path) -> str:
    return f"sqlite:///{folder / 'state.db'}"


def test_the_migrations_make_the_tables_that_the_code_uses(tmp_path: Path) -> None:
    SqlStorage(url(tmp_path)).close()
    engine = create_engine(url(tmp_path))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_what_was_stored_is_there_after_a_restart(tmp_path: Path) -> None:
    first = SqlStorage(url(tmp_path))
    first.add_run(ConsortiumInMemory().proposal(run_id=RUN))
    first.close()
    second = SqlStorage(url(tmp_path))
    assert second.run_state(RUN) is RunState.PROPOSED
    second.close()


def test_readers_are_not_kept_out_by_a_writer(tmp_path: Path) -> None:
    storage = SqlStorage(url(tmp_path))
    with sqlite3.connect(tmp_path / "state.db") as connection:
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    connection.close()
    storage.close()
    assert mode == "wal"


def test_a_database_of_a_newer_release_is_refused(tmp_path: Path) -> None:
    SqlStorage(url(tmp_path)).close()
    with sqlite3.connect(tmp_path / "state.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(StorageError, match="newer release"):
        SqlStorage(url(tmp_path))


def test_a_file_that_is_no_database_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"these are no tables " * 100)
    with pytest.raises(StorageError, match="not a database") as caught:
        SqlStorage(url(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="unable to open"):
        SqlStorage(url(tmp_path / "missing"))


@pytest.mark.parametrize("setting", ["", "state.db", "nosuch://x/y", "postgresql+nosuchdriver://x/y"])
def test_a_setting_that_is_no_url_is_refused(setting: str) -> None:
    with pytest.raises(InputError, match="SQLAlchemy URL"):
        SqlStorage(setting)


def test_of_several_that_start_one_run_at_once_one_does(tmp_path: Path) -> None:
    opened = [SqlStorage(url(tmp_path)) for _ in range(4)]
    opened[0].add_run(ConsortiumInMemory().proposal(run_id=RUN))
    gate = threading.Barrier(len(opened), timeout=30)

    def start(storage: SqlStorage) -> str:
        gate.wait()
        try:
            storage.move_run(RUN, RunState.STARTING)
        except HeadwaterError as error:
            return error.code
        return "started"

    with ThreadPoolExecutor(len(opened)) as pool:
        outcomes = list(pool.map(start, opened))
    for storage in opened:
        storage.close()
    assert sorted(outcomes) == sorted(["started"] + [OutOfOrder.code] * 3)
