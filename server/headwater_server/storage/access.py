"""Tokens, levels of datasets and counts of downloads in SQL."""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, delete, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from headwater.agreement.documents import instant_of
from headwater.errors import InputError
from headwater_server.storage import tables
from headwater_server.storage.access_port import DatasetAccess, Download, DownloadCount, Level, TokenRecord
from headwater_server.storage.database import Database

__all__ = ["SqlAccess"]

_TOKENS, _LEVELS, _COUNTS = tables.access_tokens, tables.dataset_access, tables.download_counts


class SqlAccess:
    """`Storage`'s part about who may read; see there for what each method promises."""

    _database: Database

    def add_token(self, record: TokenRecord) -> None:
        """Record a new token."""
        with self._database.transaction() as connection:
            connection.execute(
                insert(_TOKENS).values(
                    token_id=record.token_id,
                    label=record.label,
                    sha256=record.sha256,
                    scopes=json.dumps(record.scopes),
                    created=record.created,
                    expires=record.expires,
                    revoked=record.revoked,
                    last_used=record.last_used,
                )
            )

    def tokens(self) -> Sequence[TokenRecord]:
        """Every token that was ever made, oldest first."""
        with self._database.transaction() as connection:
            return [_token(row) for row in connection.execute(select(_TOKENS).order_by(_TOKENS.c.number)).all()]

    def revoke_token(self, token_id: str, now: datetime) -> TokenRecord:
        """Take a token back for ever."""
        with self._database.transaction() as connection:
            connection.execute(
                update(_TOKENS)
                .where(_TOKENS.c.token_id == token_id, _TOKENS.c.revoked.is_(None))
                .values(revoked=instant_of(now))
            )
            row = connection.execute(select(_TOKENS).where(_TOKENS.c.token_id == token_id)).one_or_none()
        if row is None:
            raise InputError(f"there is no token {token_id!r}; headwater-coordinator access token list shows all")
        return _token(row)

    def mark_token_used(self, token_id: str, day: date) -> None:
        """Record the last day on which a token was used."""
        text = day.isoformat()
        older = or_(_TOKENS.c.last_used.is_(None), _TOKENS.c.last_used < text)
        with self._database.transaction() as connection:
            connection.execute(update(_TOKENS).where(_TOKENS.c.token_id == token_id, older).values(last_used=text))

    def set_dataset_access(self, name: str, access: DatasetAccess, now: datetime) -> None:
        """Choose a dataset's level."""
        with self._database.transaction() as connection:
            connection.execute(delete(_LEVELS).where(_LEVELS.c.name == name))
            connection.execute(
                insert(_LEVELS).values(
                    name=name,
                    level=access.level.value,
                    projects=json.dumps(access.projects),
                    changed=instant_of(now),
                )
            )

    def dataset_access(self) -> Mapping[str, DatasetAccess]:
        """What was chosen, by name of dataset."""
        with self._database.transaction() as connection:
            rows = connection.execute(select(_LEVELS).order_by(_LEVELS.c.name)).all()
        return {row.name: DatasetAccess(Level(row.level), tuple(json.loads(row.projects))) for row in rows}

    def count_downloads(self, counts: Mapping[Download, int]) -> None:
        """Add to the counts, all of them or none."""
        with self._database.transaction() as connection:
            make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
            # In one order everywhere, so that two processes that count at once never wait for each other in a ring.
            for each, count in sorted(counts.items(), key=lambda item: _key(item[0])):
                added = make(_COUNTS).values(
                    name=each.name, version=each.version, path=each.path, day=each.day, count=count
                )
                connection.execute(
                    added.on_conflict_do_update(
                        index_elements=["name", "version", "path", "day"],
                        set_={"count": _COUNTS.c.count + added.excluded["count"]},
                    )
                )

    def downloads(self, name: str) -> Sequence[DownloadCount]:
        """Counts of a dataset by version, path and day."""
        columns = _COUNTS.c
        with self._database.transaction() as connection:
            rows = connection.execute(
                select(_COUNTS).where(columns.name == name).order_by(columns.version, columns.path, columns.day)
            ).all()
        return [DownloadCount(Download(row.name, row.version, row.path, row.day), int(row[4])) for row in rows]


def _key(download: Download) -> tuple[str, int, str, str]:
    return download.name, download.version, download.path, download.day


def _token(row: Row[Any]) -> TokenRecord:
    return TokenRecord(
        token_id=row.token_id,
        label=row.label,
        sha256=row.sha256,
        scopes=tuple(json.loads(row.scopes)),
        created=row.created,
        expires=row.expires,
        revoked=row.revoked,
        last_used=row.last_used,
    )
