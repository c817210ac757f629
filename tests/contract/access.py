"""What every `Storage` keeps to about readers; a test module gives it the implementation by the fixture `storage`."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from headwater.errors import InputError, StorageError
from headwater_server.storage import Storage
from headwater_server.storage.access_port import (
    READ_REGISTERED,
    RUNS,
    DatasetAccess,
    Download,
    DownloadCount,
    Level,
    TokenRecord,
)

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
TOKEN = TokenRecord(
    "0123abcd", "R. Franklin", "5e" * 32, (READ_REGISTERED, RUNS), "2026-11-22T09:30:00Z", "2027-02-20T09:30:00Z"
)


class AccessContract:
    """Tokens are kept by digest, levels by name, counts by file and day."""

    def test_there_is_nothing_at_first(self, storage: Storage) -> None:
        assert (storage.tokens(), storage.dataset_access(), storage.downloads("adult")) == ([], {}, [])

    def test_a_token_is_kept_as_it_was_made_and_in_order(self, storage: Storage) -> None:
        other = replace(TOKEN, token_id="00000000", sha256="ab" * 32)
        storage.add_token(TOKEN)
        storage.add_token(other)
        assert storage.tokens() == [TOKEN, other]

    def test_no_two_tokens_share_id_or_digest(self, storage: Storage) -> None:
        storage.add_token(TOKEN)
        for other in (replace(TOKEN, token_id="ffffffff"), replace(TOKEN, sha256="ff" * 32)):
            with pytest.raises(StorageError):
                storage.add_token(other)

    def test_a_token_is_revoked_once_and_for_ever(self, storage: Storage) -> None:
        storage.add_token(TOKEN)
        first = storage.revoke_token(TOKEN.token_id, NOW)
        again = storage.revoke_token(TOKEN.token_id, NOW + timedelta(days=1))
        assert first.revoked == again.revoked == "2026-11-22T09:30:00Z"
        assert storage.tokens() == [first]

    def test_a_token_that_nobody_made_is_not_revoked(self, storage: Storage) -> None:
        with pytest.raises(InputError, match="access token list"):
            storage.revoke_token("ffffffff", NOW)

    def test_the_last_day_of_use_only_goes_forward(self, storage: Storage) -> None:
        storage.add_token(TOKEN)
        for day in (date(2026, 11, 22), date(2026, 11, 24), date(2026, 11, 23)):
            storage.mark_token_used(TOKEN.token_id, day)
        assert [record.last_used for record in storage.tokens()] == ["2026-11-24"]

    def test_the_last_word_on_a_dataset_holds(self, storage: Storage) -> None:
        project = DatasetAccess(Level.PROJECT, ("heart", "lung"))
        storage.set_dataset_access("adult", DatasetAccess(Level.PUBLIC), NOW)
        storage.set_dataset_access("visits", DatasetAccess(Level.REGISTERED), NOW)
        storage.set_dataset_access("adult", project, NOW)
        assert storage.dataset_access() == {"adult": project, "visits": DatasetAccess(Level.REGISTERED)}

    def test_counts_add_up(self, storage: Storage) -> None:
        monday = Download("adult", 1, "data.parquet", "2026-11-23")
        tuesday = replace(monday, day="2026-11-24")
        csv = replace(monday, path="data.csv.gz")
        storage.count_downloads({tuesday: 2, monday: 1})
        storage.count_downloads({monday: 4, csv: 1, replace(monday, name="visits"): 7})
        found = [DownloadCount(csv, 1), DownloadCount(monday, 5), DownloadCount(tuesday, 2)]
        assert storage.downloads("adult") == found
        storage.count_downloads({})
        assert storage.downloads("adult") == found
