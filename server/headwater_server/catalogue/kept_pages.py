"""Pages that were rendered before, found by what they depend on, and answered ahead of the routes."""

import re
from collections.abc import Callable, Hashable, Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from headwater_server.catalogue.access import current_reader
from headwater_server.catalogue.index import ReleaseEntry, ReleaseIndex, newest_of
from headwater_server.catalogue.page_cache import PageCache, RenderedPage
from headwater_server.catalogue.rendering import Pages
from headwater_server.catalogue.search import Query

__all__ = ["KeptPages", "QuickPages"]

_LISTS = 64
_DATASET = re.compile(r"/datasets/([a-z0-9][a-z0-9-]{0,63})(?:/([1-9][0-9]{0,5}))?", re.ASCII)


class KeptPages:
    """The rendered pages of lists and datasets, under all that each of them depends on.

    Guarantee: what is found for a reader is what the routes would render for this very reader now. Routes and `find`
    look through the same keys, which are made of the releases that the reader may know of and of the reader's class.
    """

    def __init__(self, releases: ReleaseIndex, pages: Pages) -> None:
        """Keep nothing yet.

        Args:
            releases: those that the current reader may know of, and no others.
            pages: what renders them.
        """
        self._releases, self._pages = releases, pages
        self.datasets = PageCache()
        # Apart: whoever asks for a thousand searches drives no page of a dataset out.
        self.lists = PageCache(_LISTS)

    def list_key(self, query: Query, entries: Sequence[ReleaseEntry], charter: str) -> Hashable:
        """What a list of datasets depends on."""
        shown = tuple((each.folder, each.withdrawn is None) for each in entries)
        return query, shown, charter, self._pages.reader_class

    def dataset_key(self, entry: ReleaseEntry, versions: Sequence[ReleaseEntry]) -> Hashable:
        """What the page of a version depends on.

        It names all versions, so that it is another one once a newer one is there or one is withdrawn; and it shows
        rows, and a button to sign out, to some readers and not to others, and how to show a token where one is needed.
        """
        name, reader = entry.manifest.name, current_reader()
        named = tuple((each.manifest.version, each.withdrawn is None) for each in versions)
        level, may_read = reader.rules.of(name).level, reader.may_read(name)
        return "dataset", entry.folder, named, level, may_read, self._pages.reader_class

    def find(self, path: str) -> RenderedPage | None:
        """The page at a path without a query for the current reader; None where a route has to see to it."""
        if path == "/":
            return self._list()
        found = _DATASET.fullmatch(path)
        if found is None:
            return None
        versions = self._releases.versions(found[1])
        if found[2] is None:
            entry = newest_of(versions)
        else:
            entry = next((each for each in versions if each.manifest.version == int(found[2])), None)
        return None if entry is None else self.datasets.get(self.dataset_key(entry, versions))

    def _list(self) -> RenderedPage | None:
        # Neither the disk nor the database is asked here, in the event loop: where what was read is too old, the
        # route reads it anew in a thread.
        entries, charter = self._releases.latest_held(), self._pages.charter_held()
        if entries is None or charter is None:
            return None
        return self.lists.get(self.list_key(Query(), entries, charter))


class QuickPages:
    """ASGI middleware behind the door: sends a page that is kept, and passes on every other request.

    FastAPI takes some five times as long to find its route and solve its parameters as such an answer takes in all.
    """

    def __init__(self, app: ASGIApp, find: Callable[[str], RenderedPage | None]) -> None:
        self._app, self._find = app, find

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request."""
        plain = scope["type"] == "http" and scope["method"] in {"GET", "HEAD"} and not scope["query_string"]
        page = self._find(scope["path"]) if plain and not scope.get("root_path") else None
        if page is None:
            await self._app(scope, receive, send)
        else:
            await page.send(scope, send)
