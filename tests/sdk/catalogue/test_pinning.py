"""Naming a catalogue: nothing is trusted, and nothing kept, that does not fit together."""

import hashlib
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from headwater.agreement.charter import SignedCharter
from headwater.catalogue import CatalogueClient, KnownCatalogue, add_catalogue, pinned_charter, read_catalogues
from headwater.errors import InputError, PeerError, TransportError
from support.authority import write_authority
from support.catalogue_server import RunningCatalogue, run_catalogue
from support.releases import make_consortium

TOKEN = "a-token"


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCatalogue]:
    with run_catalogue(tmp_path_factory.mktemp("catalogue"), token=TOKEN) as running:
        yield running


def add(home: Path, running: RunningCatalogue, **changes: str) -> None:
    values = {
        "url": running.url,
        "ca_pem": running.ca.read_text(),
        "charter_digest": running.consortium.digest,
        "token": TOKEN,
    }
    add_catalogue(home, **(values | changes))


def test_added_catalogue_is_remembered_privately(tmp_path: Path, catalogue: RunningCatalogue) -> None:
    home = tmp_path / "home"
    add(home, catalogue)
    (known,) = read_catalogues(home)
    assert (known.url, known.charter, known.token) == (catalogue.url, catalogue.consortium.digest, TOKEN)
    assert pinned_charter(home, known.charter) == catalogue.consortium.charter.charter
    files = [path for path in home.rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_token_is_never_shown(tmp_path: Path, catalogue: RunningCatalogue) -> None:
    add(tmp_path, catalogue)
    assert TOKEN not in repr(read_catalogues(tmp_path))


def test_adding_again_replaces(tmp_path: Path, catalogue: RunningCatalogue) -> None:
    add(tmp_path, catalogue)
    add(tmp_path, catalogue, url=catalogue.url + "/", charter_digest=f" {catalogue.consortium.digest.upper()}\n")
    assert len(read_catalogues(tmp_path)) == 1


def test_wrong_charter_digest_is_refused_and_nothing_kept(tmp_path: Path, catalogue: RunningCatalogue) -> None:
    with pytest.raises(PeerError, match="the pinned one is 0000000000000000"):
        add(tmp_path, catalogue, charter_digest="0" * 64)
    assert list(tmp_path.iterdir()) == []


def test_wrong_ca_is_refused(tmp_path: Path, catalogue: RunningCatalogue) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(TransportError, match="does not come from the pinned CA"):
        add(tmp_path / "home", catalogue, ca_pem=write_authority(other).read_text())
    assert not (tmp_path / "home").exists()


def test_second_authority_in_the_ca_file_is_refused(tmp_path: Path, catalogue: RunningCatalogue) -> None:
    other = tmp_path / "other"
    other.mkdir()
    both = catalogue.ca.read_text() + write_authority(other).read_text()
    with pytest.raises(InputError, match="exactly one PEM certificate"):
        add(tmp_path / "home", catalogue, ca_pem=both)
    assert not (tmp_path / "home").exists()


def test_ca_that_the_charter_does_not_name_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "catalogue"
    folder.mkdir()
    with run_catalogue(folder) as running:
        stranger = make_consortium(ca_digest=hashlib.sha256(b"another").hexdigest())
        object.__setattr__(running.consortium, "charter", stranger.charter)
        with pytest.raises(PeerError, match="not the one that the charter names"):
            add(tmp_path / "home", running, token="", charter_digest=stranger.digest)
    assert not (tmp_path / "home").exists()


def test_charter_without_a_members_signature_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "catalogue"
    folder.mkdir()
    with run_catalogue(folder) as running:
        signed = running.consortium.charter
        missing = {member: value for member, value in signed.signatures.items() if member != "west"}
        partial = SignedCharter(
            charter=signed.charter, coordinator_signature=signed.coordinator_signature, signatures=missing
        )
        object.__setattr__(running.consortium, "charter", partial)
        with pytest.raises(PeerError, match="not signed by west"):
            add(tmp_path / "home", running, token="")
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("token", ["", "wrong"])
def test_without_the_token_the_reader_is_told(tmp_path: Path, catalogue: RunningCatalogue, token: str) -> None:
    with pytest.raises(InputError, match="--token"):
        add(tmp_path, catalogue, token=token)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("fa9e15dd130e80f0", "this one has 16"),
        ("FA9E 15DD 130E 80F0\n", "this one has 16"),
        ("", "this one has 0"),
        ("0" * 65, "this one has 65"),
        ("3f0c…", "this one holds other characters"),
    ],
)
def test_charter_digest_of_another_form_is_told_what_a_whole_one_has_and_where_it_stands(
    tmp_path: Path, catalogue: RunningCatalogue, given: str, found: str
) -> None:
    with pytest.raises(InputError) as refused:
        add(tmp_path, catalogue, charter_digest=given)
    assert f"a charter's digest has 64 hexadecimal digits, {found}; ask a member" in str(refused.value)
    assert "`headwater-org charter show` prints it" in str(refused.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "http://127.0.0.1:1"},
        {"url": "https://127.0.0.1:1/path"},
        {"url": "file:///etc/passwd"},
        {"ca_pem": ""},
        {"token": "two words"},
        {"token": "line\r\nbreak"},
    ],
)
def test_argument_that_cannot_be_used_is_refused(
    tmp_path: Path, catalogue: RunningCatalogue, changes: dict[str, str]
) -> None:
    with pytest.raises(InputError, match="cannot be added"):
        add(tmp_path, catalogue, **changes)


def test_ca_file_that_is_no_certificate_is_refused(tmp_path: Path, catalogue: RunningCatalogue) -> None:
    with pytest.raises(InputError, match="no PEM certificate"):
        add(tmp_path, catalogue, ca_pem="hello")


def test_catalogue_that_is_away_is_named(tmp_path: Path, catalogue: RunningCatalogue) -> None:
    with pytest.raises(TransportError, match="could not be reached"):
        add(tmp_path, catalogue, url="https://127.0.0.1:1")


def test_kept_charter_that_was_changed_is_refused(tmp_path: Path, catalogue: RunningCatalogue) -> None:
    add(tmp_path, catalogue)
    digest = catalogue.consortium.digest
    (tmp_path / "charters" / f"{digest}.json").write_bytes(make_consortium().charter.to_bytes())
    with pytest.raises(PeerError, match="the pinned one is"):
        pinned_charter(tmp_path, digest)


def test_unknown_charter_is_not_pinned(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not pinned here"):
        pinned_charter(tmp_path, "0" * 64)


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "0" * 63, "G" * 64])
def test_digest_that_is_none_never_becomes_a_path(tmp_path: Path, digest: str) -> None:
    with pytest.raises(InputError, match="64 hexadecimal digits"):
        pinned_charter(tmp_path, digest)


@pytest.mark.parametrize("text", ["x = [", "catalogue = 3", "[[catalogue]]\nurl = 'http://x'", "verify = false"])
def test_damaged_settings_are_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "catalogues.toml").write_text(text)
    with pytest.raises(InputError, match=r"catalogues\.toml"):
        read_catalogues(tmp_path)


def test_there_is_no_way_to_turn_tls_verification_off() -> None:
    import inspect

    assert list(inspect.signature(CatalogueClient).parameters) == ["known"]
    assert set(KnownCatalogue.model_fields) == {"url", "charter", "ca_pem", "token"}
