"""`SqlStorage` keeps to the contract on SQLite, and on PostgreSQL where HEADWATER_TEST_POSTGRES names a server."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from contract.access import AccessContract
from contract.releases import ReleaseContract
from contract.storage import CharterContract, InvitationContract, RecordContract, RunContract
from headwater_server.storage import SqlStorage

POSTGRES = "HEADWATER_TEST_POSTGRES"


@pytest.fixture(params=["sqlite", "postgresql"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStorage]:
    """A new database of each kind."""
    if request.param == "sqlite":
        opened = SqlStorage(f"sqlite:///{tmp_path / 'state.db'}")
        yield opened
        opened.close()
        return
    if POSTGRES not in os.environ:
        pytest.skip(f"{POSTGRES} names no server, such as postgresql+psycopg://user@host/postgres")
    server = create_engine(os.environ[POSTGRES], isolation_level="AUTOCOMMIT")
    name = f"headwater_{secrets.token_hex(6)}"
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    opened = SqlStorage(make_url(os.environ[POSTGRES]).set(database=name).render_as_string(hide_password=False))
    try:
        yield opened
    finally:
        opened.close()
        with server.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name}"))
        server.dispose()


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
