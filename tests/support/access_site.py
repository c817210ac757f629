"""A catalogue in this process with tokens and levels, asked as readers of every kind."""

import asyncio
import functools
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from headwater.agreement.access_token import new_access_token, token_digest
from headwater.agreement.documents import instant_of
from headwater_server.catalogue import CatalogueSettings, FolderReleaseIndex, build_catalogue
from headwater_server.catalogue.access.downloads import DownloadCounter
from headwater_server.catalogue.run_page import RunPages
from headwater_server.catalogue_limits import CatalogueLimits
from headwater_server.storage import SqlStorage
from headwater_server.storage.access_port import DatasetAccess, Level, TokenRecord
from support.releases import NOON, Consortium, make_consortium, make_table, publish

__all__ = ["AccessSite", "site_of_visits"]

HOST = "catalogue.example"


@dataclass
class AccessSite:
    """The catalogue of one test; `clock` is seconds since 1970."""

    folder: Path
    consortium: Consortium = field(default_factory=make_consortium)
    clock: float = NOON.timestamp()
    changes: Mapping[str, Any] = field(default_factory=dict)
    list_seconds: float = 0.0
    runs: RunPages | None = None

    def __post_init__(self) -> None:
        self.storage = SqlStorage(f"sqlite:///{self.folder / 'state.db'}")
        self.releases = self.folder / "releases"
        self.downloads = DownloadCounter(self.storage, lambda: self.clock)
        settings = {"limits": CatalogueLimits.unlimited(), **self.changes}
        self.app = build_catalogue(
            FolderReleaseIndex(self.releases, self.list_seconds),
            CatalogueSettings(
                "Three Hospitals", f"https://{HOST}", "127.0.0.1", self.consortium.charter_of, **settings
            ),
            now=lambda: self.clock,
            access=self.storage,
            downloads=self.downloads,
            runs=self.runs,
        )

    def token(self, *scopes: str, days: float = 30) -> str:
        """Hand out a token."""
        token = new_access_token()
        expires = instant_of(NOON.fromtimestamp(self.clock + days * 86400, NOON.tzinfo))
        number = f"{len(self.storage.tokens()):08x}"
        self.storage.add_token(
            TokenRecord(number, "somebody", token_digest(token), tuple(sorted(scopes)), instant_of(NOON), expires)
        )
        self.pass_time()
        return token

    def revoke(self, token: str) -> None:
        """Take it back."""
        digest = token_digest(token)
        (record,) = (record for record in self.storage.tokens() if record.sha256 == digest)
        self.storage.revoke_token(record.token_id, NOON)
        self.pass_time()

    def put(self, name: str, level: Level, *projects: str) -> None:
        """Choose a dataset's level."""
        self.storage.set_dataset_access(name, DatasetAccess(level, projects), NOON)
        self.pass_time()

    def pass_time(self, seconds: float = 1.0) -> None:
        """Let what was changed be seen."""
        self.clock += seconds

    def ask(
        self,
        path: str,
        token: str = "",
        method: str = "GET",
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        address: str = "192.0.2.1",
        **given: Any,
    ) -> httpx.Response:
        """Ask as a program with a token, or without one."""
        shown = {"authorization": f"Bearer {token}"} if token else {}

        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, client=(address, 40000))
            async with httpx.AsyncClient(transport=transport, base_url=f"https://{HOST}") as client:
                return await client.request(
                    method,
                    path,
                    headers=[*shown.items(), *(headers.items() if isinstance(headers, Mapping) else headers)],
                    **given,
                )

        return asyncio.run(asked())

    def code(self, path: str, token: str = "", **given: Any) -> tuple[int, str]:
        """Status and code of a refusal; "" for a success."""
        answer = self.ask(path, token, **given)
        return answer.status_code, answer.json()["error"]["code"] if answer.status_code >= 400 else ""


def site_of_visits(folder: Path, **changes: Any) -> AccessSite:
    """A site with one small dataset, "visits", which is published once for all tests of a process."""
    kept, consortium = _published()
    site = AccessSite(folder, consortium, changes=changes)
    shutil.copytree(kept.name, site.releases)
    return site


@functools.cache
def _published() -> tuple["tempfile.TemporaryDirectory[str]", Consortium]:
    kept, consortium = tempfile.TemporaryDirectory(), make_consortium()
    publish(Path(kept.name), consortium, make_table(40))
    return kept, consortium
