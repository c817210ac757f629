"""`headwater-org datasets` over real mTLS: broken lines are gone on with, a lying coordinator is refused."""

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from headwater.errors import HeadwaterError, InputError, OutOfOrder, PeerError, ReleaseRefused, TransportError
from headwater.release.layout import DATA, MANIFEST, SCHEMA
from headwater.release.verification import read_manifest
from headwater.release.withdrawal import WITHDRAWN, SignedWithdrawal, Withdrawal
from headwater.rpc.v1 import catalogue_pb2
from headwater_client import Organisation
from headwater_client.cli import app
from headwater_server.catalogue.index import FolderReleaseIndex
from headwater_server.services.catalogue import CatalogueService
from support.organisations import EnrolledConsortium
from support.published import BreakingCatalogue, LyingCatalogue
from support.releases import Consortium, make_table, publish


class Published:
    """A consortium that accepted its charter, with two versions of one dataset."""

    def __init__(self, consortium: EnrolledConsortium, folder: Path) -> None:
        consortium.accept()
        signed = consortium.coordinator.store.signed_charter
        assert signed is not None
        self.consortium, self.key, self.store = consortium, consortium.key, consortium.coordinator.store
        self.releases = folder / "releases"
        self.signers = Consortium(signed, consortium.key)
        for rows in (400, 500):
            publish(self.releases, self.signers, make_table(rows))
        self.serve(CatalogueService(self.store, FolderReleaseIndex(self.releases)))

    def serve(self, service: CatalogueService) -> None:
        self.consortium.coordinator.serve_catalogue(service)

    @property
    def organisation(self) -> Organisation:
        return self.consortium.organisations["org-1"]

    def of(self, version: int, path: str) -> Path:
        return self.releases / "visits" / str(version) / path


@pytest.fixture
def published(consortium: EnrolledConsortium, tmp_path: Path) -> Published:
    return Published(consortium, tmp_path)


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headwater.catalogue.transfer._PAUSE_SECONDS", 0.0)


def run(published: Published, *arguments: str) -> str:
    result = CliRunner().invoke(app, [*arguments, "--home", str(published.consortium.homes["org-1"])])
    if result.exception is not None:
        raise result.exception
    return result.output


def test_a_member_finds_reads_of_and_downloads_a_dataset_with_its_certificate_alone(
    published: Published, tmp_path: Path
) -> None:
    assert "visits" in run(published, "datasets", "list")
    assert "visits" in run(published, "datasets", "list", "hospital", "WARD")
    assert run(published, "datasets", "list", "nowhere").strip() == "No dataset holds these words."
    page = run(published, "datasets", "show", "visits", "--version", "1")
    assert "version 1" in page
    assert "NOT DIFFERENTIALLY PRIVATE" in page
    said = run(published, "datasets", "download", "visits", "--out", str(tmp_path / "got"))
    assert "Downloaded visits version 2" in said
    assert "signed by the coordinator" in said
    assert (tmp_path / "got" / DATA).read_bytes() == published.of(2, DATA).read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.endswith(".part")) == []


def test_a_download_that_broke_goes_on_where_it_stopped(published: Published, tmp_path: Path) -> None:
    service = BreakingCatalogue(published.store, published.releases, keep=1000, times=2)
    published.serve(service)
    verification = published.organisation.download_dataset("visits", 1, tmp_path / "got")
    assert service.offsets == [0, 1000, 2000]
    assert verification.manifest.version == 1
    assert (tmp_path / "got" / DATA).read_bytes() == published.of(1, DATA).read_bytes()


def test_a_coordinator_that_stays_away_leaves_a_beginning_for_the_next_attempt(
    published: Published, tmp_path: Path
) -> None:
    broken = BreakingCatalogue(published.store, published.releases, keep=0, times=100)
    published.serve(broken)
    with pytest.raises(TransportError, match="going down"):
        published.organisation.download_dataset("visits", 1, tmp_path / "got")
    assert broken.offsets == [0] * 5
    assert not (tmp_path / "got").exists()
    whole = BreakingCatalogue(published.store, published.releases, keep=0, times=0)
    published.serve(whole)
    published.organisation.download_dataset("visits", 1, tmp_path / "got")
    assert (tmp_path / "got" / DATA).is_file()


def _other_bytes(path: str, answer: catalogue_pb2.DownloadFileResponse) -> None:
    if path == DATA and answer.data:
        answer.data = answer.data[:-1] + bytes([answer.data[-1] ^ 1])


def _other_size(path: str, answer: catalogue_pb2.DownloadFileResponse) -> None:
    if answer.size_bytes:
        answer.size_bytes += 1


def _other_digest(path: str, answer: catalogue_pb2.DownloadFileResponse) -> None:
    if answer.sha256:
        answer.sha256 = "00" * 32


@pytest.mark.parametrize(
    ("change", "error", "line"),
    [
        (_other_bytes, ReleaseRefused, "is not the file that was signed"),
        (_other_size, PeerError, "than the signed manifest lists"),
        (_other_digest, PeerError, "than the signed manifest lists"),
    ],
)
def test_other_bytes_than_were_signed_are_refused(
    published: Published,
    tmp_path: Path,
    change: Callable[[str, catalogue_pb2.DownloadFileResponse], None],
    error: type[HeadwaterError],
    line: str,
) -> None:
    published.serve(LyingCatalogue(published.store, published.releases, file=change))
    with pytest.raises(error, match=line):
        published.organisation.download_dataset("visits", 1, tmp_path / "got")
    assert not (tmp_path / "got").exists()
    assert not list(tmp_path.glob(f".got.*/{DATA}"))


