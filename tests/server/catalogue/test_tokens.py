"""Tokens and sessions: good ones, every way to be none, and what becomes of a session when its token goes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.datastructures import Headers

from headwater.agreement.access_token import new_access_token
from headwater.errors import InputError, StorageError
from headwater_server.catalogue.access.sessions import COOKIE, same_origin
from headwater_server.storage.access_port import READ_REGISTERED, Level, checked_dataset_access, checked_scopes
from support.access_site import HOST, AccessSite, site_of_visits

ROWS = "/api/v1/releases/visits/1/files/data.parquet"
HTML = {"accept": "text/html"}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[AccessSite]:
    made = site_of_visits(tmp_path)
    made.put("visits", Level.REGISTERED)
    yield made
    made.storage.close()


def signed_in(site: AccessSite, token: str) -> str:
    """The cookie of a session."""
    answer = site.ask("/sign-in", method="POST", data={"token": token, "next": "/"})
    assert answer.status_code == 303
    return answer.headers["set-cookie"].split(";")[0]


def test_a_token_is_good_until_its_second_and_not_after(site: AccessSite) -> None:
    token = site.token(READ_REGISTERED, days=1)
    site.clock += 86400 - 2
    assert site.ask(ROWS, token).status_code == 200
    site.clock += 1
    assert site.code(ROWS, token) == (401, "token_expired")


def test_a_revoked_token_is_told_so(site: AccessSite) -> None:
    token = site.token(READ_REGISTERED)
    assert site.ask(ROWS, token).status_code == 200
    site.revoke(token)
    answer = site.ask(ROWS, token)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "token_revoked")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_a_token_that_nobody_was_given_is_refused_even_where_none_is_needed(site: AccessSite) -> None:
    for token in ("wrong", new_access_token()):
        assert site.code("/api/v1/releases", token) == (401, "bad_token")
    assert site.ask("/api/v1/releases").status_code == 200


def test_a_mistyped_token_is_told_apart_and_not_repeated(site: AccessSite) -> None:
    token = site.token(READ_REGISTERED)
    answer = site.ask(ROWS, token[:-1] + ("0" if token[-1] != "0" else "1"))
    assert "mistyped" in answer.json()["error"]["message"]
    assert token[:-1] not in answer.text
    assert "mistyped" not in site.ask(ROWS, new_access_token()).text


def test_two_tokens_at_once_are_refused(site: AccessSite) -> None:
    token = site.token(READ_REGISTERED)
    both = [("authorization", f"Bearer {token}"), ("authorization", "Bearer x")]
    assert site.code(ROWS, headers=both) == (401, "bad_token")


def test_the_day_of_last_use_is_kept_and_no_more(site: AccessSite) -> None:
    token = site.token(READ_REGISTERED)
    assert site.storage.tokens()[0].last_used is None
    site.ask(ROWS, token)
    assert site.storage.tokens()[0].last_used == "2026-11-21"


def test_a_session_reads_as_its_token_does_and_ends_with_it(site: AccessSite) -> None:
    token = site.token(READ_REGISTERED)
    cookie = {"cookie": signed_in(site, token)}
    assert site.ask(ROWS, headers=cookie).status_code == 200
    assert "Sign out" in site.ask("/", headers=cookie | HTML).text
    assert "Sign out" not in site.ask("/", headers=HTML).text
    site.revoke(token)
    assert site.code(ROWS, headers=cookie) == (401, "token_required")
    assert site.ask("/datasets/visits", headers=cookie).status_code == 200


def test_a_session_ends_when_its_token_expires(site: AccessSite) -> None:
    token = site.token(READ_REGISTERED, days=1 / 24)
    cookie = {"cookie": signed_in(site, token)}
    site.clock += 3600
    assert site.code(ROWS, headers=cookie) == (401, "token_required")


def test_signing_out_takes_the_cookie_back(site: AccessSite) -> None:
    cookie = {"cookie": signed_in(site, site.token(READ_REGISTERED))}
    answer = site.ask("/sign-out", method="POST", headers=cookie)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "max-age=0" in answer.headers["set-cookie"].lower()
    assert answer.headers["set-cookie"].startswith(f"{COOKIE}=")
    assert answer.headers["clear-site-data"] == '"cache"'
    # A link or picture on another page cannot sign anybody out.
    assert site.ask("/sign-out", headers=cookie).status_code == 405


@pytest.mark.parametrize("scopes", [("read:project:heart",), ("runs",)])
def test_a_token_of_any_scope_may_sign_in(site: AccessSite, scopes: tuple[str, ...]) -> None:
    cookie = {"cookie": signed_in(site, site.token(*scopes))}
    assert (site.ask(ROWS, headers=cookie).status_code == 200) == ("runs" not in scopes)


def test_revoked_expired_and_unknown_tokens_do_not_sign_in(site: AccessSite) -> None:
    revoked, expired = site.token("runs"), site.token("runs", days=0.5)
    site.revoke(revoked)
    site.clock += 86400 / 2
    for token, said in ((revoked, "revoked"), (expired, "expired"), (new_access_token(), "Nobody"), ("", "Nobody")):
        answer = site.ask("/sign-in", method="POST", data={"token": token}, headers=HTML)
        assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)
        assert said in answer.text
        assert not token or token not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": f"http://{HOST}"},
        {"origin": f"https://{HOST}.evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "same-origin", "origin": "https://evil.example"},
        {"sec-fetch-site": "nonsense"},
    ],
)
@pytest.mark.parametrize("path", ["/sign-in", "/sign-out"])
def test_another_site_signs_nobody_in_or_out(site: AccessSite, path: str, headers: dict[str, str]) -> None:
    token = site.token(READ_REGISTERED)
    answer = site.ask(path, method="POST", headers=headers, data={"token": token})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "cross_site")
    assert "set-cookie" not in answer.headers


def test_a_session_changes_nothing_from_another_site_but_a_program_with_a_token_may(site: AccessSite) -> None:
    token = site.token("sample", READ_REGISTERED)
    cookie = {"cookie": signed_in(site, token), "origin": "https://evil.example"}
    assert site.code("/api/v1/samples", method="POST", headers=cookie)[1] == "cross_site"
    assert (
        site.code("/api/v1/samples", token, method="POST", headers={"origin": "https://evil.example"})[1]
        != "cross_site"
    )


def test_the_sites_own_pages_may() -> None:
    own = Headers({"origin": f"https://{HOST}", "host": HOST, "sec-fetch-site": "same-origin"})
    assert same_origin(own)
    assert same_origin(Headers({"host": HOST}))
    assert same_origin(Headers({"host": HOST, "sec-fetch-site": "none"}))
    # The pages' referrer policy makes browsers say no more of their own forms.
    assert same_origin(Headers({"host": HOST, "sec-fetch-site": "same-origin", "origin": "null"}))
    assert not same_origin(Headers({"host": HOST, "sec-fetch-site": "cross-site", "origin": "null"}))
    assert not same_origin(Headers({"host": HOST, "sec-fetch-site": "none", "origin": "null"}))


def test_where_tokens_cannot_be_read_nobody_is_let_in(site: AccessSite, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise StorageError("the database refused: disk I/O error")

    monkeypatch.setattr(site.storage, "tokens", broken)
    site.pass_time()
    answer = site.ask("/")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
    assert "disk" not in answer.text


def test_no_token_reaches_log_page_or_address(
    site: AccessSite, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    token = site.token(READ_REGISTERED)
    cookie = signed_in(site, token)
    answers = [
        site.ask("/", token),
        site.ask("/datasets/visits", headers={"cookie": cookie} | HTML),
        site.ask("/nowhere", token),
        site.ask(ROWS, token[:-2]),
    ]
    shown = "".join(answer.text + str(answer.headers) for answer in answers)
    printed = capsys.readouterr()
    for text in (
        shown,
        cookie,
        caplog.text,
        printed.out,
        printed.err,
        (site.folder / "state.db").read_bytes().decode("latin-1"),
    ):
        assert token[3:40] not in text


@pytest.mark.parametrize(
    "scopes", [(), ("",), ("read",), ("read:all",), ("read:project:",), ("read:project:A b",), ("runs", "admin")]
)
def test_a_scope_that_there_is_not_is_refused(scopes: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="scope"):
        checked_scopes(scopes)


@pytest.mark.parametrize(
    ("name", "level", "projects"),
    [
        ("../x", "public", ()),
        ("adult", "closed", ()),
        ("adult", "secret", ()),
        ("adult", "project", ()),
        ("adult", "public", ("heart",)),
        ("adult", "project", ("Heart",)),
    ],
)
def test_a_choice_that_does_not_hold_is_refused(name: str, level: str, projects: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match=r"name|level|project"):
        checked_dataset_access(name, level, projects)
