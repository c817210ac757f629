"""What is published, over mutual TLS: who is answered, what is refused, how much is held at once."""

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, cast

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headwater.release import FileEntry
from headwater.rpc.status import CODE_METADATA
from headwater.rpc.v1 import catalogue_pb2, catalogue_pb2_grpc
from headwater_client.transport.channel import CoordinatorChannel
from headwater_server.catalogue.index import FolderReleaseIndex, ReleaseEntry
from headwater_server.services import catalogue
from headwater_server.services.catalogue import (
    CHUNK_BYTES,
    DOWNLOADS_AT_ONCE,
    DOWNLOADS_OF_A_MEMBER,
    LONGEST_SECONDS,
    CatalogueService,
)
from headwater_server.services.server import MAXIMUM_MESSAGE_BYTES
from support.releases import make_consortium, make_table, publish
from support.rpc import RpcCoordinator, shared_loop

BIG = 40 * CHUNK_BYTES + 17


class Counting:
    """A file that tells how much of it was read."""

    def __init__(self, file: BinaryIO, read: list[int]) -> None:
        self._file, self._read = file, read

    def read(self, size: int) -> bytes:
        self._read.append(size)
        return self._file.read(size)

    def close(self) -> None:
        self._file.close()


class Setting:
    """A coordinator with three datasets, one of two versions and one with a file that no buffer holds."""

    def __init__(self, coordinator: RpcCoordinator, folder: Path) -> None:
        self.coordinator, self.releases = coordinator, folder / "releases"
        consortium = make_consortium()
        for name in ("visits", "stays", "visits", "labs"):
            publish(self.releases, consortium, make_table(40), name=name)
        self.service = CatalogueService(coordinator.store, FolderReleaseIndex(self.releases))
        coordinator.serve_catalogue(self.service)
        self._stack = ExitStack()
        self._channels: dict[str, grpc.Channel] = {}

    def stub(self, member: str = "org-1") -> catalogue_pb2_grpc.CatalogueStub:
        if member not in self._channels:
            channel = CoordinatorChannel(self.coordinator.members, self.coordinator.admit(member))
            self._channels[member] = self._stack.enter_context(channel).grpc
        return catalogue_pb2_grpc.CatalogueStub(self._channels[member])

    def bare(self) -> grpc.Channel:
        """A channel without the limits that our own client keeps to."""
        if "bare" not in self._channels:
            own = self.coordinator.admit("org-8")
            credentials = grpc.ssl_channel_credentials(own.ca_pem, own.key_pem, own.certificate_pem)
            channel = grpc.secure_channel(str(self.coordinator.members), credentials)
            self._channels["bare"] = self._stack.enter_context(channel)
        return self._channels["bare"]

    def close(self) -> None:
        self._stack.close()

    def grow(self, path: str, size: int) -> None:
        """Make a file larger, as this coordinator's index believes it to be; its bytes are all zero."""
        entry = self.service._releases.find("labs", 1)
        assert entry is not None
        with (entry.folder / path).open("wb") as file:
            file.truncate(size)
        files = dict(entry.files)
        files[path] = files[path].model_copy(update={"size_bytes": size})
        entry.__dict__["files"] = files


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    coordinator = RpcCoordinator(shared_loop())
    made = Setting(coordinator, tmp_path_factory.mktemp("catalogue"))
    yield made
    made.close()
    coordinator.close()


def refused(call: object) -> tuple[grpc.StatusCode, str]:
    """Status and code of a call that must fail."""
    with pytest.raises(grpc.RpcError) as caught:
        list(call) if hasattr(call, "__iter__") else call()  # type: ignore[operator]
    error = cast("grpc.Call", caught.value)
    codes = [str(value) for key, value in error.trailing_metadata() or () if key == CODE_METADATA]
    return error.code(), "".join(codes)


def ask(name: str = "visits", version: int = 1, path: str = "data.parquet", offset: int = 0):  # type: ignore[no-untyped-def]
    return catalogue_pb2.DownloadFileRequest(name=name, version=version, path=path, offset=offset)


def test_the_newest_of_each_is_listed_in_pages_that_come_to_an_end(setting: Setting) -> None:
    stub = setting.stub()
    seen, token = [], ""
    for _ in range(3):
        answer = stub.ListDatasets(catalogue_pb2.ListDatasetsRequest(page_size=1, page_token=token), timeout=30)
        assert answer.total == 3
        seen += [(each.name, each.version) for each in answer.releases]
        token = answer.next_page_token
    assert (sorted(seen), token) == ([("labs", 1), ("stays", 1), ("visits", 2)], "")
    beyond = stub.ListDatasets(catalogue_pb2.ListDatasetsRequest(page_size=1, page_token="9"), timeout=30)
    assert (list(beyond.releases), beyond.next_page_token) == ([], "")


