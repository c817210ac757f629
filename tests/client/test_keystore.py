"""Keys on disk: for their owner alone, made once, never half-written."""

import os
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_ssh_private_key, load_ssh_public_key
from cryptography.x509.oid import NameOID

from headwater.errors import InputError, StorageError
from headwater_client.keystore import KeyStore

PRIVATE = ("identity.key", "tls.key", "flower.key")


@pytest.fixture
def keys(tmp_path: Path) -> KeyStore:
    store = KeyStore(tmp_path / "keys")
    store.create_missing()
    return store


def test_private_keys_are_for_their_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = KeyStore(tmp_path / "keys")
        store.create_missing()
    finally:
        os.umask(before)
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE((store.folder / name).stat().st_mode) for name in PRIVATE} == {0o600}


def test_a_second_call_changes_no_key(keys: KeyStore) -> None:
    before = {name: (keys.folder / name).read_bytes() for name in PRIVATE}
    keys.create_missing()
    assert {name: (keys.folder / name).read_bytes() for name in PRIVATE} == before


def test_a_missing_key_alone_is_made_anew(keys: KeyStore) -> None:
    identity = keys.identity_key().private_bytes_raw()
    (keys.folder / "tls.key").unlink()
    keys.create_missing()
    assert keys.identity_key().private_bytes_raw() == identity
    assert keys.tls_key_pem()


def test_nothing_temporary_stays_behind(keys: KeyStore) -> None:
    assert sorted(path.name for path in keys.folder.iterdir()) == sorted([*PRIVATE, "flower.key.pub"])


def test_the_flower_key_is_p384_in_openssh_format(keys: KeyStore) -> None:
    private = load_ssh_private_key(keys.flower_key_path.read_bytes(), password=None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    assert private.curve.name == "secp384r1"
    assert load_ssh_public_key(keys.flower_public_key()) == private.public_key()
    assert (keys.folder / "flower.key.pub").read_bytes().strip() == keys.flower_public_key()


def test_the_certificate_request_is_for_the_tls_key(keys: KeyStore) -> None:
    request = x509.load_pem_x509_csr(keys.certificate_request("org-1"))
    assert request.is_signature_valid
    assert request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "org-1"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o700 | 0o010])
@pytest.mark.parametrize("name", PRIVATE)
def test_a_key_that_others_can_use_is_refused_with_the_remedy(keys: KeyStore, name: str, mode: int) -> None:
    (keys.folder / name).chmod(mode)
    readers = {
        "identity.key": keys.identity_key,
        "tls.key": keys.tls_key_pem,
        "flower.key": keys.flower_public_key,
    }
    with pytest.raises(InputError, match=rf"has mode {mode:04o}.*chmod 600"):
        readers[name]()
    with pytest.raises(InputError, match="chmod 600"):
        keys.create_missing()


@pytest.mark.parametrize("name", PRIVATE)
def test_a_damaged_key_is_named(keys: KeyStore, name: str) -> None:
    other = {"identity.key": "tls.key", "tls.key": "identity.key", "flower.key": "tls.key"}[name]
    readers = {
        "identity.key": keys.identity_key,
        "tls.key": keys.tls_key_pem,
        "flower.key": keys.flower_public_key,
    }
    for content in (b"", b"nothing", (keys.folder / other).read_bytes()):
        (keys.folder / name).write_bytes(content)
        with pytest.raises(InputError, match=f"{name} is not an"):
            readers[name]()


def test_before_enrolment_the_remedy_is_named(tmp_path: Path) -> None:
    store = KeyStore(tmp_path / "keys")
    for read in (store.identity_key, store.tls_key_pem, store.certificate_pem, store.ca_pem):
        with pytest.raises(InputError, match="headwater-org enroll TOKEN"):
            read()


def test_certificates_replace_older_ones_as_a_whole(keys: KeyStore) -> None:
    keys.save_certificates(b"first", b"ca")
    keys.save_certificates(b"second", b"ca")
    assert (keys.certificate_pem(), keys.ca_pem()) == (b"second", b"ca")
    assert not [path for path in keys.folder.iterdir() if path.name.startswith(".")]


def test_a_full_disk_is_one_line_and_leaves_what_was_there(keys: KeyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    keys.save_certificates(b"first", b"ca")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=r"cannot write .*ca\.crt \(No space left on device\)"):
        keys.save_certificates(b"second", b"other")
    assert (keys.certificate_pem(), keys.ca_pem()) == (b"first", b"ca")
    assert not [path for path in keys.folder.iterdir() if path.name.startswith(".")]


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="cannot make the key folder"):
        KeyStore(tmp_path / "file" / "keys").create_missing()
