"""Releases over mutual TLS: who sees them, fetches their files, decides, and signs waivers."""

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest

from headwater.agreement.release_decision import SignedReleaseDecision
from headwater.canonical import sha256_hex
from headwater.errors import InputError, OutOfOrder, PeerError
from headwater.release.dsse import is_statement_signed_by, read_envelope, sign_statement
from headwater.release.layout import ATTESTATION, DATA
from headwater.release.policy.waiver import SignedWaiver, Waiver
from headwater.release.verification import read_manifest
from headwater.rpc.v1 import release_pb2, release_pb2_grpc
from headwater_client.transport.channel import CoordinatorChannel
from headwater_client.transport.releases import ReleasesClient
from headwater_server.releasing.settling import settle
from headwater_server.services.ports import ReleaseRecord, WaiverRecord
from headwater_server.services.releases import CHUNK_BYTES, ReleasesService
from support.consortium import CREATED
from support.rpc import RpcCoordinator
from support.waiting_release import RUN, WaitingRoom

WAIVER = Waiver(
    gate="G4",
    outcome="inconclusive",
    policy="b0" * 32,
    candidate="ca" * 32,
    release="visits/2",
    reason="a demonstration on few rows",
    expires="2027-01-01T00:00:00Z",
)


class Setting:
    """A coordinator with one release that waits, and a client for each member."""

    def __init__(self, coordinator: RpcCoordinator, stack: ExitStack, folder: Path) -> None:
        self.room = WaitingRoom(folder)
        stack.callback(self.room.storage.close)
        self._coordinator, self._stack = coordinator, stack
        storage = self.room.storage
        coordinator.serve_releases(ReleasesService(coordinator.store, storage, storage, storage, self.room.folders))
        self.record = self.room.wait()

    def channel(self, member: str) -> CoordinatorChannel:
        identity = self._coordinator.admit(member)
        return self._stack.enter_context(CoordinatorChannel(self._coordinator.members, identity))

    def client(self, member: str) -> ReleasesClient:
        return ReleasesClient(self.channel(member))

    def approval(self, member: str, record: ReleaseRecord | None = None, **changes: Any) -> SignedReleaseDecision:
        record = record or self.record
        content: dict[str, Any] = {
            "statement_digest": sha256_hex(record.statement),
            "statement_signature": sign_statement(self.room.world.keys[member], record.statement),
            **changes,
        }
        return self.room.world.release_decision(record.release_digest, member, **content)


@pytest.fixture
def setting(coordinator: RpcCoordinator, tmp_path: Path) -> Iterator[Setting]:
    with ExitStack() as stack:
        yield Setting(coordinator, stack, tmp_path)


def test_members_see_what_waits_and_what_is_signed_about_it(setting: Setting) -> None:
    client = setting.client("org-1")
    (status,) = client.releases()
    assert (status.name, status.version, status.state, status.run_id) == ("visits", 1, "waiting", RUN)
    assert status.detail == "waits for 3 of 3 signatures; signed by nobody; not decided by org-1, org-2, org-3"
    documents = client.release(status.release_digest)
    manifest = read_manifest(documents.manifest).verify(setting.room.charter.coordinator_key)
    assert manifest.digest == status.release_digest
    statement, signatures = read_envelope(documents.attestation)
    assert statement == setting.record.statement
    assert set(signatures) == {setting.room.charter.coordinator_key}


def test_an_organisation_outside_the_charter_sees_none_and_reaches_none(setting: Setting) -> None:
    stranger = setting.client("org-9")
    assert stranger.releases() == ()
    assert stranger.waivers() == ()
    with pytest.raises(PeerError, match="not in the charter"):
        stranger.release(setting.record.release_digest)
    with pytest.raises(InputError, match="no release with this digest"):
        setting.client("org-1").release("00" * 32)


def test_a_file_is_fetched_whole_and_goes_on_where_it_was_cut_off(setting: Setting, tmp_path: Path) -> None:
    client, digest = setting.client("org-1"), setting.record.release_digest
    entry = read_manifest(client.release(digest).manifest).manifest.file(DATA)
    assert entry is not None
    target = tmp_path / "fetched" / DATA
    target.parent.mkdir()
    there = (setting.room.home.pending / digest / DATA).read_bytes()
    target.with_name(f"{DATA}.part").write_bytes(there[:100])
    client.fetch(digest, DATA, target, entry.size_bytes, entry.sha256)
    assert target.read_bytes() == there
    assert [path.name for path in target.parent.iterdir()] == [DATA]
    # What is wrong from its first byte on is thrown away, not completed.
    target.unlink()
    target.with_name(f"{DATA}.part").write_bytes(b"x" * 100)
    with pytest.raises(PeerError, match="sent another data"):
        client.fetch(digest, DATA, target, entry.size_bytes, entry.sha256)
    client.fetch(digest, DATA, target, entry.size_bytes, entry.sha256)
    assert target.read_bytes() == there


def test_a_large_file_comes_in_pieces_of_bounded_size(setting: Setting) -> None:
    folder = setting.room.home.pending / setting.record.release_digest
    (folder / "SHA256SUMS").write_bytes(b"0" * (2 * CHUNK_BYTES + 5))
    stub = release_pb2_grpc.ReleasesStub(setting.channel("org-1").grpc)
    request = release_pb2.FetchFileRequest(release_digest=setting.record.release_digest, path="SHA256SUMS", offset=7)
    first, *rest = stub.FetchFile(request, timeout=30)
    assert (first.size_bytes, first.data) == (2 * CHUNK_BYTES + 5, b"")
    assert first.sha256 == hashlib.sha256(b"0" * (2 * CHUNK_BYTES + 5)).hexdigest()
    assert [len(each.data) for each in rest] == [CHUNK_BYTES, CHUNK_BYTES - 2]


