"""How much and how large: rates per reader, forgotten within minutes, and bounds of a request."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from headwater_server.catalogue.access.buckets import Buckets, address_key
from headwater_server.catalogue_limits import CatalogueLimits
from headwater_server.settings import CoordinatorSettings
from headwater_server.storage.access_port import READ_REGISTERED, SAMPLE
from support.access_site import AccessSite, site_of_visits

LIMITS = CatalogueLimits(
    requests_per_minute=5, file_requests_per_minute=8, sign_ins_per_minute=2, samples_per_minute=1, body_bytes=2048
)
ROWS = "/api/v1/releases/visits/1/files/data.parquet"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[AccessSite]:
    made = site_of_visits(tmp_path, limits=LIMITS)
    yield made
    made.storage.close()


def test_a_bucket_gives_what_it_holds_and_then_what_runs_in() -> None:
    clock = [0.0]
    buckets = Buckets(6, lambda: clock[0])
    assert [buckets.take("a") for _ in range(7)] == [0, 0, 0, 0, 0, 0, 10]
    assert buckets.take("b") == 0
    clock[0] += 9.9
    assert buckets.take("a") == 1
    clock[0] += 0.1
    assert [buckets.take("a"), buckets.take("a")] == [0, 10]


def test_no_limit_is_none() -> None:
    buckets = Buckets(0, lambda: 0.0)
    assert not any(buckets.take("a") for _ in range(10_000))
    assert len(buckets) == 0


def test_who_asked_is_forgotten_within_minutes() -> None:
    clock = [0.0]
    buckets = Buckets(10, lambda: clock[0])
    for number in range(50):
        buckets.take(f"192.0.2.{number}")
    assert len(buckets) == 50
    clock[0] += 61
    buckets.take("198.51.100.1")
    assert len(buckets) == 1


def test_many_addresses_do_not_fill_the_memory() -> None:
    buckets = Buckets(10, lambda: 0.0)
    for number in range(25_000):
        buckets.take(str(number))
    assert len(buckets) <= 20_000


@given(st.lists(st.floats(0, 5), max_size=60), st.integers(1, 20))
def test_no_pattern_of_asking_gets_more_than_the_rate(gaps: list[float], rate: int) -> None:
    clock, given_out = [0.0], 0
    buckets = Buckets(rate, lambda: clock[0])
    for gap in gaps:
        clock[0] += gap
        given_out += buckets.take("a") == 0
    assert given_out <= rate + clock[0] * rate / 60 + 1e-6


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", "unknown"),
        ("evil\r\n", "unknown"),
    ],
)
def test_addresses_are_counted_by_subscriber(host: str, key: str) -> None:
    assert address_key(host) == key


def test_more_requests_than_the_rate_are_told_to_wait(site: AccessSite) -> None:
    answers = [site.ask("/api/v1/releases") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert answers[-1].json()["error"]["code"] == "rate_limited"
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 12
    # Neither another reader, nor the same one's files.
    assert site.ask("/api/v1/releases", address="192.0.2.2").status_code == 200
    assert site.ask(ROWS, headers={"range": "bytes=0-9"}).status_code == 206


def test_a_token_has_a_rate_of_its_own_wherever_it_comes_from(site: AccessSite) -> None:
    one, other = site.token(READ_REGISTERED), site.token(READ_REGISTERED)
    answers = [site.ask("/api/v1/releases", one, address=f"192.0.2.{number}").status_code for number in range(6)]
    assert answers == [200] * 5 + [429]
    assert site.ask("/api/v1/releases", other).status_code == 200
    assert site.ask("/api/v1/releases").status_code == 200


def test_guessing_tokens_ends_soon(site: AccessSite) -> None:
    token = site.token(READ_REGISTERED)
    codes = [site.code("/", f"guess-{number}") for number in range(4)]
    assert codes == [(401, "bad_token")] * 2 + [(429, "rate_limited")] * 2
    assert site.code("/sign-in", method="POST", data={"token": "guess"})[0] == 429
    # Who has a token is not kept out by somebody else's guesses behind the same address.
    assert site.ask("/", token).status_code == 200


def test_orders_of_rows_are_limited_and_asking_how_they_stand_is_not(site: AccessSite) -> None:
    token = site.token(SAMPLE, READ_REGISTERED)
    codes = [site.code("/api/v1/samples", token, method="POST", json={})[1] for _ in range(2)]
    assert codes[0] != "rate_limited"
    assert codes[1] == "rate_limited"
    assert site.code("/api/v1/samples/none", token)[1] != "rate_limited"


def test_a_long_address_is_refused(site: AccessSite) -> None:
    assert site.code("/?q=" + "x" * 9000) == (414, "uri_too_long")
    assert site.code("/" + "x" * 9000) == (414, "uri_too_long")


@pytest.mark.parametrize(
    "headers",
    [{"x-long": "x" * 20_000}, {f"x-{number}": "1" for number in range(120)}, {"cookie": "a=" + "b" * 17_000}],
)
def test_large_headers_are_refused(site: AccessSite, headers: dict[str, str]) -> None:
    assert site.code("/", headers=headers) == (431, "headers_too_large")


@pytest.mark.parametrize("declared", ["5000", "9" * 400, "9" * 18])
def test_a_large_body_is_refused_before_it_is_read(site: AccessSite, declared: str) -> None:
    answer = site.ask("/sign-in", method="POST", headers={"content-length": declared}, content=b"token=x")
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize("declared", ["-1", "x", "1e3", "٣"])
def test_a_length_that_is_none_is_refused(site: AccessSite, declared: str) -> None:
    headers = {"content-length": declared.encode()}
    assert site.code("/sign-in", method="POST", headers=headers, content=b"token=x") == (400, "bad_request")


def test_a_body_that_grows_beyond_the_bound_is_refused_where_it_does(site: AccessSite) -> None:
    async def growing() -> AsyncIterator[bytes]:
        yield b"token="
        for _ in range(100):
            yield b"x" * 100

    assert site.code("/sign-in", method="POST", content=growing()) == (413, "too_large")


def test_limits_are_settings_and_unknown_ones_are_refused() -> None:
    settings = CoordinatorSettings.model_validate({"consortium": "C", "catalogue_limits": {"samples_per_minute": 3}})
    assert settings.catalogue_limits.samples_per_minute == 3
    assert settings.catalogue_limits.requests_per_minute == 1200
    for wrong in ({"pages": 3}, {"samples_per_minute": -1}, {"body_bytes": 10**9}):
        with pytest.raises(ValidationError):
            CoordinatorSettings.model_validate({"consortium": "C", "catalogue_limits": wrong})
