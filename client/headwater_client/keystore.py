"""The organisation's keys on disk: made here, readable by their owner alone, never overwritten."""

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_ssh_private_key,
)
from cryptography.x509.oid import NameOID

from headwater.errors import InputError, StorageError

__all__ = ["KeyStore"]

_FOLDER_MODE = 0o700


class KeyStore:
    """One folder with three private keys and two certificates.

    identity.key: Ed25519, signs the charter, decisions and the aggregation's Hello.
    tls.key, tls.crt: EC P-256, shown on mutually authenticated connections.
    flower.key, flower.key.pub: ECDSA P-384 in OpenSSH format, what flower-supernode authenticates with.
    ca.crt: the consortium's CA, the only root that is trusted.
    """

    def __init__(self, folder: Path) -> None:
        """Name the folder; nothing is read or written yet."""
        self.folder = folder

    @property
    def flower_key_path(self) -> Path:
        """The Flower node's private key, for `flower-supernode --auth-supernode-private-key`."""
        return self.folder / "flower.key"

    @property
    def ca_path(self) -> Path:
        """The consortium's CA certificate, for `--root-certificates`."""
        return self.folder / "ca.crt"

    def create_missing(self) -> None:
        """Make each key that is not there yet; one that is there stays.

        An enrolment that failed half-way can so be tried again, with the same keys.

        Raises:
            StorageError: the folder cannot be written.
            InputError: a key file exists that others can read.
        """
        try:
            # The organisation's home and the keys in it: a mode given with parents=True is the last folder's alone.
            self.folder.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
            self.folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)
        except OSError as error:
            raise StorageError(f"cannot make the key folder {self.folder} ({error.strerror}); free the path") from error
        identity = Ed25519PrivateKey.generate()
        self._create("identity.key", identity.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        tls = ec.generate_private_key(ec.SECP256R1())
        self._create("tls.key", tls.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        node = ec.generate_private_key(ec.SECP384R1())
        self._create("flower.key", node.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
        self._write("flower.key.pub", self.flower_public_key() + b"\n")

    def identity_key(self) -> Ed25519PrivateKey:
        """The key that speaks for the organisation.

        Raises:
            InputError: missing, readable by others, or not an Ed25519 key.
        """
        key = _parse_pem(self._read_private("identity.key"), self.folder / "identity.key")
        if not isinstance(key, Ed25519PrivateKey):
            raise _wrong_key(self.folder / "identity.key", "an Ed25519 key in PEM")
        return key

    def tls_key_pem(self) -> bytes:
        """The TLS private key, PEM.

        Raises:
            InputError: missing, readable by others, or not an EC key.
        """
        return self._tls_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def certificate_request(self, member_id: str) -> bytes:
        """A PKCS #10 request for the TLS key, PEM.

        Raises:
            InputError: the TLS key is missing, readable by others, or not an EC key.
        """
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, member_id)])
        request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(self._tls_key(), hashes.SHA256())
        return request.public_bytes(Encoding.PEM)

    def flower_public_key(self) -> bytes:
        """The Flower node's public key: one OpenSSH line without a comment.

        Raises:
            InputError: the key is missing, readable by others, or not ECDSA P-384 in OpenSSH format.
        """
        try:
            key = load_ssh_private_key(self._read_private("flower.key"), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise _wrong_key(self.flower_key_path, "an unencrypted OpenSSH key") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp384r1":
            raise _wrong_key(self.flower_key_path, "an ECDSA P-384 key")
        return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)

    def save_certificates(self, certificate_pem: bytes, ca_pem: bytes) -> None:
        """Keep what enrolment brought; the CA first, since a certificate without its root is of no use.

        Raises:
            StorageError: the folder cannot be written.
        """
        self._write("ca.crt", ca_pem)
        self._write("tls.crt", certificate_pem)

    def certificate_pem(self) -> bytes:
        """The member's certificate.

        Raises:
            InputError: not enrolled yet.
        """
        return self._read("tls.crt")

    def ca_pem(self) -> bytes:
        """The consortium's CA certificate.

        Raises:
            InputError: not enrolled yet.
        """
        return self._read("ca.crt")

    def _tls_key(self) -> ec.EllipticCurvePrivateKey:
        key = _parse_pem(self._read_private("tls.key"), self.folder / "tls.key")
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise _wrong_key(self.folder / "tls.key", "an EC key in PEM")
        return key

    def _read(self, name: str) -> bytes:
        path = self.folder / name
        try:
            return path.read_bytes()
        except FileNotFoundError as error:
            raise InputError(f"{path} is not there; enrol first: headwater-org enroll TOKEN") from error
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error.strerror}); check its owner and mode") from error

    def _read_private(self, name: str) -> bytes:
        path = self.folder / name
        # The mode is read from the open file, so that it is that of the bytes which are used.
        try:
            with path.open("rb") as file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                if mode & 0o077:
                    raise InputError(f"{path} has mode {mode:04o}, others can use the key; run: chmod 600 {path}")
                return file.read()
        except FileNotFoundError as error:
            raise InputError(f"{path} is not there; enrol first: headwater-org enroll TOKEN") from error
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error.strerror}); check its owner and mode") from error

    def _create(self, name: str, data: bytes) -> None:
        path = self.folder / name
        if path.exists():
            self._read_private(name)
            return
        with _complete_file(path, data) as temporary, contextlib.suppress(FileExistsError):
            # A link, unlike a rename, never replaces: of two processes, one makes the key and both use it.
            os.link(temporary, path)

    def _write(self, name: str, data: bytes) -> None:
        path = self.folder / name
        with _complete_file(path, data) as temporary:
            os.replace(temporary, path)


@contextlib.contextmanager
def _complete_file(path: Path, data: bytes) -> Iterator[str]:
    """A temporary file beside `path` that holds `data`, on disk, for its owner alone (mkstemp makes mode 0600)."""
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            yield temporary
            _sync_folder(path.parent)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
    except OSError as error:
        raise StorageError(
            f"cannot write {path} ({error.strerror}); free space or correct its folder's mode"
        ) from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _parse_pem(data: bytes, path: Path) -> object:
    try:
        return load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _wrong_key(path, "an unencrypted PEM key") from error


def _wrong_key(path: Path, expected: str) -> InputError:
    return InputError(f"{path} is not {expected}; restore it from a backup, or enrol anew in another folder")