@pytest.mark.parametrize(
    ("path", "offset"),
    [("../../../state.db", 0), ("/etc/passwd", 0), ("tombstone.json", 0), ("", 0), (".lock", 0), (DATA, 2**40)],
)
def test_nothing_is_read_but_files_that_the_manifest_lists(setting: Setting, path: str, offset: int) -> None:
    stub = release_pb2_grpc.ReleasesStub(setting.channel("org-1").grpc)
    request = release_pb2.FetchFileRequest(release_digest=setting.record.release_digest, path=path, offset=offset)
    with pytest.raises(grpc.RpcError) as refused:
        list(stub.FetchFile(request, timeout=30))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_the_quorum_s_approvals_publish_and_the_attestation_shows_them(setting: Setting) -> None:
    clients = {member: setting.client(member) for member in setting.room.world.keys}
    states = [client.decide(setting.approval(member)).state for member, client in clients.items()]
    assert states == ["waiting", "waiting", "approved"]
    settle(setting.room.storage, setting.room.folders)
    documents = clients["org-1"].release(setting.record.release_digest)
    assert documents.status.state == "published"
    statement, signatures = read_envelope(documents.attestation)
    for member, key in setting.room.charter.keys.items():
        assert is_statement_signed_by(key, statement, signatures[key]), member
    with pytest.raises(OutOfOrder, match="decisions came to an end"):
        clients["org-1"].decide(setting.approval("org-1"))


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"statement_signature": "00" * 64}, "signature of 'org-1' over the statement is wrong"),
        ({"statement_digest": "00" * 32}, "another run or statement"),
        ({"run_id": "0a" * 16}, "another run or statement"),
    ],
)
def test_an_approval_of_something_else_is_refused(setting: Setting, changes: dict[str, Any], line: str) -> None:
    with pytest.raises(PeerError, match=line):
        setting.client("org-1").decide(setting.approval("org-1", **changes))
    record = setting.room.storage.release(setting.record.release_digest)
    assert record is not None
    assert not record.decisions


def test_nobody_decides_for_another_member(setting: Setting) -> None:
    with pytest.raises(PeerError, match="each member sends its own"):
        setting.client("org-1").decide(setting.approval("org-2"))


def test_a_refused_release_keeps_its_documents_and_loses_its_rows(setting: Setting, tmp_path: Path) -> None:
    client = setting.client("org-1")
    refusal = setting.approval("org-1", decision="refuse")
    assert client.decide(refusal).state == "refused"
    settle(setting.room.storage, setting.room.folders)
    documents = client.release(setting.record.release_digest)
    assert documents.status.detail == "refused by org-1: 3 of 3 signatures cannot be reached"
    with pytest.raises(OutOfOrder, match="its files are gone"):
        client.fetch(setting.record.release_digest, DATA, tmp_path / DATA, 10, "00" * 32)


def test_members_sign_a_waiver_each_for_itself(setting: Setting) -> None:
    setting.room.storage.add_waiver(WaiverRecord(WAIVER.digest, RUN, WAIVER.to_bytes()))
    keys, client = setting.room.world.keys, setting.client("org-1")
    assert client.waivers() == (SignedWaiver(waiver=WAIVER, signatures={}),)
    with pytest.raises(PeerError, match="on the waiver is wrong"):
        client.sign_waiver(WAIVER.digest, WAIVER.signed_by(keys["org-2"]))
    for _ in range(2):
        signed = client.sign_waiver(WAIVER.digest, WAIVER.signed_by(keys["org-1"]))
        assert signed.approvers == ("org-1",)
    both = setting.client("org-2").sign_waiver(WAIVER.digest, WAIVER.signed_by(keys["org-2"]))
    assert both.approvers == ("org-1", "org-2")
    with pytest.raises(PeerError, match="not in the charter"):
        setting.client("org-9").sign_waiver(WAIVER.digest, "00" * 64)
    with pytest.raises(InputError, match="no waiver"):
        client.sign_waiver("00" * 32, "00" * 64)
    assert WAIVER.expires > CREATED


def test_a_waiver_of_a_release_that_waits_already_is_over(setting: Setting) -> None:
    late = WAIVER.model_copy(update={"release": "visits/1"})
    setting.room.storage.add_waiver(WaiverRecord(late.digest, RUN, late.to_bytes()))
    signature = late.signed_by(setting.room.world.keys["org-1"])
    with pytest.raises(OutOfOrder, match=r"visits/1 is waiting already.*this one of G4 is over"):
        setting.client("org-1").sign_waiver(late.digest, signature)
    for member in setting.room.world.keys:
        setting.room.decide(setting.record, member)
    settle(setting.room.storage, setting.room.folders)
    with pytest.raises(OutOfOrder, match="visits/1 is published already"):
        setting.client("org-1").sign_waiver(late.digest, signature)
    (record,) = setting.room.storage.waivers()
    assert not record.signatures


def test_attestation_is_a_file_like_the_others(setting: Setting, tmp_path: Path) -> None:
    client, digest = setting.client("org-1"), setting.record.release_digest
    data = client.release(digest).attestation
    client.fetch(digest, ATTESTATION, tmp_path / ATTESTATION, len(data), sha256_hex(data))
    assert (tmp_path / ATTESTATION).read_bytes() == data
