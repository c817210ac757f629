"""Tokens and levels as they are now, read from storage at most once a second."""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog
from anyio import to_thread

from headwater.agreement.access_token import PREFIX, is_well_formed, token_digest
from headwater.agreement.documents import instant_of
from headwater.errors import StorageError
from headwater_server.catalogue.access.reader import AccessRules, Reader
from headwater_server.catalogue.access.rules import Refusal
from headwater_server.storage.access_port import READ_REGISTERED, AccessStore, DatasetAccess, Level, TokenRecord

__all__ = ["AccessBook", "Snapshot"]

_log = structlog.get_logger(__name__)

_SHARED = "catalogue"
"""Id of the one token of settings.toml that every researcher may have been given."""

_FRESH_SECONDS = 1.0


@dataclass(frozen=True)
class Snapshot:
    """Who may what at one moment.

    Attributes:
        rules: levels of datasets.
        shared: digest of the token of settings.toml; None where there is none.
        by_digest: every token that was ever made, by its digest.
        now: UTC.
    """

    rules: AccessRules
    shared: str | None
    by_digest: Mapping[str, TokenRecord] = field(repr=False)
    now: str

    def reader_of_token(self, token: str) -> Reader | Refusal:
        """Who shows a token, or why it is none.

        Tokens are looked up by digest: how long that takes says nothing about a token that somebody else holds.
        """
        digest = token_digest(token)
        if self.shared is not None and hmac.compare_digest(digest, self.shared):
            return self._shared_reader(signed_in=False)
        record = self.by_digest.get(digest)
        if record is None:
            mistyped = token.startswith(PREFIX) and not is_well_formed(token)
            what = "this is no whole token: it is mistyped or cut short" if mistyped else "nobody was given this token"
            return Refusal(401, "bad_token", f"{what}; copy it again, or ask the consortium for one")
        if record.revoked is not None:
            return Refusal(401, "token_revoked", "this token was revoked; ask the consortium for another one")
        if record.expires <= self.now:
            return Refusal(401, "token_expired", f"this token expired at {record.expires}; ask for another one")
        return self._reader(record, signed_in=False)

    def reader_of_session(self, token_id: str) -> Reader:
        """Who is signed in by a token; a stranger where that is no longer good."""
        if token_id == _SHARED and self.shared is not None:
            return self._shared_reader(signed_in=True)
        for record in self.by_digest.values():
            if record.token_id == token_id and record.revoked is None and record.expires > self.now:
                return self._reader(record, signed_in=True)
        return Reader(self.rules)

    def _shared_reader(self, *, signed_in: bool) -> Reader:
        return Reader(self.rules, _SHARED, frozenset({READ_REGISTERED}), signed_in)

    def _reader(self, record: TokenRecord, *, signed_in: bool) -> Reader:
        return Reader(self.rules, record.token_id, frozenset(record.scopes), signed_in)


class AccessBook:
    """Where the catalogue looks up tokens and levels."""

    def __init__(
        self,
        store: AccessStore | None,
        *,
        default: Level,
        shared: str | None,
        open_runs: bool,
        now: Callable[[], float],
    ) -> None:
        """Look them up in a store.

        Args:
            store: where they are kept; None for a catalogue with nothing but its settings.
            default: level of a dataset that nobody chose one for.
            shared: digest of the token of settings.toml.
            open_runs: run pages are shown to everybody.
            now: seconds since 1970.
        """
        self._store = store
        self._default, self._shared, self._open_runs = default, shared, open_runs
        self._now = now
        self._held: Snapshot | None = None
        self._read_at = 0.0
        self._used: set[tuple[str, str]] = set()

    async def snapshot(self) -> Snapshot:
        """What holds now: a revoked token is refused a second later at the latest.

        Raises:
            StorageError: it cannot be read; nobody may be let in by what was read before.
        """
        now = self._now()
        if self._held is None or not 0 <= now - self._read_at < _FRESH_SECONDS:
            tokens, datasets = (
                (None, None) if self._store is None else await to_thread.run_sync(self._read, self._store)
            )
            self._held = Snapshot(
                AccessRules(self._default, datasets or {}, self._open_runs),
                self._shared,
                {record.sha256: record for record in tokens or ()},
                instant_of(datetime.fromtimestamp(now, UTC)),
            )
            self._read_at = now
        return self._held

    async def note_use(self, token_id: str) -> None:
        """Record that a token was used today; once a day is enough."""
        day = datetime.fromtimestamp(self._now(), UTC).date()
        mark = (token_id, day.isoformat())
        if self._store is None or token_id == _SHARED or mark in self._used:
            return
        self._used = {each for each in self._used if each[1] == mark[1]} | {mark}
        try:
            await to_thread.run_sync(self._store.mark_token_used, token_id, day)
        except StorageError as error:
            # What was asked for is answered all the same: the day of last use is for the operator's tidying up.
            _log.warning("token_use_not_recorded", reason=str(error))

    async def may_still_see_runs(self, reader: Reader) -> bool:
        """Tell whether who was let in to a run's progress a while ago would be let in now."""
        try:
            snapshot = await self.snapshot()
        except StorageError as error:
            _log.error("access_not_readable", reason=str(error))
            return False
        return snapshot.reader_of_session(reader.token_id).may_see_runs

    @staticmethod
    def _read(store: AccessStore) -> tuple[tuple[TokenRecord, ...], Mapping[str, DatasetAccess]]:
        return tuple(store.tokens()), store.dataset_access()
