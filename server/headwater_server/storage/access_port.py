"""What storage keeps of who may read: tokens by digest, levels of datasets, counts of downloads."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol

from headwater.errors import InputError

__all__ = [
    "READ_PROJECT",
    "READ_REGISTERED",
    "RUNS",
    "SAMPLE",
    "AccessStore",
    "DatasetAccess",
    "Download",
    "DownloadCount",
    "Level",
    "TokenRecord",
    "checked_dataset_access",
    "checked_scopes",
]

READ_REGISTERED = "read:registered"
READ_PROJECT = "read:project:"
RUNS = "runs"
SAMPLE = "sample"

_PROJECT = re.compile(r"[a-z0-9][a-z0-9-]{0,47}", re.ASCII)
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}", re.ASCII)


class Level(StrEnum):
    """Who may see and read a dataset.

    `CLOSED` is no choice of an operator but what holds before any: nothing of the dataset is shown without a token
    that reads registered datasets.
    """

    PUBLIC = "public"
    REGISTERED = "registered"
    PROJECT = "project"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A token as it is kept: never the token itself.

    Attributes:
        token_id: eight hexadecimal digits, by which operators name it; no secret.
        label: whose it is, in the operator's words.
        sha256: of the token.
        scopes: what it is good for, sorted.
        created: when.
        expires: first moment at which it is no longer good.
        revoked: when it was taken back; None while it is good.
        last_used: the day in UTC; None where it never was.
    """

    token_id: str
    label: str
    sha256: str = field(repr=False)
    scopes: tuple[str, ...]
    created: str
    expires: str
    revoked: str | None = None
    last_used: str | None = None


@dataclass(frozen=True, slots=True)
class DatasetAccess:
    """What an operator chose for a dataset.

    Attributes:
        level: never `CLOSED` where it was chosen.
        projects: whose tokens read it, sorted; empty unless the level is `PROJECT`.
    """

    level: Level
    projects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Download:
    """One file of one version on one day, in UTC: all that is kept of who downloaded it."""

    name: str
    version: int
    path: str
    day: str


@dataclass(frozen=True, slots=True)
class DownloadCount:
    """How often."""

    download: Download
    count: int


class AccessStore(Protocol):
    """Who may read. All methods may raise `StorageError`."""

    def add_token(self, record: TokenRecord) -> None:
        """Record a new token."""
        ...

    def tokens(self) -> Sequence[TokenRecord]:
        """Every token that was ever made, oldest first, revoked and expired ones too."""
        ...

    def revoke_token(self, token_id: str, now: datetime) -> TokenRecord:
        """Take a token back for ever; again is the same as once.

        Raises:
            InputError: there is no such token.
        """
        ...

    def mark_token_used(self, token_id: str, day: date) -> None:
        """Record the last day on which a token was used; an earlier day than the recorded one changes nothing."""
        ...

    def set_dataset_access(self, name: str, access: DatasetAccess, now: datetime) -> None:
        """Choose a dataset's level, for all its versions."""
        ...

    def dataset_access(self) -> Mapping[str, DatasetAccess]:
        """What was chosen, by name of dataset."""
        ...

    def count_downloads(self, counts: Mapping[Download, int]) -> None:
        """Add to the counts, all of them or none."""
        ...

    def downloads(self, name: str) -> Sequence[DownloadCount]:
        """Counts of a dataset by version, path and day; empty where there are none."""
        ...


def checked_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    """The scopes of a token, sorted, each once.

    Raises:
        InputError: none, or one that there is not.
    """
    found = tuple(sorted(set(scopes)))
    if not found:
        raise InputError(f"a token without a scope opens nothing; say --scope {READ_REGISTERED}, for instance")
    for scope in found:
        project = scope.removeprefix(READ_PROJECT) if scope.startswith(READ_PROJECT) else None
        known = scope in (READ_REGISTERED, RUNS, SAMPLE) or (project is not None and _PROJECT.fullmatch(project))
        if not known:
            raise InputError(
                f"{scope!r} is no scope; choose among {READ_REGISTERED}, {READ_PROJECT}NAME, {RUNS} and {SAMPLE}"
            )
    return found


def checked_dataset_access(name: str, level: str, projects: Iterable[str]) -> DatasetAccess:
    """What an operator asks for, checked.

    Raises:
        InputError: no name of a dataset, no level, a project that is none, or projects without the level or the
            other way round.
    """
    if not _NAME.fullmatch(name):
        raise InputError(f"{name!r} is no name of a dataset; lower-case letters, digits and hyphens, such as adult")
    if level not in (Level.PUBLIC, Level.REGISTERED, Level.PROJECT):
        raise InputError(f"{level!r} is no level; choose public, registered or project")
    named = tuple(sorted(set(projects)))
    for project in named:
        if not _PROJECT.fullmatch(project):
            raise InputError(f"{project!r} is no name of a project; lower-case letters, digits and hyphens")
    if level == Level.PROJECT and not named:
        raise InputError("level project shows a dataset to its projects alone; say --project, which may be repeated")
    if level != Level.PROJECT and named:
        raise InputError(f"--project belongs to level project, and the level is {level}; leave one of them out")
    return DatasetAccess(Level(level), named)
