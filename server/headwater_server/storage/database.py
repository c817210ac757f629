"""Open a database, bring its tables up to date, and turn its failures into ours."""

import contextlib
from collections.abc import Iterator
from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from headwater.errors import InputError, StorageError

__all__ = ["Database"]

_BUSY_SECONDS = 30


class Database:
    """An engine with its migrations applied."""

    def __init__(self, url: str) -> None:
        """Open and migrate.

        Raises:
            InputError: not a database URL, or its driver is not installed.
            StorageError: it cannot be reached, or is of a newer version.
        """
        try:
            parsed = make_url(url)
            engine = create_engine(parsed)
        except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
            raise InputError(
                "the database setting is no usable SQLAlchemy URL; write sqlite:///FILE or install its driver"
            ) from error
        if parsed.get_backend_name() == "sqlite":
            _tune_sqlite(engine)
        self._engine = engine
        try:
            with self.transaction() as connection:
                self._migrate(connection)
        except CommandError as error:
            raise StorageError("the database was written by a newer release; install that one") from error

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction: all of it or nothing.

        Raises:
            StorageError: the database did not do what was asked.
        """
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            reason = str(getattr(error, "orig", None) or error).splitlines()[0]
            raise StorageError(f"the database refused: {reason}; nothing was changed, mend it and retry") from error

    def close(self) -> None:
        """Drop all connections."""
        self._engine.dispose()

    @staticmethod
    def _migrate(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(files("headwater_server.storage") / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _tune_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _pragmas(connection: object, _: object) -> None:
        cursor = connection.cursor()  # type: ignore[attr-defined]
        # WAL lets commands read while `serve` writes; FULL keeps a committed record over a power cut (protocol 4.8).
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            f"busy_timeout={_BUSY_SECONDS * 1000}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