def test_a_longer_file_than_was_signed_is_cut_off_and_refused(published: Published, tmp_path: Path) -> None:
    published.serve(LyingCatalogue(published.store, published.releases, afterwards=b"x"))
    with pytest.raises(ReleaseRefused, match="is longer than"):
        published.organisation.download_dataset("visits", 1, tmp_path / "got")
    assert not (tmp_path / "got").exists()


def test_another_version_s_manifest_does_not_stand_in(published: Published, tmp_path: Path) -> None:
    def older(answer: catalogue_pb2.GetPublishedResponse) -> None:
        answer.signed_manifest = published.of(1, MANIFEST).read_bytes()

    published.serve(LyingCatalogue(published.store, published.releases, documents=older))
    with pytest.raises(ReleaseRefused, match="visits version 2 was asked for"):
        published.organisation.download_dataset("visits", 2, tmp_path / "got")


def test_a_manifest_that_another_key_signed_is_refused(published: Published, tmp_path: Path) -> None:
    from support.releases import make_consortium

    other = tmp_path / "other"
    publish(other, make_consortium(), make_table(40))
    published.serve(CatalogueService(published.store, FolderReleaseIndex(other)))
    with pytest.raises(ReleaseRefused, match="the charter names"):
        published.organisation.dataset("visits")


def test_unknown_names_versions_and_a_full_folder_are_one_clear_line(published: Published, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such release; headwater-org datasets list"):
        run(published, "datasets", "show", "nowhere")
    with pytest.raises(InputError, match="there is no such release"):
        run(published, "datasets", "download", "visits", "--version", "7")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="holds something else"):
        run(published, "datasets", "download", "visits", "--out", str(tmp_path / "mine"))


def test_without_an_accepted_charter_nothing_is_believed(consortium: EnrolledConsortium, tmp_path: Path) -> None:
    service = CatalogueService(consortium.coordinator.store, FolderReleaseIndex(tmp_path))
    consortium.coordinator.serve_catalogue(service)
    with pytest.raises(InputError, match="no charter is accepted here"):
        consortium.organisations["org-1"].datasets()


def notice(published: Published, version: int, key: Ed25519PrivateKey) -> bytes:
    """A notice that a version was withdrawn, signed by this key."""
    said = Withdrawal(
        name="visits",
        version=version,
        release=read_manifest(published.of(version, MANIFEST).read_bytes()).manifest.digest,
        withdrawn="2026-11-22T09:00:00Z",
        reason="ages of one ward were coded in months",
        replaced_by=1,
    )
    return SignedWithdrawal.sign(said, key).to_bytes()


def test_a_withdrawn_version_is_shown_as_withdrawn_and_its_rows_are_gone(published: Published, tmp_path: Path) -> None:
    # As the operator's command leaves it: a signed notice, and no rows any more.
    published.of(2, WITHDRAWN).write_bytes(notice(published, 2, published.key))
    for path in (DATA, SCHEMA):
        published.of(2, path).unlink()
    assert [(each.version, gone) for each, gone in published.organisation.datasets(name="visits")] == [
        (2, True),
        (1, False),
    ]
    page = run(published, "datasets", "show", "visits", "--version", "2")
    assert "Withdrawn at 2026-11-22T09:00:00Z: ages of one ward were coded in months. Version 1 takes" in page
    assert published.organisation.dataset("visits").manifest.version == 1
    with pytest.raises(OutOfOrder, match="withdrawn and its rows are gone"):
        published.organisation.download_dataset("visits", 2, tmp_path / "got")
    assert published.organisation.download_dataset("visits", None, tmp_path / "one").manifest.version == 1


def test_a_withdrawal_that_the_consortium_did_not_sign_is_not_believed(published: Published) -> None:
    forged = notice(published, 2, Ed25519PrivateKey.generate())

    def withdrawn(answer: catalogue_pb2.GetPublishedResponse) -> None:
        answer.signed_withdrawal = forged

    published.serve(LyingCatalogue(published.store, published.releases, documents=withdrawn))
    with pytest.raises(ReleaseRefused, match=r"signature on withdrawn\.json is not the consortium's"):
        published.organisation.dataset("visits", 2)


def test_an_older_version_is_not_believed_to_be_the_newest(published: Published, tmp_path: Path) -> None:
    assert published.organisation.dataset("visits").manifest.version == 2
    hidden = tmp_path / "hidden"
    (published.releases / "visits" / "2").rename(hidden)
    published.serve(CatalogueService(published.store, FolderReleaseIndex(published.releases)))
    for ask in (
        lambda: published.organisation.dataset("visits"),
        lambda: published.organisation.download_dataset("visits", folder=tmp_path / "copy"),
    ):
        with pytest.raises(ReleaseRefused, match="version 1 of visits as its newest, version 2 was verified here"):
            ask()
    assert published.organisation.dataset("visits", 1).manifest.version == 1
    hidden.rename(published.releases / "visits" / "2")
    published.serve(CatalogueService(published.store, FolderReleaseIndex(published.releases)))
    assert published.organisation.dataset("visits").manifest.version == 2