def test_words_search_and_a_name_lists_its_versions(setting: Setting) -> None:
    stub = setting.stub()
    found = stub.ListDatasets(catalogue_pb2.ListDatasetsRequest(query="LABS ward"), timeout=30)
    assert [each.name for each in found.releases] == ["labs"]
    none = stub.ListDatasets(catalogue_pb2.ListDatasetsRequest(query="labs nowhere"), timeout=30)
    assert (list(none.releases), none.total) == ([], 0)
    versions = stub.ListDatasets(catalogue_pb2.ListDatasetsRequest(name="visits"), timeout=30)
    assert [(each.version, each.withdrawn) for each in versions.releases] == [(2, False), (1, False)]


@pytest.mark.parametrize(
    "request_of",
    [
        catalogue_pb2.ListDatasetsRequest(page_size=101),
        catalogue_pb2.ListDatasetsRequest(page_token="0"),
        catalogue_pb2.ListDatasetsRequest(page_token="1'; --"),
        catalogue_pb2.ListDatasetsRequest(page_token="9" * 5000),
        catalogue_pb2.ListDatasetsRequest(query="x" * 10_000),
        catalogue_pb2.ListDatasetsRequest(query="a " * 90),
        catalogue_pb2.ListDatasetsRequest(query="age", name="visits"),
    ],
)
def test_a_list_that_cannot_be_is_the_caller_s_fault(
    setting: Setting, request_of: catalogue_pb2.ListDatasetsRequest
) -> None:
    stub = setting.stub()
    assert refused(lambda: stub.ListDatasets(request_of, timeout=30)) == (grpc.StatusCode.INVALID_ARGUMENT, "input")


def test_documents_are_the_published_bytes_and_no_version_means_the_newest(setting: Setting) -> None:
    stub = setting.stub()
    answer = stub.GetRelease(catalogue_pb2.GetPublishedRequest(name="visits"), timeout=30)
    assert answer.signed_manifest == (setting.releases / "visits" / "2" / "manifest.json").read_bytes()
    assert (answer.attestation, answer.signed_withdrawal) == (b"", b"")


@pytest.mark.parametrize("name", ["", "nowhere", "../visits", "visits/1", "VISITS", "visits\0", "ſ", "a" * 70_000])
def test_a_name_that_is_none_is_not_looked_up_on_the_disk(setting: Setting, name: str) -> None:
    stub = setting.stub()
    request = catalogue_pb2.GetPublishedRequest(name=name, version=1)
    assert refused(lambda: stub.GetRelease(request, timeout=30))[0] is grpc.StatusCode.INVALID_ARGUMENT


def test_a_file_comes_whole_after_its_size_and_digest(setting: Setting) -> None:
    content = (setting.releases / "visits" / "1" / "data.parquet").read_bytes()
    first, *rest = setting.stub().DownloadFile(ask(), timeout=30)
    assert (first.size_bytes, first.sha256, first.data) == (len(content), hashlib.sha256(content).hexdigest(), b"")
    assert b"".join(each.data for each in rest) == content
    assert all(each.data and not each.sha256 for each in rest)


def test_a_download_goes_on_at_an_offset_up_to_the_very_end(setting: Setting) -> None:
    content, stub = (setting.releases / "visits" / "1" / "data.parquet").read_bytes(), setting.stub()
    _, *rest = stub.DownloadFile(ask(offset=100), timeout=30)
    assert b"".join(each.data for each in rest) == content[100:]
    (only,) = stub.DownloadFile(ask(offset=len(content)), timeout=30)
    assert only.size_bytes == len(content)
    for beyond in (len(content) + 1, 2**63, 2**64 - 1):
        status = refused(stub.DownloadFile(ask(offset=beyond), timeout=30))
        assert status == (grpc.StatusCode.OUT_OF_RANGE, "out_of_range")


@pytest.mark.parametrize(
    "path", ["", ".", "../../stays/1/data.parquet", "/etc/passwd", "plots", "manifest.json\0", "x" * 9999]
)
def test_nothing_is_read_but_files_that_the_manifest_lists(setting: Setting, path: str) -> None:
    status = refused(setting.stub().DownloadFile(ask(path=path), timeout=30))
    assert status == (grpc.StatusCode.INVALID_ARGUMENT, "input")


@pytest.mark.parametrize("version", [0, 3, 2**32 - 1])
def test_a_download_names_a_version_that_there_is(setting: Setting, version: int) -> None:
    status = refused(setting.stub().DownloadFile(ask(version=version), timeout=30))
    assert status == (grpc.StatusCode.INVALID_ARGUMENT, "input")


def test_a_download_without_a_near_deadline_is_refused(setting: Setting) -> None:
    stub = setting.stub()
    for call in (stub.DownloadFile(ask()), stub.DownloadFile(ask(), timeout=LONGEST_SECONDS + 60)):
        assert refused(call) == (grpc.StatusCode.INVALID_ARGUMENT, "input")


