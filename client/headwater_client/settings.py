"""Where an organisation's files are, and the settings of its agent."""

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tomlkit
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from headwater.agreement.documents import MemberId, first_problem
from headwater.errors import InputError, StorageError

__all__ = ["HOME_VARIABLE", "Endpoint", "Home", "OrganisationSettings", "read_text", "write_text_atomically"]

HOME_VARIABLE = "HEADWATER_ORG_HOME"


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Endpoint(_Settings):
    """A listener of the coordinator, dialled as it stands."""

    host: str = Field(min_length=1, max_length=253)
    port: int = Field(ge=1, le=65535)

    def __str__(self) -> str:
        """host:port."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class OrganisationSettings(_Settings):
    """The content of settings.toml, written at enrolment.

    Attributes:
        member_id: this organisation in the charter, and the common name of its certificate.
        name: as people know it.
        members: the coordinator's mutually authenticated gRPC listener.
        catalogue: the coordinator's HTTPS listener, which also forwards Flower's /v1/fleet.
        supernode_port: of the Flower node's Runtime API on loopback; 0 picks a free one at each start.
        threads: processor threads for local training; 0 leaves it to the machine.
    """

    version: Literal[1] = 1
    member_id: MemberId
    name: str = Field(min_length=1, max_length=200)
    members: Endpoint
    catalogue: Endpoint
    supernode_port: int = Field(default=0, ge=0, le=65535)
    threads: int = Field(default=0, ge=0, le=1024)

    def to_toml(self) -> str:
        """As TOML; `from_toml` reads it back."""
        return tomlkit.dumps(self.model_dump(mode="json"))

    @classmethod
    def from_toml(cls, text: str) -> "OrganisationSettings":
        """Read settings.toml.

        Raises:
            InputError: not TOML, or a setting is wrong or unknown.
        """
        try:
            return cls.model_validate(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"settings.toml is not TOML: {error}") from error
        except ValidationError as error:
            raise InputError(f"settings.toml is not valid: {first_problem(error)}") from error


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of one organisation: keys, settings, policy, records."""

    folder: Path

    @property
    def settings(self) -> Path:
        """settings.toml: written by enrolment; its presence means that the organisation is enrolled."""
        return self.folder / "settings.toml"

    @property
    def policy(self) -> Path:
        """policy.toml: the organisation's own rules."""
        return self.folder / "policy.toml"

    @property
    def keys(self) -> Path:
        """The folder of keys and certificates."""
        return self.folder / "keys"

    @property
    def database(self) -> Path:
        """state.db: the durable records."""
        return self.folder / "state.db"

    @property
    def releases(self) -> Path:
        """A folder for each release that was reviewed: its files, and the own audit of it."""
        return self.folder / "releases"

    @property
    def served(self) -> Path:
        """A file for each run that this organisation took part in: keyed hashes of the rows that it had then."""
        return self.folder / "served"

    @property
    def flower(self) -> Path:
        """The Flower node's scratch folder; nothing in it is precious."""
        return self.folder / "flower"

    @property
    def lock(self) -> Path:
        """Held by the one `serve` of this folder."""
        return self.folder / "serve.lock"


def read_text(file: Path) -> str:
    """Read a small text file of the home folder.

    Raises:
        InputError: it does not exist, so this is no organisation's folder, or is not text.
        StorageError: it cannot be read.
    """
    try:
        return file.read_text("utf-8")
    except FileNotFoundError as error:
        raise InputError(
            f"{file} does not exist; enrol first (headwater-org enroll TOKEN --home {file.parent}) "
            "or give another --home"
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is not text in UTF-8; restore it") from error
    except OSError as error:
        raise StorageError(f"{file} cannot be read ({error.strerror}); mend its permissions") from error


def write_text_atomically(file: Path, text: str) -> None:
    """Write a file whole or not at all, durably.

    Raises:
        StorageError: the disk is full or the folder is not writable; nothing was changed.
    """
    draft = file.with_name(f".{file.name}.draft")
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with draft.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(file)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise StorageError(
            f"{file} cannot be written ({error.strerror}); free the disk or mend its permissions"
        ) from error
