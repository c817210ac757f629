"""`SqlStorage` keeps to the contract on SQLite and on PostgreSQL.

The server is one that `HEADWATER_TEST_POSTGRES` names, else one of this machine's binaries, gone at the end.
"""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL, create_engine, text
from sqlalchemy.engine import make_url

from contract.access import AccessContract
from contract.releases import ReleaseContract
from contract.storage import CharterContract, InvitationContract, RecordContract, RunContract
from headwater_server.storage import SqlStorage
from headwater_server.storage.tables import metadata
from support.postgres import find_binaries, serve_postgres

POSTGRES = "HEADWATER_TEST_POSTGRES"


@pytest.fixture(scope="session")
def server() -> Iterator[URL]:
    """A PostgreSQL server, by the address of a database on it."""
    if POSTGRES in os.environ:
        yield make_url(os.environ[POSTGRES])
        return
    binaries = find_binaries()
    if binaries is None:
        pytest.skip(f"PostgreSQL is not installed; tools/ensure_postgres.sh installs it, or {POSTGRES} names a server")
    with serve_postgres(binaries) as started:
        yield started


@pytest.fixture(scope="session")
def database(server: URL) -> Iterator[URL]:
    """A new database on it."""
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    name = f"headwater_{secrets.token_hex(6)}"
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield server.set(database=name)
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name}"))
        engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStorage]:
    """Empty storage of each kind."""
    if request.param == "sqlite":
        opened = SqlStorage(f"sqlite:///{tmp_path / 'state.db'}")
        yield opened
        opened.close()
        return
    address: URL = request.getfixturevalue("database")
    opened = SqlStorage(address.render_as_string(hide_password=False))
    try:
        yield opened
    finally:
        opened.close()
        _empty(address)


def _empty(address: URL) -> None:
    """Empty all tables and count from 1 again: much cheaper than another database with all its migrations."""
    engine = create_engine(address)
    with engine.begin() as connection:
        names = ", ".join(table.name for table in metadata.sorted_tables)
        connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))
    engine.dispose()


class TestInvitations(InvitationContract):
    """Invitations and members in SQL."""


class TestCharters(CharterContract):
    """Charters and signatures in SQL."""


class TestRuns(RunContract):
    """Runs and decisions in SQL."""


class TestRecords(RecordContract):
    """Records of rounds, progress and results in SQL."""


class TestReleases(ReleaseContract):
    """Releases, decisions, attempts and waivers in SQL."""


class TestAccess(AccessContract):
    """Tokens, levels and counts in SQL."""
