"""The coordinator's home folder and the settings in it."""

import contextlib
import os
import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tomlkit
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from headwater.agreement.documents import first_problem
from headwater.errors import InputError, StorageError
from headwater_server.authority import Authority, KeyPair
from headwater_server.catalogue_limits import CatalogueLimits
from headwater_server.sampling.limits import SampleLimits

__all__ = ["SPOOL_MEMORY_MIB", "CoordinatorHome", "CoordinatorSettings"]

SPOOL_MEMORY_MIB = 512
"""What uploads on their way may take in each run's memory where the settings say nothing."""

_PORTS = ("grpc_port", "enrolment_port", "https_port", "superlink_port")


class CoordinatorSettings(BaseModel):
    """What settings.toml holds; unknown keys are refused.

    Attributes:
        consortium: its name, as on the charter.
        host: name or address that members and researchers dial; in the server's certificate.
        listen: address that is listened on; the host itself where empty.
        grpc_port: aggregation and consortium service, mutual TLS.
        enrolment_port: enrolment, server-authenticated TLS.
        https_port: catalogue, and Flower's fleet interface for nodes.
        superlink_port: Flower's SuperLink, always on loopback.
        database: SQLAlchemy URL; SQLite in the home folder where empty.
        spool_memory_mib: memory that uploads on their way may take in each run; beyond it they wait, encrypted, in an
            unnamed file in the home folder.
        catalogue_token_sha256: digest of a token that all readers of the catalogue share; it opens what is not
            kept to a project. Where it is empty and `listen` is no loopback address, `catalogue_level` is needed.
        catalogue_level: of datasets that `access dataset` says nothing of: public, registered or closed; where it is
            empty, closed under a shared token, and public without one, which is for loopback alone.
        catalogue_open_runs: everybody sees run pages; for loopback alone.
        catalogue_limits: what one reader may ask of the catalogue, see `CatalogueLimits`.
        samples: what sampling on request may take.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    consortium: str = Field(min_length=1, max_length=200)
    host: str = Field(default="127.0.0.1", min_length=1, max_length=253)
    listen: str = ""
    grpc_port: int = Field(default=9443, ge=1, le=65535)
    enrolment_port: int = Field(default=9444, ge=1, le=65535)
    https_port: int = Field(default=9445, ge=1, le=65535)
    superlink_port: int = Field(default=9446, ge=1, le=65535)
    database: str = ""
    spool_memory_mib: int = Field(default=SPOOL_MEMORY_MIB, ge=0, le=2**20)
    catalogue_token_sha256: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    catalogue_level: Literal["", "public", "registered", "closed"] = ""
    catalogue_open_runs: bool = False
    catalogue_limits: CatalogueLimits = Field(default_factory=CatalogueLimits)
    samples: SampleLimits = SampleLimits()

    @model_validator(mode="after")
    def _check_ports(self) -> "CoordinatorSettings":
        ports = [getattr(self, name) for name in _PORTS]
        if len(set(ports)) != len(ports):
            raise ValueError("two listeners share a port; give each its own")
        return self

    @property
    def address(self) -> str:
        """What the listeners bind."""
        return self.listen or self.host


@dataclass(frozen=True, slots=True)
class CoordinatorHome:
    """Where everything of one coordinator lies."""

    folder: Path

    @property
    def keys(self) -> Path:
        """Keys, readable by the owner only."""
        return self.folder / "keys"

    @property
    def ca_certificate(self) -> Path:
        """The consortium's CA certificate; public."""
        return self.keys / "ca.crt"

    @property
    def runs(self) -> Path:
        """A folder for each run: progress and plots."""
        return self.folder / "runs"

    @property
    def releases(self) -> Path:
        """What the catalogue serves."""
        return self.folder / "releases"

    @property
    def pending(self) -> Path:
        """Releases that wait for signatures, and what is left of refused ones; never served by the catalogue."""
        return self.folder / "pending"

    @property
    def flower(self) -> Path:
        """Flower's own state; nothing of it is precious."""
        return self.folder / "flower"

    @property
    def blobs(self) -> Path:
        """Blobs by digest."""
        return self.folder / "blobs"

    @property
    def spool(self) -> Path:
        """Where uploads wait that memory has no room for; no file in it has a name."""
        return self.folder / "spool"

    @property
    def samples(self) -> Path:
        """Rows drawn on request, a folder for each job."""
        return self.folder / "samples"

    @property
    def lock(self) -> Path:
        """Held by the one `serve` of this home."""
        return self.folder / "serve.lock"

    def create(self, settings: CoordinatorSettings, authority: Authority, server: KeyPair) -> None:
        """Write a new home: settings, CA, server pair and a fresh charter key; all of it or nothing.

        Raises:
            InputError: there is a coordinator in this folder already, or part of one.
            StorageError: the disk is full or cannot be written; nothing is left behind.
        """
        if (self.folder / "settings.toml").exists() or self.keys.exists():
            raise InputError(f"{self.folder} holds a coordinator already; choose another --home or use that one")
        was_there = self.folder.exists()
        try:
            self._write(settings, authority, server)
        except OSError as error:
            # Of what was there before nothing is touched: keys/ was not, and the others are taken only while empty.
            shutil.rmtree(self.keys, ignore_errors=True)
            for part in (self.runs, self.releases, self.flower, self.blobs, *(() if was_there else (self.folder,))):
                with contextlib.suppress(OSError):
                    part.rmdir()
            raise StorageError(f"{self.folder} cannot be written: {error.strerror}; make room and try again") from error

    def _write(self, settings: CoordinatorSettings, authority: Authority, server: KeyPair) -> None:
        # Nothing in a home is for other users of the machine: `serve` hands out what others may have.
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.keys.mkdir(mode=0o700)
        for folder in (self.runs, self.releases, self.flower, self.blobs):
            folder.mkdir(exist_ok=True, mode=0o700)
        pair = authority.to_pair()
        _write_private(self.keys / "ca.key", pair.key_pem)
        _write_private(self.keys / "server.key", server.key_pem)
        _write_private(self.keys / "charter.key", _pem(Ed25519PrivateKey.generate()))
        self.ca_certificate.write_bytes(pair.certificate_pem)
        (self.keys / "server.crt").write_bytes(server.certificate_pem)
        # Last: a folder with settings is a whole coordinator.
        _write_private(self.folder / "settings.toml", tomlkit.dumps(settings.model_dump()).encode())

    def settings(self) -> CoordinatorSettings:
        """Read settings.toml.

        Raises:
            InputError: no coordinator in this folder, or a wrong entry.
        """
        path = self.folder / "settings.toml"
        if not path.is_file():
            raise InputError(f"there is no coordinator in {self.folder}; run headwater-coordinator init or name --home")
        try:
            return CoordinatorSettings.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{path} is not TOML: {error}; correct it there") from error
        except ValidationError as error:
            raise InputError(f"{path} is not valid: {first_problem(error)}; correct it there") from error

    def authority(self) -> Authority:
        """The consortium's CA with its key."""
        return Authority.load(KeyPair(self._read("ca.key"), self._read("ca.crt")))

    def server_pair(self) -> KeyPair:
        """The server's key and certificate."""
        return KeyPair(self._read("server.key"), self._read("server.crt"))

    def charter_key(self) -> Ed25519PrivateKey:
        """The key that signs charters, proposals, receipts and releases.

        Raises:
            InputError: the file is missing, open to others, or no Ed25519 key.
        """
        path = self.keys / "charter.key"
        data = self._read("charter.key")
        if path.stat().st_mode & 0o077:
            raise InputError(f"{path} can be read by others; chmod 600 it, and make a new consortium if anyone did")
        try:
            key = load_pem_private_key(data, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise InputError(f"{path} is not an unencrypted PEM key; restore it from a backup") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise InputError(f"{path} is not an Ed25519 key; restore it from a backup")
        return key

    def database_url(self, settings: CoordinatorSettings) -> str:
        """Where the state is."""
        return settings.database or f"sqlite:///{(self.folder / 'state.db').resolve()}"

    def _read(self, name: str) -> bytes:
        path = self.keys / name
        if not path.is_file():
            raise InputError(f"{path} is missing; restore it from a backup")
        return path.read_bytes()


def _pem(key: Ed25519PrivateKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write_private(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
    except OSError:
        path.unlink(missing_ok=True)
        raise
