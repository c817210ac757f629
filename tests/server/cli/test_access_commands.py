"""`access`, `downloads` and `withdraw`: what an operator types and reads."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from headwater.agreement.access_token import is_well_formed, token_digest
from headwater.errors import InputError
from headwater.release.withdrawal import WITHDRAWN
from headwater_server.cli import app
from headwater_server.settings import CoordinatorHome
from headwater_server.storage import SqlStorage
from headwater_server.storage.access_port import Download
from support.coordinator_home import home_with_charter
from support.releases import Consortium, make_table, publish


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> CoordinatorHome:
    made = home_with_charter(tmp_path_factory.mktemp("home") / "coordinator")
    storage = storage_of(made)
    charter = storage.charter_in_force()
    storage.close()
    assert charter is not None
    world = Consortium(charter, made.charter_key())
    publish(made.releases, world, make_table(40))
    publish(made.releases, world, make_table(40))
    return made


@pytest.fixture
def storage(home: CoordinatorHome) -> Iterator[SqlStorage]:
    opened = storage_of(home)
    yield opened
    opened.close()


def storage_of(home: CoordinatorHome) -> SqlStorage:
    return SqlStorage(home.database_url(home.settings()))


def done(home: CoordinatorHome, *arguments: str) -> str:
    result = CliRunner().invoke(app, [*arguments, "--home", str(home.folder)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


def test_a_token_is_shown_once_and_kept_by_its_digest(home: CoordinatorHome, storage: SqlStorage) -> None:
    said = done(home, "access", "token", "create", "R. Franklin", "--scope", "read:registered", "--scope", "runs")
    token = said.splitlines()[-1]
    assert is_well_formed(token)
    record = storage.tokens()[-1]
    assert (record.label, record.scopes, record.sha256) == (
        "R. Franklin",
        ("read:registered", "runs"),
        token_digest(token),
    )
    listed = done(home, "access", "token", "list")
    assert f"{record.token_id}  good until {record.expires}; read:registered, runs; never used; R. Franklin" in listed
    assert token[3:20] not in listed
    assert token.encode() not in b"".join(path.read_bytes() for path in home.folder.glob("state.db*"))
    assert "is revoked since" in done(home, "access", "token", "revoke", record.token_id)
    assert f"{record.token_id}  revoked" in done(home, "access", "token", "list")


@pytest.mark.parametrize(("expires", "ends"), [("1d", None), ("3660d", None), ("2030-06-30", "2030-07-01T00:00:00Z")])
def test_a_token_lasts_as_long_as_was_said(
    home: CoordinatorHome, storage: SqlStorage, expires: str, ends: str | None
) -> None:
    done(home, "access", "token", "create", "A", "--scope", "runs", "--expires", expires)
    record = storage.tokens()[-1]
    assert record.expires == ends or (ends is None and record.expires[11:] == record.created[11:])


@pytest.mark.parametrize("expires", ["0d", "3661d", "2020-01-01", "soon", "-1d", "9999999999d", "", "1.5d", "٣d"])
def test_a_token_for_no_time_or_for_ever_is_not_made(home: CoordinatorHome, storage: SqlStorage, expires: str) -> None:
    before = storage.tokens()
    with pytest.raises(InputError, match="--expires"):
        done(home, "access", "token", "create", "A", "--scope", "runs", "--expires", expires)
    assert storage.tokens() == before


@pytest.mark.parametrize("label", ["", " ", "a\nb", "x" * 201, "\x1b[31m"])
def test_a_label_is_one_printable_line(home: CoordinatorHome, label: str) -> None:
    with pytest.raises(InputError, match="label"):
        done(home, "access", "token", "create", label, "--scope", "runs")


def test_an_unknown_scope_or_token_is_refused(home: CoordinatorHome) -> None:
    with pytest.raises(InputError, match="is no scope"):
        done(home, "access", "token", "create", "A", "--scope", "everything")
    with pytest.raises(InputError, match="no token"):
        done(home, "access", "token", "revoke", "ffffffff")


def test_levels_are_chosen_and_shown(home: CoordinatorHome) -> None:
    assert "visits: public, for everybody who can connect (nothing was said of it)." in done(home, "access", "show")
    said = done(home, "access", "dataset", "visits", "--level", "project", "--project", "heart", "--project", "lung")
    assert "read:project:heart, read:project:lung alone" in said
    assert "visits: project" in done(home, "access", "show")
    assert "Nothing is published under other" in done(home, "access", "dataset", "other", "--level", "registered")
    shown = done(home, "access", "show")
    assert re.search(r"^other: registered", shown, re.MULTILINE)
    assert "Any other dataset: public" in shown
    with pytest.raises(InputError, match="is no level"):
        done(home, "access", "dataset", "visits", "--level", "private")


def test_downloads_are_shown_by_version_and_file(home: CoordinatorHome, storage: SqlStorage) -> None:
    assert "No download of visits was counted" in done(home, "downloads", "visits")
    storage.count_downloads({Download("visits", 1, "data.parquet", day): 1200 for day in ("2026-11-22", "2026-11-23")})
    assert "2,400" in done(home, "downloads", "visits")
    by_day = done(home, "downloads", "visits", "--by-day")
    assert "2026-11-23" in by_day
    assert by_day.count("1,200") == 2


def test_a_version_is_withdrawn(home: CoordinatorHome) -> None:
    why = "Two columns were swapped."
    said = done(home, "withdraw", "visits", "--version", "1", "--reason", why, "--replaced-by", "2")
    assert "its rows are removed. Version 2 is to be used instead." in said
    folder = home.releases / "visits" / "1"
    assert (folder / WITHDRAWN).is_file()
    assert not (folder / "data.parquet").exists()
    assert (home.releases / "visits" / "2" / "data.parquet").is_file()
    with pytest.raises(InputError, match="not published"):
        done(home, "withdraw", "nosuch", "--version", "1", "--reason", why)


def test_settings_of_before_still_hold(tmp_path: Path) -> None:
    made = home_with_charter(tmp_path / "coordinator")
    path = made.folder / "settings.toml"
    old = "".join(
        line for line in path.read_text().split("[catalogue_limits]")[0].splitlines(True) if "catalogue_" not in line
    )
    path.write_text(f'{old}catalogue_token_sha256 = "{"a" * 64}"\n')
    assert made.settings().catalogue_level == ""
    assert "closed: for the catalogue's shared token" in done(made, "access", "show")
