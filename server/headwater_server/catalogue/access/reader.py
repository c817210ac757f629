"""One reader of the catalogue, and the releases that this reader may know of."""

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar, Token
from dataclasses import dataclass, field

from headwater_server.catalogue.index import ReleaseEntry, ReleaseIndex
from headwater_server.storage.access_port import (
    READ_PROJECT,
    READ_REGISTERED,
    RUNS,
    SAMPLE,
    DatasetAccess,
    Level,
)

__all__ = [
    "NOBODY",
    "AccessRules",
    "Reader",
    "VisibleReleases",
    "current_reader",
    "reset_reader",
    "set_reader",
]


@dataclass(frozen=True, slots=True)
class AccessRules:
    """What operators chose, as it is now.

    Attributes:
        default: level of a dataset that nobody chose one for.
        datasets: what was chosen, by name.
        open_runs: run pages are shown to everybody who can connect.
    """

    default: Level = Level.CLOSED
    datasets: Mapping[str, DatasetAccess] = field(default_factory=dict)
    open_runs: bool = False

    def of(self, name: str) -> DatasetAccess:
        """What holds of a dataset, whether there is one of this name or not."""
        return self.datasets.get(name) or DatasetAccess(self.default)

    @property
    def let_strangers_in(self) -> bool:
        """Somebody without a token may find something here."""
        levels = {self.default, *(chosen.level for chosen in self.datasets.values())}
        return bool(levels & {Level.PUBLIC, Level.REGISTERED})


@dataclass(frozen=True, slots=True)
class Reader:
    """Who asks, and what that opens.

    | level | page, card, evidence | rows and other files |
    | --- | --- | --- |
    | public | everybody | everybody |
    | registered | everybody | any token that reads |
    | project | tokens of its projects | the same |
    | closed | tokens of scope read:registered | the same |

    Attributes:
        rules: what operators chose.
        token_id: of the token shown, or that the session is bound to; "" for a reader without one.
        scopes: of the token.
        signed_in: by a browser's session, which can be ended by signing out.
    """

    rules: AccessRules = field(repr=False)
    token_id: str = ""
    scopes: frozenset[str] = frozenset()
    signed_in: bool = False

    @property
    def anonymous(self) -> bool:
        """No token was shown."""
        return not self.token_id

    def may_enter(self) -> bool:
        """Tell whether the reader may see the list of datasets, the charter and the API's description."""
        return not self.anonymous or self.rules.let_strangers_in

    def may_see(self, name: str) -> bool:
        """Tell whether the reader may know of a dataset, and have its page, its card and its evidence."""
        access = self.rules.of(name)
        match access.level:
            case Level.PUBLIC | Level.REGISTERED:
                return True
            case Level.PROJECT:
                return any(f"{READ_PROJECT}{project}" in self.scopes for project in access.projects)
            case Level.CLOSED:
                return READ_REGISTERED in self.scopes

    def may_read(self, name: str) -> bool:
        """Tell whether the reader may have rows of a dataset: files, samples of it on a page, generators."""
        if self.rules.of(name).level is Level.REGISTERED:
            return any(scope == READ_REGISTERED or scope.startswith(READ_PROJECT) for scope in self.scopes)
        return self.may_see(name)

    @property
    def may_see_runs(self) -> bool:
        """Pages of runs under way and over."""
        return self.rules.open_runs or RUNS in self.scopes

    @property
    def may_sample(self) -> bool:
        """Ask for rows to be drawn; of which datasets, `may_read` says."""
        return SAMPLE in self.scopes


NOBODY = Reader(AccessRules())
"""Who may nothing at all: what code sees that runs for no request."""

_READER: ContextVar[Reader] = ContextVar("headwater_reader", default=NOBODY)


def current_reader() -> Reader:
    """Who the request being answered is from; `NOBODY` outside of one."""
    return _READER.get()


def set_reader(reader: Reader) -> Token[Reader]:
    """Answer a request for this reader from here on; `reset_reader` ends it."""
    return _READER.set(reader)


def reset_reader(token: Token[Reader]) -> None:
    """End what `set_reader` began."""
    _READER.reset(token)


class VisibleReleases:
    """A `ReleaseIndex` without what its reader may not know of: the one that routes are given.

    Guarantee: a dataset that the reader may not see is, in every method, as one that there is not.
    """

    def __init__(self, releases: ReleaseIndex, reader: Callable[[], Reader] = current_reader) -> None:
        """Show a part of an index.

        Args:
            releases: all of them.
            reader: asked at every look-up; by default, whose request is being answered.
        """
        self._releases = releases
        self._reader = reader

    def latest(self) -> Sequence[ReleaseEntry]:
        """The newest version of every dataset, the most recently made first."""
        return self._visible(self._releases.latest())

    def latest_held(self) -> Sequence[ReleaseEntry] | None:
        """As `latest`, without waiting for any storage; None where it would have to be asked."""
        held = self._releases.latest_held()
        return None if held is None else self._visible(held)

    def _visible(self, entries: Sequence[ReleaseEntry]) -> Sequence[ReleaseEntry]:
        reader = self._reader()
        return [entry for entry in entries if reader.may_see(entry.manifest.name)]

    def versions(self, name: str) -> Sequence[ReleaseEntry]:
        """All versions of a dataset, newest first."""
        return self._releases.versions(name) if self._reader().may_see(name) else []

    def find(self, name: str, version: int) -> ReleaseEntry | None:
        """This very version, or None."""
        return self._releases.find(name, version) if self._reader().may_see(name) else None
