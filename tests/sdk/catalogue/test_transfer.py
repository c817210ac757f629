"""One file over a line and from a server that misbehave, by real TLS: whole and right under its name, or not there."""

import errno
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from headwater.catalogue import parallel, transfer
from headwater.catalogue.client import CatalogueClient
from headwater.catalogue.refusals import AccessRefused, Busy, NotInCatalogue, WithdrawnRelease
from headwater.catalogue.transfer import fetch_file
from headwater.errors import HeadwaterError, PeerError, ReleaseRefused, StorageError, TransportError
from support.lying_files import FileServer, file_server

PART = 64 * 1024
SIZE = 20 * PART + 777


@pytest.fixture(scope="module")
def content() -> bytes:
    return np.random.default_rng(3).bytes(SIZE)


@pytest.fixture
def server(tmp_path: Path, content: bytes) -> Iterator[FileServer]:
    folder = tmp_path / "authority"
    folder.mkdir()
    with file_server(folder, content) as running:
        yield running


@pytest.fixture
def in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of a megabyte come as those of a gigabyte do."""
    monkeypatch.setattr(transfer, "PARALLEL_FROM_BYTES", 4 * PART)
    monkeypatch.setattr(parallel, "PART_BYTES", PART)
    # As from another machine: on this one, a file comes over one connection.
    monkeypatch.setattr(CatalogueClient, "streams", 4)


def fetch(
    server: FileServer,
    target: Path,
    on_size: Callable[[int], None] = lambda _size: None,
    waits: list[float] | None = None,
    token: str = "",
) -> None:
    pauses: list[float] = [] if waits is None else waits
    with server.client(token) as client:
        fetch_file(client, "x", 1, server.entry, target, on_size, pauses.append)


def nothing_under_its_name(target: Path) -> bool:
    return not target.exists()


@pytest.mark.usefixtures("in_parts")
class TestInParts:
    """Several connections at the same time."""

    def test_a_large_file_comes_in_parts_in_its_order(self, server: FileServer, tmp_path: Path, content: bytes) -> None:
        seen: list[int] = []
        fetch(server, tmp_path / "data", seen.append)
        assert (tmp_path / "data").read_bytes() == content
        assert seen == [0, *range(PART, SIZE, PART), SIZE]
        assert sorted(server.asked) == sorted(f"bytes={s}-{min(s + PART, SIZE) - 1}" for s in range(0, SIZE, PART))
        # Connections are kept from part to part.
        assert server.connections <= 4
        assert not (tmp_path / "data.part").exists()

    def test_a_partial_file_is_continued_in_parts(self, server: FileServer, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "data.part").write_bytes(content[: 5 * PART + 11])
        fetch(server, tmp_path / "data")
        assert (tmp_path / "data").read_bytes() == content
        assert min(int(each.removeprefix("bytes=").split("-")[0]) for each in server.asked) == 5 * PART + 11

    def test_a_line_that_breaks_keeps_what_is_there_without_a_gap(
        self, server: FileServer, tmp_path: Path, content: bytes
    ) -> None:
        server.cut, server.cuts = PART // 2, 6
        waits: list[float] = []
        fetch(server, tmp_path / "data", waits=waits)
        assert (tmp_path / "data").read_bytes() == content
        assert waits

    def test_a_server_that_goes_away_leaves_a_beginning_that_can_be_continued(
        self, server: FileServer, tmp_path: Path, content: bytes
    ) -> None:
        fetched: list[int] = []

        def gone(size: int) -> None:
            fetched.append(size)
            if size >= 4 * PART:
                server.cut, server.cuts = 0, None

        with pytest.raises(TransportError, match="could not be reached"):
            fetch(server, tmp_path / "data", gone)
        held = (tmp_path / "data.part").read_bytes()
        assert nothing_under_its_name(tmp_path / "data")
        assert len(held) >= 4 * PART
        assert held == content[: len(held)]
        server.cut = None
        fetch(server, tmp_path / "data")
        assert (tmp_path / "data").read_bytes() == content

    def test_a_server_without_ranges_sends_the_whole(self, server: FileServer, tmp_path: Path, content: bytes) -> None:
        server.ranges = False
        (tmp_path / "data.part").write_bytes(content[:PART])
        fetch(server, tmp_path / "data")
        assert (tmp_path / "data").read_bytes() == content

    def test_a_file_that_changes_on_the_way_is_refused(self, server: FileServer, tmp_path: Path) -> None:
        server.changed, server.change_after = bytes(SIZE), 3
        with pytest.raises(ReleaseRefused, match="is not the file that was signed"):
            fetch(server, tmp_path / "data")
        assert nothing_under_its_name(tmp_path / "data")
        assert not (tmp_path / "data.part").exists()

    def test_a_link_in_place_of_a_partial_file_is_not_followed(
        self, server: FileServer, tmp_path: Path, content: bytes
    ) -> None:
        precious = tmp_path / "thesis.txt"
        precious.write_text("precious")
        (tmp_path / "data.part").symlink_to(precious)
        fetch(server, tmp_path / "data")
        assert (tmp_path / "data").read_bytes() == content
        assert precious.read_text() == "precious"

    def test_another_part_than_was_asked_for_is_refused(self, server: FileServer, tmp_path: Path) -> None:
        server.shift = 1
        with pytest.raises(PeerError, match=r"another part of data\.parquet"):
            fetch(server, tmp_path / "data")
        assert nothing_under_its_name(tmp_path / "data")

    def test_a_part_that_lies_is_refused_at_the_end(self, server: FileServer, tmp_path: Path, content: bytes) -> None:
        entry = server.entry
        server.content = content[:-1] + bytes([content[-1] ^ 1])
        server.headers["etag"] = f'"{entry.sha256}"'
        with server.client() as client, pytest.raises(ReleaseRefused, match="is not the file that was signed"):
            fetch_file(client, "x", 1, entry, tmp_path / "data", lambda _size: None, lambda _seconds: None)
        assert not list(tmp_path.glob("data*"))


def test_a_small_file_is_one_request(server: FileServer, tmp_path: Path, content: bytes) -> None:
    fetch(server, tmp_path / "data")
    assert (tmp_path / "data").read_bytes() == content
    assert server.asked == [""]


def test_a_truncated_answer_is_continued(server: FileServer, tmp_path: Path, content: bytes) -> None:
    server.cut, server.cuts = 1000, 2
    fetch(server, tmp_path / "data")
    assert server.asked == ["", "bytes=1000-", "bytes=2000-"]
    assert (tmp_path / "data").read_bytes() == content


@pytest.mark.parametrize(("length", "words"), [(SIZE + 1, "is longer than"), (SIZE - 1, "is shorter than")])
def test_a_wrong_length_is_refused_before_a_byte(server: FileServer, tmp_path: Path, length: int, words: str) -> None:
    server.headers["content-length"] = str(length)
    with pytest.raises(ReleaseRefused, match=words):
        fetch(server, tmp_path / "data")
    assert not list(tmp_path.glob("data*"))


def test_a_redirect_is_not_followed(server: FileServer, tmp_path: Path) -> None:
    server.status, server.headers = 302, {"location": server.url + "/elsewhere"}
    with pytest.raises(TransportError, match="sends elsewhere"):
        fetch(server, tmp_path / "data")
    assert server.asked == [""]
    assert nothing_under_its_name(tmp_path / "data")


def test_a_compressed_answer_is_refused(server: FileServer, tmp_path: Path) -> None:
    server.headers["content-encoding"] = "gzip"
    with pytest.raises(PeerError, match="compressed, which was not asked for"):
        fetch(server, tmp_path / "data")
    assert nothing_under_its_name(tmp_path / "data")


def test_a_beginning_that_is_longer_than_the_file_is_thrown_away(
    server: FileServer, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "data.part").write_bytes(bytes(SIZE + 5))
    fetch(server, tmp_path / "data")
    assert (tmp_path / "data").read_bytes() == content


def test_a_beginning_of_something_else_is_refused_and_deleted(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "data.part").write_bytes(bytes(100))
    with pytest.raises(ReleaseRefused, match="is not the file that was signed"):
        fetch(server, tmp_path / "data")
    assert not list(tmp_path.glob("data*"))


def test_a_certificate_of_another_authority_is_refused_at_once(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with file_server(tmp_path / "other", b"x") as other:
        server.ca_pem = other.ca_pem
    waits: list[float] = []
    with pytest.raises(TransportError, match="does not come from the pinned CA"):
        fetch(server, tmp_path / "data", waits=waits)
    assert waits == []
    assert server.asked == []


def test_a_full_disk_is_told_and_what_came_is_kept(
    server: FileServer, tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = transfer._Growing.take

    def full(growing: transfer._Growing, piece: bytes | memoryview) -> None:
        if growing.size > 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken(growing, piece)

    with monkeypatch.context() as patched:
        patched.setattr(transfer._Growing, "take", full)
        with pytest.raises(StorageError, match=r"is full.*make room"):
            fetch(server, tmp_path / "data")
    assert nothing_under_its_name(tmp_path / "data")
    held = (tmp_path / "data.part").read_bytes()
    assert held
    assert held == content[: len(held)]
    fetch(server, tmp_path / "data")
    assert (tmp_path / "data").read_bytes() == content


@pytest.mark.parametrize(
    ("status", "code", "token", "kind", "told", "words"),
    [
        (401, "token_required", "", AccessRefused, "token_required", "asks for a token"),
        (401, "bad_token", "t", AccessRefused, "bad_token", "does not accept the token"),
        (401, "token_expired", "t", AccessRefused, "token_expired", "has expired"),
        (401, "token_revoked", "t", AccessRefused, "token_revoked", "was revoked"),
        (403, "forbidden", "t", AccessRefused, "forbidden", "does not open"),
        (401, "unauthorised", "", AccessRefused, "token_required", "asks for a token"),
        (401, "", "t", AccessRefused, "bad_token", "does not accept the token"),
        (403, "", "t", AccessRefused, "forbidden", "does not open"),
        (404, "not_found", "", NotInCatalogue, "not_found", "is not in"),
        (410, "withdrawn", "", WithdrawnRelease, "withdrawn", "was withdrawn"),
        (429, "rate_limited", "", Busy, "rate_limited", "come back in 90 seconds"),
        (500, "", "", TransportError, "transport", "answered 500"),
    ],
)
def test_each_refusal_is_a_clear_line_with_a_code(
    server: FileServer,
    tmp_path: Path,
    status: int,
    code: str,
    token: str,
    kind: type[HeadwaterError],
    told: str,
    words: str,
) -> None:
    server.status, server.headers = status, {"retry-after": "90"} if status == 429 else {}
    server.body = f'{{"error": {{"code": "{code}", "message": "x"}}}}'.encode()
    with pytest.raises(kind, match=words) as caught:
        fetch(server, tmp_path / "data", token=token)
    assert caught.value.code == told
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"error": 1}', b'{"error": {"code": []}}', b"[" * 60_000])
def test_a_refusal_may_hold_anything(server: FileServer, tmp_path: Path, body: bytes) -> None:
    server.status, server.body = 401, body
    with pytest.raises(AccessRefused):
        fetch(server, tmp_path / "data")


def test_a_busy_catalogue_is_waited_for(server: FileServer, tmp_path: Path, content: bytes) -> None:
    server.status, server.headers = 429, {"retry-after": "3"}
    waits: list[float] = []

    def recover(seconds: float) -> None:
        waits.append(seconds)
        server.status, server.headers = None, {}

    with server.client() as client:
        fetch_file(client, "x", 1, server.entry, tmp_path / "data", lambda _size: None, recover)
    assert waits == [3.0]
    assert (tmp_path / "data").read_bytes() == content


def test_a_large_file_of_this_machine_comes_over_one_connection(
    server: FileServer, tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "PARALLEL_FROM_BYTES", 4 * PART)
    with server.client("") as here:
        assert here.streams == 1
        elsewhere = here.known.model_copy(update={"url": "https://catalogue.example"})
    with CatalogueClient(elsewhere) as there:
        assert there.streams == 4
    fetch(server, tmp_path / "data")
    # Hashed in a thread of its own while it was received: in the right order, and all of it.
    assert (tmp_path / "data").read_bytes() == content
    assert len(server.asked) == 1
    wrong = server.entry.model_copy(update={"sha256": "0" * 64})
    with server.client("") as client, pytest.raises(ReleaseRefused, match="not the file that was signed"):
        fetch_file(client, "x", 1, wrong, tmp_path / "other", lambda _size: None)
    assert nothing_under_its_name(tmp_path / "other")