def test_a_member_has_so_many_downloads_at_once_and_no_more(setting: Setting) -> None:
    setting.grow("data.parquet", BIG)
    stub, other = setting.stub(), setting.stub("org-2")
    # None of them is read to its end, so all of them stay under way.
    calls = [stub.DownloadFile(ask("labs"), timeout=60) for _ in range(DOWNLOADS_OF_A_MEMBER)]
    for call in calls:
        next(call)
    assert refused(stub.DownloadFile(ask("labs"), timeout=30)) == (grpc.StatusCode.UNAVAILABLE, "transport")
    assert next(other.DownloadFile(ask("visits"), timeout=30)).size_bytes
    for call in calls:
        call.cancel()
    _wait_until_free(setting)
    assert sum(len(each.data) for each in stub.DownloadFile(ask("labs"), timeout=60)) == BIG


def test_all_members_together_have_a_limit_too(setting: Setting) -> None:
    setting.service._under_way.update({f"other-{number}": 4 for number in range(DOWNLOADS_AT_ONCE // 4)})
    try:
        status = refused(setting.stub().DownloadFile(ask(), timeout=30))
    finally:
        setting.service._under_way.clear()
    assert status == (grpc.StatusCode.UNAVAILABLE, "transport")


def test_a_reader_that_stops_reading_is_held_back_and_let_go_at_its_deadline(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting.grow("data.parquet", BIG)
    read: list[int] = []

    def counted(entry: ReleaseEntry, path: str, offset: int) -> tuple[FileEntry, BinaryIO]:
        listed, file = opened(entry, path, offset)
        return listed, cast("BinaryIO", Counting(file, read))

    opened = catalogue._open
    monkeypatch.setattr(catalogue, "_open", counted)
    call = setting.stub().DownloadFile(ask("labs"), timeout=1.5)
    next(call)
    # This waits for the end of the call without taking a message.
    assert call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    _wait_until_free(setting)
    # Flow control held the coordinator back: the file is not in its memory for a reader that takes nothing.
    assert 0 < sum(read) <= 8 * CHUNK_BYTES


def test_a_member_without_a_certificate_on_record_gets_nothing(setting: Setting) -> None:
    stub = setting.stub("org-9")
    del setting.coordinator.store.certificates["org-9"]
    empty = catalogue_pb2.ListDatasetsRequest()
    assert refused(lambda: stub.ListDatasets(empty, timeout=30)) == (grpc.StatusCode.PERMISSION_DENIED, "peer")
    assert refused(stub.DownloadFile(ask(), timeout=30)) == (grpc.StatusCode.PERMISSION_DENIED, "peer")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=300), st.text(max_size=60), st.text(max_size=60), st.integers(0, 2**32 - 1))
def test_whatever_is_asked_is_answered_or_refused_by_the_table(
    setting: Setting, query: str, name: str, token: str, size: int
) -> None:
    stub = setting.stub()
    for method, request in (
        (stub.ListDatasets, catalogue_pb2.ListDatasetsRequest(query=query, page_size=size % 102)),
        (stub.ListDatasets, catalogue_pb2.ListDatasetsRequest(name=name, page_token=token, page_size=size)),
        (stub.GetRelease, catalogue_pb2.GetPublishedRequest(name=name, version=size)),
    ):
        assert _status(lambda method=method, request=request: method(request, timeout=30)) in (  # type: ignore[misc]
            grpc.StatusCode.OK,
            grpc.StatusCode.INVALID_ARGUMENT,
        )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["ListDatasets", "GetRelease", "DownloadFile"]), st.binary(max_size=200))
def test_bytes_that_are_no_message_end_their_call_alone(setting: Setting, method: str, data: bytes) -> None:
    stub = setting.stub()
    raw: grpc.UnaryStreamMultiCallable[bytes, bytes] = setting.bare().unary_stream(
        f"/headwater.rpc.v1.Catalogue/{method}"
    )
    assert _status(lambda: list(raw(data, timeout=30))) in (
        grpc.StatusCode.OK,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.PERMISSION_DENIED,
    )
    assert stub.GetRelease(catalogue_pb2.GetPublishedRequest(name="visits"), timeout=30).signed_manifest
    _wait_until_free(setting)


def test_a_request_above_the_limit_is_refused_before_it_is_read(setting: Setting) -> None:
    raw: grpc.UnaryUnaryMultiCallable[bytes, bytes] = setting.bare().unary_unary(
        "/headwater.rpc.v1.Catalogue/GetRelease"
    )
    status = _status(lambda: raw(bytes(MAXIMUM_MESSAGE_BYTES + 1), timeout=30))
    assert status is grpc.StatusCode.RESOURCE_EXHAUSTED


def _status(call: Callable[[], object]) -> grpc.StatusCode:
    try:
        call()
    except grpc.RpcError as error:
        return cast("grpc.Call", error).code()
    return grpc.StatusCode.OK


def _wait_until_free(setting: Setting) -> None:
    ends = time.monotonic() + 20
    while setting.service._under_way:
        assert time.monotonic() < ends, "a download that ended keeps its place"
        setting.coordinator.loop.run(asyncio.sleep(0))
